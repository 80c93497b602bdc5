/** Attacks by a peer that has proven who it is: requests no honest node sends. */
import { concat, mapBounded, SeededRandom, u32be } from "@tesseras/core";
import {
  BULK_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  STREAMS_MAX,
} from "@tesseras/core/limits";
import { collectBulk, type Connection, type Stream } from "@tesseras/net";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { PutFragment } from "@tesseras/wire";
import { type Attack, type Field, pause } from "./attack.ts";
import { codedPlan, forgedPlan, smallPlan } from "./hostile_plan.ts";
import { answerOn, answerTo, framed, frameOf, session } from "./raw_session.ts";

const coded = codedPlan(new SeededRandom(1));
/** So small that trickling it soon takes longer than any line may. */
const tiny = smallPlan(new SeededRandom(2), 2_000);
/** Far above what one identity may ask at once. */
const REQUESTS = 1_500;

/** Payloads that no reader may take, each for its own reason. */
const HOSTILE_PAYLOADS: Readonly<Record<string, Uint8Array>> = {
  "arrays nested 60,000 deep": new Uint8Array(60_000).fill(0x91),
  "a key that comes twice": ascii(
    "\x84\xa1v\x01\xa2id\x07\xa4body\x81\xa4type\xa4ping\xa1v\x01",
  ),
  "an extension type": ascii("\x83\xa1v\x01\xa2id\x07\xa4body\xd4\x05\x00"),
  "a timestamp": ascii("\x83\xa1v\xd6\xff\0\0\0\0\xa2id\x07\xa4body\x80"),
  "bytes behind the message": ascii(
    "\x83\xa1v\x01\xa2id\x07\xa4body\x81\xa4type\xa4ping\x00",
  ),
  "an array that announces four billion items": ascii("\xdd\xff\xff\xff\xff"),
  "a text that is not UTF-8": ascii(
    "\x83\xa1v\x01\xa2id\x07\xa4body\x81\xa4type\xa4\xff\xfe\xfd\xfc",
  ),
  "a number written too long": ascii(
    "\x83\xa1v\xcd\x00\x01\xa2id\x07\xa4body\x81\xa4type\xa4ping",
  ),
  "a message nobody defined": ascii(
    "\x83\xa1v\x01\xa2id\x07\xa4body\x81\xa4type\xa4boom",
  ),
};

/** In the order they are tried. Only one fragment of them all is kept: the honest one. */
export const ATTACKS_AFTER_HELLO: readonly Attack[] = [
  {
    name: "a frame over 64 KiB",
    counter: "rpc.malformed",
    run: (field) =>
      assertAnswer(field, u32be(MESSAGE_BYTES_MAX + 1), "malformed"),
  },
  {
    name: "a frame that ends too soon",
    counter: "rpc.malformed",
    run: (field) =>
      assertAnswer(field, concat([u32be(900), new Uint8Array(9)]), "corrupt"),
  },
  ...Object.entries(HOSTILE_PAYLOADS).map(([name, payload]): Attack => ({
    name,
    counter: "rpc.malformed",
    run: (field) => assertAnswer(field, framed(payload), "malformed"),
  })),
  {
    name: "a fragment that is not the plan's",
    counter: "rpc.refused",
    run: (field) => assertPut(field, { octets: zeros() }, "corrupt"),
  },
  {
    name: "a plan with a broken signature",
    counter: "rpc.refused",
    run: (field) => assertPut(field, { plan: forgedPlan(coded) }, "forged"),
  },
  {
    name: "a fragment under another's index",
    counter: "rpc.refused",
    run: (field) =>
      assertPut(field, { index: 4, octets: coded.fragment(3) }, "corrupt"),
  },
  {
    name: "an index the plan does not have",
    counter: "rpc.refused",
    run: (field) => assertPut(field, { index: 30 }, "malformed"),
  },
  {
    name: "fewer octets than announced",
    counter: "rpc.refused",
    run: (field) =>
      assertPut(
        field,
        { octets: coded.fragment(0).subarray(0, 99_999) },
        "corrupt",
      ),
  },
  {
    name: "more octets than announced",
    counter: "rpc.refused",
    run: (field) => {
      const octets = concat([coded.fragment(0), Uint8Array.of(1)]);
      return assertPut(field, { octets }, "corrupt");
    },
  },
  {
    name: "another length than the plan's",
    counter: "rpc.refused",
    run: (field) =>
      assertPut(field, { octets: new Uint8Array(5), bulk: 5 }, "malformed"),
  },
  {
    name: "an honest fragment among all that",
    counter: "fragment.stored",
    run: (field) => assertPut(field, {}, "kept"),
  },
  {
    name: "octets beyond the end of a fragment",
    counter: "rpc.served",
    run: beyondTheEnd,
  },
  {
    name: "a fragment that is not kept here",
    counter: "rpc.refused",
    run: (field) => assertAnswer(field, frameOf(getOf(4)), "absent"),
  },
  {
    name: "a request for an index no plan has",
    counter: "rpc.malformed",
    run: (field) => assertAnswer(field, frameOf(getOf(72)), "malformed"),
  },
  {
    name: "more requests than one identity may make",
    counter: "admission.request_rate",
    run: manyRequests,
  },
];

/** Take their time: run beside the others. */
export const TRICKLES: readonly Attack[] = [
  { name: "a request that trickles in", counter: "rpc.slow", run: slowRequest },
  {
    name: "octets that trickle in for ever",
    counter: "rpc.refused",
    run: slowOctets,
  },
];

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function zeros(): Uint8Array {
  return new Uint8Array(coded.plan.shardBytes);
}

function getOf(index: number, offset = 0, length = 1) {
  const plan = coded.plan.hash;
  return { type: "get_fragment", plan, index, offset, length } as const;
}

async function assertAnswer(
  field: Field,
  bytes: Uint8Array,
  wanted: string,
): Promise<void> {
  await over(field, async (connection) => {
    assertEquals(await answerTo(connection, bytes, field.signal), wanted);
    // The connection is as good as before: one bad request costs its sender that request.
    const ping = frameOf({ type: "ping" });
    assertEquals(await answerTo(connection, ping, field.signal), "pong");
  });
}

/** Puts the first fragment of the coded plan, but for what is given. */
async function assertPut(
  field: Field,
  { octets = coded.fragment(0), ...changes }:
    & Partial<Omit<PutFragment, "type">>
    & { readonly octets?: Uint8Array },
  wanted: string,
): Promise<void> {
  const header = frameOf({
    type: "put_fragment",
    plan: coded.plan.bytes,
    index: 0,
    bulk: coded.plan.shardBytes,
    ...changes,
  });
  await over(field, async (connection) => {
    const { signal } = field;
    const stream = await connection.open(signal);
    await Promise.allSettled([sendAll(stream, [header, octets], signal)]);
    assertEquals(await answerOn(stream, signal), wanted);
    stream.abandon();
  });
}

async function sendAll(
  stream: Stream,
  parts: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  for (const part of parts) await stream.write(part, signal);
  await stream.finish(signal);
}

/** The range is cut where the fragment ends: nothing of what lies behind it on the disk gets out. */
async function beyondTheEnd({ enemy, victim, signal }: Field): Promise<void> {
  const { shardBytes } = coded.plan;
  const far = getOf(0, BULK_BYTES_MAX, BULK_BYTES_MAX);
  const last = getOf(0, shardBytes - 1, BULK_BYTES_MAX);
  for (const [request, wanted] of [[far, 0], [last, 1]] as const) {
    const { bulk } = await enemy.peers.ask(victim, request, {}, signal);
    assertEquals((await collectBulk(bulk!, signal)).length, wanted);
  }
}

async function manyRequests(field: Field): Promise<void> {
  const { signal } = field;
  await over(field, async (connection) => {
    const ping = frameOf({ type: "ping" });
    const answers = await mapBounded(
      Array(REQUESTS).fill(ping),
      STREAMS_MAX,
      (bytes) => answerTo(connection, bytes, signal),
      signal,
    );
    assertTrue(answers.includes("overloaded"));
    assertTrue(answers.every((a) => a === "overloaded" || a === "pong"));
  });
}

async function slowRequest(field: Field): Promise<void> {
  await over(field, async (connection) => {
    const stream = await connection.open(field.signal);
    await trickle(stream, frameOf(getOf(0)), field.signal);
    assertEquals(await answerOn(stream, field.signal), "nothing");
    stream.abandon();
  });
}

async function slowOctets(field: Field): Promise<void> {
  await over(field, async (connection) => {
    const { plan, fragment } = tiny;
    const stream = await connection.open(field.signal);
    const bulk = plan.shardBytes;
    await stream.write(
      frameOf({ type: "put_fragment", plan: plan.bytes, index: 0, bulk }),
      field.signal,
    );
    await trickle(stream, fragment(0), field.signal);
    assertEquals(await answerOn(stream, field.signal), "timeout");
    stream.abandon();
  });
}

/** A few bytes a second, until the other end has had enough. */
async function trickle(
  stream: Stream,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < bytes.length; at++) {
    try {
      await stream.write(bytes.subarray(at, at + 1), signal);
    } catch {
      return; // that it gave up is what the caller looks at
    }
    await pause(250);
  }
}

async function over(
  { enemy, victim, signal }: Field,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await session(enemy, victim, signal);
  try {
    await work(connection);
  } finally {
    connection.close(0, "");
  }
}
