import { concat, equal, type ErrorCode } from "@tesseras/core";
import { REQUEST_TIMEOUT_MS, STALL_TIMEOUT_MS } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { decodeMessage, encodeFrame, type Message } from "@tesseras/wire";
import { ask } from "./ask.ts";
import { bulkOf, collectBulk } from "./bulk.ts";
import { FrameReader } from "./frames.ts";
import { fragmentOf, never, patternBytes, putOf } from "./node_for_tests.ts";
import type { Connection, Stream } from "./transport.ts";
import { type BareNode, World } from "./world_for_tests.ts";

const ping = { type: "ping" } as const;
const pong: Message = {
  type: "pong",
  record: new Uint8Array(3),
  observed: { ip: "192.0.2.1", port: 5 },
};

/** Two ends of one connection, without any hello: `far` does as each test says. */
async function pair(
  world: World,
): Promise<{ near: Connection; far: Connection; bare: BareNode }> {
  const [bare, other] = [await world.bare(1), await world.bare(2)];
  const accepting = other.transport.accept(never);
  const near = await world.clock.run(bare.transport.dial(
    world.addressOf(2),
    { publicKey: other.self.identity.publicKey },
    never,
  ));
  const far = (await world.clock.run(accepting))!;
  return { near, far, bare };
}

/** Takes one request and returns its stream and id. */
async function taken(
  far: Connection,
): Promise<{ stream: Stream; id: number; frames: FrameReader }> {
  const stream = (await far.accept(never))!;
  const frames = new FrameReader(stream);
  const { id } = decodeMessage((await frames.next(never))!);
  return { stream, id, frames };
}

const frame = (id: number, body: Message) => encodeFrame({ v: 1, id, body });

Deno.test("takes the answer to its own question and no other", async () => {
  const answers: readonly [ErrorCode, (id: number) => Uint8Array][] = [
    ["malformed", (id) => frame(id ^ 1, pong)],
    ["malformed", (id) => frame(id, ping)],
    ["malformed", (id) => frame(id, { type: "nodes", records: [] })],
    ["malformed", () => new Uint8Array([0, 0, 0, 1, 0xc1])],
    ["malformed", () => new Uint8Array([0, 1, 0, 1])],
    ["malformed", (id) => concat([frame(id, pong), new Uint8Array(1)])],
    ["corrupt", (id) => frame(id, pong).subarray(0, 20)],
    ["refused", () => new Uint8Array()],
    [
      "diskFull",
      (id) => frame(id, { type: "error", code: "diskFull", text: "full" }),
    ],
    [
      "malformed",
      () => frame(0, { type: "error", code: "malformed", text: "what" }),
    ],
  ];
  for (const [code, bytesFor] of answers) {
    await using world = new World(3);
    const { near, far, bare } = await pair(world);
    const asked = ask({ connection: near, request: ping }, bare.runtime, never);
    const rejected = assertRejectsCode(asked, code);
    const { stream, id } = await world.clock.run(taken(far));
    const bytes = bytesFor(id);
    if (bytes.length > 0) await world.clock.run(stream.write(bytes, never));
    await world.clock.run(stream.finish(never));
    await world.clock.run(rejected);
  }
});

Deno.test("takes no more octets than it asked for, and sets nothing aside for them", async () => {
  for (const [announced, takes] of [[1_000, true], [1_001, false]] as const) {
    await using world = new World(3);
    const { near, far, bare } = await pair(world);
    const request = fragmentOf(1_000);
    const asked = ask({ connection: near, request }, bare.runtime, never);
    const settled: Promise<unknown> = takes
      ? asked
      : assertRejectsCode(asked, "malformed");
    const { stream, id } = await world.clock.run(taken(far));
    const answer = frame(id, { type: "fragment", bulk: announced });
    await world.clock.run(stream.write(answer, never));
    await world.clock.run(settled);
    if (takes) (await asked).bulk![Symbol.dispose]();
  }
});

Deno.test("shows a stranger's words quoted, so that they cannot pass for ours", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const asked = ask({ connection: near, request: ping }, bare.runtime, never);
  const rejected = assertRejectsCode(asked, "refused", /"\\u001b\[2J\\n ok"/);
  const { stream, id } = await world.clock.run(taken(far));
  const text = "\u001b[2J\n ok";
  await stream.write(
    frame(id, { type: "error", code: "refused", text }),
    never,
  );
  await world.clock.run(rejected);
});

Deno.test("waits for an answer as long as it was told and no longer", async () => {
  for (const timeoutMs of [500, undefined]) {
    await using world = new World(3);
    const { near, bare } = await pair(world);
    const sinceMs = world.clock.monotonicMs();
    const asked = ask(
      { connection: near, request: ping, ...(timeoutMs && { timeoutMs }) },
      bare.runtime,
      never,
    );
    await world.clock.run(assertRejectsCode(asked, "timeout"));
    assertEquals(
      world.clock.monotonicMs() - sinceMs,
      timeoutMs ?? REQUEST_TIMEOUT_MS,
    );
  }
});

Deno.test("an abort ends it in the caller's words, and the other end sees the stream end", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const stop = new AbortController();
  const asked = ask(
    { connection: near, request: ping },
    bare.runtime,
    stop.signal,
  );
  const { frames } = await world.clock.run(taken(far));
  stop.abort();
  await assertRejectsCode(asked, "cancelled");
  assertEquals(await world.clock.run(frames.next(never)), undefined);
});

Deno.test("sends octets and takes the answer to them", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const bytes = patternBytes(3_000_000);
  const asked = ask(
    {
      connection: near,
      request: putOf(bytes.length),
      bulk: bulkOf(bytes),
    },
    bare.runtime,
    never,
  );
  const receive = async (): Promise<Uint8Array> => {
    const { stream, id, frames } = await taken(far);
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = await frames.octets(1 << 20, never);
      if (part === undefined) break;
      parts.push(part.slice());
    }
    await stream.write(
      frame(id, { type: "kept", provider: new Uint8Array(1) }),
      never,
    );
    return concat(parts);
  };
  const [answer, received] = await world.clock.run(
    Promise.all([asked, receive()]),
  );
  assertEquals(answer.response.type, "kept");
  assertTrue(equal(received, bytes));
});

Deno.test("stops sending as soon as the answer is there", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  let ended = false;
  const bulk = {
    bytes: 30_000_000,
    async *chunks() {
      try {
        for (let i = 0; i < 30; i++) yield new Uint8Array(1_000_000);
      } finally {
        ended = true;
      }
    },
  };
  const request = putOf(bulk.bytes);
  const asked = ask(
    { connection: near, request, bulk },
    bare.runtime,
    never,
  );
  const rejected = assertRejectsCode(asked, "overloaded");
  const { stream, id } = await world.clock.run(taken(far));
  await stream.write(
    frame(id, { type: "error", code: "overloaded", text: "later" }),
    never,
  );
  await stream.finish(never);
  stream.abandon();
  await world.clock.run(rejected);
  assertTrue(ended, "the source was not closed");
});

Deno.test("hears a refusal also when its stream's end overtakes it", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await using world = new World(seed, { latencyMs: [5, 500] });
    const { near, far, bare } = await pair(world);
    const request = putOf(30_000_000);
    const bulk = bulkOf(new Uint8Array(request.bulk));
    const asked = ask({ connection: near, request, bulk }, bare.runtime, never);
    const rejected = assertRejectsCode(asked, "overloaded");
    const { stream, id } = await world.clock.run(taken(far));
    await stream.write(
      frame(id, { type: "error", code: "overloaded", text: "later" }),
      never,
    );
    await stream.finish(never);
    stream.abandon();
    await world.clock.run(rejected);
  }
});

Deno.test("a peer that gives up a put without a word has refused it", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const request = putOf(30_000_000);
  const bulk = bulkOf(new Uint8Array(request.bulk));
  const asked = ask({ connection: near, request, bulk }, bare.runtime, never);
  const rejected = assertRejectsCode(asked, "refused");
  const { stream } = await world.clock.run(taken(far));
  stream.abandon();
  await world.clock.run(rejected);
});

Deno.test("gives up a peer that takes no octets, and one that takes them and says nothing", async () => {
  for (
    const [size, expectedMs] of [[20_000_000, STALL_TIMEOUT_MS], [
      1000,
      REQUEST_TIMEOUT_MS,
    ]] as const
  ) {
    await using world = new World(3);
    const { near, far, bare } = await pair(world);
    const request = putOf(size);
    const asked = ask(
      { connection: near, request, bulk: bulkOf(new Uint8Array(size)) },
      bare.runtime,
      never,
    );
    const rejected = assertRejectsCode(asked, "timeout");
    await world.clock.run(taken(far));
    const sinceMs = world.clock.monotonicMs();
    await world.clock.run(rejected);
    const tookMs = world.clock.monotonicMs() - sinceMs;
    assertTrue(Math.abs(tookMs - expectedMs) < 2000, `${tookMs} ms`);
  }
});

Deno.test("a source that fails ends the request with its own error", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const request = putOf(100);
  const bulk = bulkOf(new Uint8Array(99));
  const asked = ask(
    { connection: near, request, bulk: { ...bulk, bytes: 100 } },
    bare.runtime,
    never,
  );
  const rejected = assertRejectsCode(asked, "corrupt", /99 bytes came/);
  await world.clock.run(taken(far));
  await world.clock.run(rejected);
});

Deno.test("octets of an answer are exactly as many as announced, or corrupt", async () => {
  for (
    const [sent, good] of [[5000, true], [4999, false], [5001, false], [
      0,
      false,
    ]] as const
  ) {
    await using world = new World(3);
    const { near, far, bare } = await pair(world);
    const asked = ask(
      { connection: near, request: fragmentOf(5000) },
      bare.runtime,
      never,
    );
    const { stream, id } = await world.clock.run(taken(far));
    const header = frame(id, { type: "fragment", bulk: 5000 });
    await stream.write(concat([header, patternBytes(sent)]), never);
    await stream.finish(never);
    const { bulk } = await world.clock.run(asked);
    const collecting = collectBulk(bulk!, never);
    if (good) {
      assertEquals(await world.clock.run(collecting), patternBytes(sent));
    } else await world.clock.run(assertRejectsCode(collecting, "corrupt"));
  }
});

Deno.test("a connection that dies while an answer is awaited is unreachable", async () => {
  await using world = new World(3);
  const { near, far, bare } = await pair(world);
  const asked = ask({ connection: near, request: ping }, bare.runtime, never);
  const rejected = assertRejectsCode(asked, "unreachable");
  await world.clock.run(taken(far));
  far.close(0, "");
  await world.clock.run(rejected);
  await assertRejectsCode(
    ask({ connection: near, request: ping }, bare.runtime, never),
    "unreachable",
  );
});
