/**
 * What every transport must do, run by each implementation's own test file. The claims are those of the port's comments; where
 * real sockets leave something open (when exactly a writer blocks), so do the claims.
 */
import {
  type Address,
  concat,
  equal,
  equalConstantTime,
  mapBounded,
} from "@tesseras/core";
import {
  ARRIVALS_MAX,
  BULK_CHUNK_BYTES,
  DIALS_MAX,
  KIB,
  MIB,
  STREAMS_MAX,
} from "@tesseras/core/limits";
import { CLOSED_REFUSED, type Connection, type Stream } from "@tesseras/net";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { transportEndings } from "./transport_endings.ts";
import { transportGreeting } from "./transport_greeting.ts";
import {
  ANNA,
  BERT,
  type Claim,
  CLIO,
  echoOnce,
  never,
  Pair,
  pattern,
  readAll,
  readExactly,
  type TransportLab,
} from "./transport_lab.ts";

export { ANNA, type TransportLab } from "./transport_lab.ts";

/** Registers every claim as a test, but for those that a lab has said it cannot stage. */
export function transportContract(
  name: string,
  makeLab: () => TransportLab,
  except: readonly string[] = [],
): void {
  const claims = {
    ...dialling,
    ...transportGreeting,
    ...streaming,
    ...pushingBack,
    ...transportEndings,
  };
  assertTrue(except.every((claim) => Object.hasOwn(claims, claim)));
  for (const [claim, prove] of Object.entries(claims)) {
    if (except.includes(claim)) continue;
    Deno.test(`${name}: ${claim}`, async () => {
      const lab = makeLab();
      await lab.run(prove(lab));
    });
  }
}

const dialling: Record<string, Claim> = {
  async "each end sees where the other is and who dialled"(lab) {
    await using pair = await Pair.open(lab);
    assertEquals(pair.near.dialled, true);
    assertEquals(pair.far.dialled, false);
    assertEquals(pair.near.remote, pair.bert.local);
    assertEquals(pair.far.remote, pair.anna.local);
  },

  async "connects to whoever answers when anyone will do"(lab) {
    await using bert = await lab.open(BERT);
    await using anna = await lab.open(ANNA);
    const connection = await anna.dial(bert.local, "anyone", never);
    const far = await bert.accept(never);
    assertTrue(far);
    await echoOnce(connection, far);
  },

  async "refuses another key than the expected one, before and after it met the peer"(
    lab,
  ) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT);
    const expect = { publicKey: CLIO.publicKey };
    await assertRejectsCode(anna.dial(bert.local, expect, never), "forged");
    // What TLS remembers of a first contact or of the right key must not stand in for the wrong one.
    await anna.dial(bert.local, "anyone", never);
    await anna.dial(bert.local, { publicKey: BERT.publicKey }, never);
    await assertRejectsCode(anna.dial(bert.local, expect, never), "forged");
  },

  async "gives the answerer no connection whose dialer wanted another key"(
    lab,
  ) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT);
    const expect = { publicKey: CLIO.publicKey };
    await assertRejectsCode(anna.dial(bert.local, expect, never), "forged");
    using soon = lab.clock.deadline(200, never);
    await assertRejectsCode(bert.accept(soon.signal), "timeout");
  },

  async "finds nobody at an address where nobody is"(lab) {
    await using anna = await lab.open(ANNA, { impatient: true });
    const dial = anna.dial(lab.nobody, "anyone", never);
    await assertRejectsCode(dial, "unreachable");
  },

  async "stops dialling when told to"(lab) {
    await using anna = await lab.open(ANNA);
    using deadline = lab.clock.deadline(20, never);
    const dial = anna.dial(lab.nobody, "anyone", deadline.signal);
    await assertRejectsCode(dial, "timeout");
    await assertRejectsCode(
      anna.dial(lab.nobody, "anyone", deadline.signal),
      "timeout",
    );
  },

  async "is refused where admission says no, and admission sees the dialer's address"(
    lab,
  ) {
    const seen: Address[] = [];
    await using anna = await lab.open(ANNA);
    const admit = (remote: Address) => {
      seen.push(remote);
      return false;
    };
    await using bert = await lab.open(BERT, { admit });
    const dial = anna.dial(bert.local, { publicKey: BERT.publicKey }, never);
    await assertRejectsCode(dial, "refused");
    assertEquals(seen, [anna.local]);
    using soon = lab.clock.deadline(200, never);
    await assertRejectsCode(bert.accept(soon.signal), "timeout");
  },

  async "two networks do not meet, whoever is expected"(lab) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT, { network: "garden" });
    const other = /other network/;
    for (const expect of ["anyone", { publicKey: BERT.publicKey }] as const) {
      const dial = anna.dial(bert.local, expect, never);
      await assertRejectsCode(dial, "refused", other);
    }
    const back = bert.dial(anna.local, "anyone", never);
    await assertRejectsCode(back, "refused", other);
    using soon = lab.clock.deadline(200, never);
    for (const end of [anna, bert]) {
      await assertRejectsCode(end.accept(soon.signal), "timeout");
    }
    await using clio = await lab.open(CLIO, { network: "garden" });
    await bert.dial(clio.local, { publicKey: CLIO.publicKey }, never);
    assertTrue(await clio.accept(never), "one network meets");
  },

  async "turns away who comes when too many wait to be accepted"(lab) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT);
    const dials = Array(ARRIVALS_MAX + 3).keys();
    const expect = { publicKey: BERT.publicKey };
    const connections = await mapBounded(
      dials,
      DIALS_MAX,
      () => anna.dial(bert.local, expect, never),
      never,
    );
    let turnedAwayCount = 0;
    for (const connection of connections) {
      connection.closed.then(({ code }) => {
        if (code === CLOSED_REFUSED) turnedAwayCount++;
      });
    }
    using patience = lab.clock.deadline(20_000, never);
    while (turnedAwayCount < 3) await lab.clock.sleep(10, patience.signal);
    for (let count = 0; count < ARRIVALS_MAX; count++) await bert.accept(never);
    await anna.dial(bert.local, expect, never);
    assertTrue(await bert.accept(never), "there is room again");
    assertEquals(turnedAwayCount, 3);
  },

  async "both ends may dial each other at once"(lab) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT);
    const [toBert, toAnna, atAnna, atBert] = await Promise.all([
      anna.dial(bert.local, { publicKey: BERT.publicKey }, never),
      bert.dial(anna.local, { publicKey: ANNA.publicKey }, never),
      anna.accept(never),
      bert.accept(never),
    ]);
    assertTrue(atAnna && atBert);
    await echoOnce(toBert, atBert);
    await echoOnce(toAnna, atAnna);
  },
};

const streaming: Record<string, Claim> = {
  async "carries streams opened from either end"(lab) {
    await using pair = await Pair.open(lab);
    await echoOnce(pair.near, pair.far);
    await echoOnce(pair.far, pair.near);
  },

  async "a finished side reads as an end while the other side goes on"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    await near.finish(never);
    assertEquals(await far.read(never), undefined);
    assertEquals(await far.read(never), undefined, "an end stays an end");
    await far.write(Uint8Array.of(1, 2, 3), never);
    await far.finish(never);
    assertEquals(await readAll(near), Uint8Array.of(1, 2, 3));
  },

  async "an array that was read is gone at the next read"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    await near.write(Uint8Array.of(7, 7, 7), never);
    const kept = await far.read(never);
    assertEquals(kept && [...kept], [7, 7, 7]);
    await near.write(Uint8Array.of(8, 8, 8), never);
    const next = await far.read(never);
    assertEquals(next && [...next], [8, 8, 8]);
    assertTrue(!equal(kept!, Uint8Array.of(7, 7, 7)), "it was only lent");
  },

  async "an aborted read loses nothing"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    using soon = lab.clock.deadline(20, never);
    await assertRejectsCode(far.read(soon.signal), "timeout");
    await near.write(Uint8Array.of(5, 6), never);
    assertEquals(await readExactly(far, 2), Uint8Array.of(5, 6));
  },

  async "a read waits for as many bytes as it is told, however they come"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const sent = pattern(2 * BULK_CHUNK_BYTES);
    const reading = far.read(never, BULK_CHUNK_BYTES);
    for (let at = 0; at < sent.length; at += 1_000) {
      await near.write(sent.subarray(at, at + 1_000), never);
    }
    const first = (await reading)?.slice();
    assertTrue(first && first.length >= BULK_CHUNK_BYTES);
    const rest = await readExactly(far, sent.length - first.length);
    assertEquals(concat([first, rest]), sent);
  },

  async "a read that waits for more than there is gets what came before the end"(
    lab,
  ) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    await near.write(Uint8Array.of(1, 2, 3), never);
    await near.finish(never);
    const parts = [(await far.read(never, BULK_CHUNK_BYTES))?.slice()];
    assertEquals(parts, [Uint8Array.of(1, 2, 3)]);
    assertEquals(await far.read(never, BULK_CHUNK_BYTES), undefined);
    assertEquals(await far.read(never), undefined, "an end stays an end");
  },

  async "an aborted read that waited for many loses nothing"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const sent = pattern(10_000);
    await near.write(sent.subarray(0, 6_000), never);
    using soon = lab.clock.deadline(20, never);
    await assertRejectsCode(far.read(soon.signal, 10_000), "timeout");
    await near.write(sent.subarray(6_000), never);
    assertEquals(await readExactly(far, sent.length), sent);
  },

  async "an aborted accept loses no stream"(lab) {
    await using pair = await Pair.open(lab);
    using soon = lab.clock.deadline(20, never);
    await assertRejectsCode(pair.far.accept(soon.signal), "timeout");
    await echoOnce(pair.near, pair.far);
  },

  async "bytes may be reused as soon as a write is done"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const bytes = new Uint8Array(300 * KIB).fill(1);
    const reading = readAll(far);
    await near.write(bytes, never);
    bytes.fill(2);
    await near.write(bytes, never);
    await near.finish(never);
    const got = await reading;
    assertTrue(got.subarray(0, bytes.length).every((byte) => byte === 1));
    assertTrue(got.subarray(bytes.length).every((byte) => byte === 2));
    assertEquals(got.length, 2 * bytes.length);
  },

  async "16 MiB arrive whole"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const sent = pattern(16 * MIB);
    const [got] = await Promise.all([
      readAll(far),
      near.write(sent, never).then(() => near.finish(never)),
    ]);
    assertEquals(got.length, sent.length);
    assertTrue(equalConstantTime(got, sent), "every byte is in its place");
  },

  async "100 requests at once all get their own answer, more than may be open"(
    lab,
  ) {
    await using pair = await Pair.open(lab);
    const serving = serveEcho(pair.far);
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    assertTrue(numbers.length > STREAMS_MAX);
    const answers = await mapBounded(
      numbers,
      numbers.length,
      async (number) => {
        const stream = await pair.near.open(never);
        await stream.write(Uint8Array.of(number), never);
        await stream.finish(never);
        return (await readAll(stream))[0];
      },
      never,
    );
    assertEquals(answers, numbers);
    pair.near.close(0, "done");
    await serving;
  },

  async "opens no more streams than the peer allows until one is done"(lab) {
    await using pair = await Pair.open(lab);
    const held: { near: Stream; far: Stream }[] = [];
    for (let count = 0; count < STREAMS_MAX; count++) {
      held.push(await pair.stream());
    }
    using soon = lab.clock.deadline(100, never);
    await assertRejectsCode(pair.near.open(soon.signal), "timeout");
    // Places come back a few at a time, and one may still go to the open that gave up.
    for (const { near, far } of held.slice(0, STREAMS_MAX / 2)) {
      far.abandon();
      near.abandon();
    }
    await pair.near.open(never);
  },
};

const pushingBack: Record<string, Claim> = {
  async "a writer stops when nobody reads, and goes on when somebody does"(
    lab,
  ) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const piece = pattern(64 * KIB);
    let writtenBytes = 0;
    const writing = (async () => {
      for (; writtenBytes < 8 * MIB; writtenBytes += piece.length) {
        await near.write(piece, never);
      }
      await near.finish(never);
    })();
    await lab.clock.sleep(300, never);
    assertTrue(writtenBytes < 4 * MIB, `stopped at ${writtenBytes} bytes`);
    const [got] = await Promise.all([readAll(far), writing]);
    assertEquals(got.length, 8 * MIB);
  },

  async "a blocked write stops when told to, and its stream is spent"(lab) {
    await using pair = await Pair.open(lab);
    const { near } = await pair.stream();
    using soon = lab.clock.deadline(100, never);
    const write = near.write(pattern(8 * MIB), soon.signal);
    await assertRejectsCode(write, "timeout");
    const again = near.write(Uint8Array.of(1), never);
    await assertRejectsCode(again, "cancelled");
  },

  async "a stream that nobody reads holds up no other"(lab) {
    await using pair = await Pair.open(lab);
    const { near } = await pair.stream();
    using soon = lab.clock.deadline(100, never);
    const write = near.write(pattern(8 * MIB), soon.signal);
    await assertRejectsCode(write, "timeout");
    await echoOnce(pair.near, pair.far);
  },
};

async function serveEcho(connection: Connection): Promise<void> {
  const answering: Promise<void>[] = [];
  for (;;) {
    const stream = await connection.accept(never);
    if (stream === undefined) break;
    answering.push((async () => {
      await stream.write(await readAll(stream), never);
      await stream.finish(never);
    })());
  }
  await Promise.all(answering);
}
