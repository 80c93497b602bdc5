import { equal, type ErrorCode, u32be, utf8 } from "@tesseras/core";
import { HELLO_TIMEOUT_MS, MESSAGE_BYTES_MAX } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  type Challenge,
  decodeMessage,
  encodeFrame,
  type Envelope,
  type Message,
  type Proof,
  proofBytes,
} from "@tesseras/wire";
import { CLOSE, dialHello, type Self } from "./hello.ts";
import { FrameReader } from "./frames.ts";
import {
  identityOf,
  never,
  recordOf,
  type TestNode,
} from "./node_for_tests.ts";
import type { Connection, Stream, Transport } from "./transport.ts";
import { World } from "./world_for_tests.ts";

const ping = { type: "ping" } as const;

/** One who dialled a node and holds its challenge. */
type Challenged = {
  readonly connection: Connection;
  readonly stream: Stream;
  readonly id: number;
  readonly challenge: Challenge;
};

async function dialRaw(
  from: Transport,
  to: Self,
): Promise<Challenged> {
  const [address] = to.record().addresses;
  const { publicKey } = to.identity;
  const connection = await from.dial(address!, { publicKey }, never);
  const stream = (await connection.accept(never))!;
  const { id, body } = await nextMessage(stream);
  return { connection, stream, id, challenge: body as Challenge };
}

async function nextMessage(stream: Stream): Promise<Envelope> {
  const message = await new FrameReader(stream).next(never);
  assertTrue(message, "the stream ended");
  return decodeMessage(message);
}

async function say(
  { stream, id }: { stream: Stream; id: number },
  body: Message,
): Promise<void> {
  await stream.write(encodeFrame({ v: 1, id, body }), never);
  await stream.finish(never);
}

/** What a dialer would say that does everything right. */
function proofOf(self: Self, { challenge }: Challenged, to: Self): Proof {
  const { id } = to.identity;
  const signed = proofBytes(challenge.nonce, id, self.identity.id);
  return {
    type: "proof",
    record: self.record().bytes,
    signature: self.identity.sign(signed),
  };
}

/** The node refuses this dialer for this reason, and goes on serving others. */
async function assertRefused(
  world: World,
  node: TestNode,
  { connection }: Challenged,
  counter: string,
): Promise<void> {
  const closed = await world.clock.run(connection.closed);
  assertEquals(closed.code, CLOSE.refused);
  assertEquals(node.counted(counter), 1, counter);
  assertEquals(node.peers.sessions(), []);
  const honest = await world.node(250);
  await world.clock.run(honest.peers.ask(node.record, ping, {}, never));
}

Deno.test("a hello tells each end who the other is, and the dialer how it is seen", async () => {
  await using world = new World(1);
  const [a, b] = [await world.node(1), await world.node(2)];
  const answer = b.peers.ask(a.record, ping, {}, never);
  const { response } = await world.clock.run(answer);
  assertTrue(equal(response.record, a.record.bytes));
  assertEquals(b.met, [`${a.record.id[1]}:${world.addressOf(2).ip}`]);
  assertEquals(a.met, [`${b.record.id[1]}:undefined`]);
  assertEquals(a.counted("hello.accepted"), 1);
});

Deno.test("takes a dialer that does everything right", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const { transport, self } = await world.bare(2);
  const raw = await world.clock.run(dialRaw(transport, node.self));
  await world.clock.run(say(raw, proofOf(self, raw, node.self)));
  await world.clock.advance(1000);
  assertEquals(node.peers.sessions().length, 1);
});

Deno.test("a proof serves once: replayed, it is refused", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const { transport, self } = await world.bare(2);
  const first = await world.clock.run(dialRaw(transport, node.self));
  const proof = proofOf(self, first, node.self);
  first.connection.close(0, "");
  await world.clock.advance(1000);
  const second = await world.clock.run(dialRaw(transport, node.self));
  assertTrue(!equal(first.challenge.nonce, second.challenge.nonce));
  await world.clock.run(say(second, proof));
  await assertRefused(world, node, second, "hello.forged_proof");
});

Deno.test("an answerer cannot use its dialer's proof to pass for it elsewhere", async () => {
  await using world = new World(1);
  const [victim, target] = [await world.node(1), await world.node(2)];
  const { transport, self } = await world.bare(3);
  const asked = victim.peers.ask(self.record(), ping, {}, never)
    .catch((error) => error);
  const lured = (await world.clock.run(transport.accept(never)))!;
  const raw = await world.clock.run(dialRaw(transport, target.self));
  // It asks the victim to sign the target's nonce, under its own record.
  const stream = await lured.open(never);
  const trap = { ...raw.challenge, record: self.record().bytes };
  await world.clock.run(say({ stream, id: 7 }, trap));
  const { body } = await world.clock.run(nextMessage(stream));
  await world.clock.run(say(raw, body));
  await assertRefused(world, target, raw, "hello.forged_proof");
  lured.close(0, "");
  await world.clock.run(asked);
});

Deno.test("signs nothing for an answerer that passes on another's challenge", async () => {
  await using world = new World(1);
  const [victim, target] = [await world.node(1), await world.node(2)];
  const { transport, self } = await world.bare(3);
  const asked = victim.peers.ask(self.record(), ping, {}, never);
  const refused = assertRejectsCode(asked, "forged", /not the peer we dialled/);
  const lured = (await world.clock.run(transport.accept(never)))!;
  const raw = await world.clock.run(dialRaw(transport, target.self));
  const stream = await lured.open(never);
  await world.clock.run(say({ stream, id: raw.id }, raw.challenge));
  await world.clock.run(refused);
  assertEquals(await world.clock.run(stream.read(never)), undefined);
  assertEquals(victim.counted("hello.wrong_answerer"), 1);
});

Deno.test("refuses another id of the right key", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const asker = await world.node(2);
  // One seed, more work, hence another nonce and another id of the same key.
  const twin = await identityOf(1, 14);
  assertTrue(!equal(twin.id, node.record.id));
  assertTrue(equal(twin.publicKey, node.record.publicKey));
  const record = recordOf(
    twin,
    [node.transport.local],
    world.clock.nowMs(),
  );
  const asked = asker.peers.ask(record, ping, {}, never);
  await world.clock.run(assertRejectsCode(asked, "forged", /not the peer/));
  assertEquals(asker.peers.sessions(), []);
});

Deno.test("refuses an identity that shows too little work, and says so to it", async () => {
  await using world = new World(1);
  const node = await world.node(1, { powBits: 12, minedBits: 12 });
  const cheap = await world.node(2, { minedBits: 8 });
  const asked = cheap.peers.ask(node.record, ping, {}, never);
  await world.clock.run(assertRejectsCode(asked, "refused", /hello failed/));
  assertEquals(node.counted("hello.weak_work"), 1);
  // It was turned away, so it does not come back at once.
  const again = cheap.peers.ask(node.record, ping, {}, never);
  await assertRejectsCode(again, "unreachable", /next try/);
});

Deno.test("refuses an answerer that shows too little work", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const strict = await world.node(2, { powBits: 12, minedBits: 12 });
  const asked = strict.peers.ask(node.record, ping, {}, never);
  await world.clock.run(assertRejectsCode(asked, "forged"));
  assertEquals(strict.peers.sessions(), []);
});

Deno.test("gives a slow dialer its time and no more", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const { transport } = await world.bare(2);
  const raw = await world.clock.run(dialRaw(transport, node.self));
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(raw.stream.write(new Uint8Array(3), never));
  await assertRefused(world, node, raw, "hello.timeout");
  assertTrue(world.clock.monotonicMs() - sinceMs < 2 * HELLO_TIMEOUT_MS);
});

Deno.test("refuses whatever else comes instead of a proof", async () => {
  const forms: readonly [
    string,
    (self: Self, raw: Challenged, node: TestNode) => Uint8Array,
  ][] = [
    ["hello.malformed", () => u32be(MESSAGE_BYTES_MAX + 1)],
    ["hello.malformed", () => new Uint8Array([0, 0, 0, 3, 0xc1, 0xc1, 0xc1])],
    ["hello.malformed", () => utf8("GET / HTTP/1.1\r\n\r\n")],
    [
      "hello.malformed",
      (_self, { id }) => encodeFrame({ v: 1, id, body: ping }),
    ],
    ["hello.malformed", (self, raw, node) => {
      const body = proofOf(self, raw, node.self);
      return encodeFrame({ v: 1, id: raw.id ^ 1, body });
    }],
    ["hello.forged_record", (self, raw, node) => {
      const proof = proofOf(self, raw, node.self);
      const record = proof.record.slice();
      record[record.length - 1]! ^= 1;
      const body = { ...proof, record };
      return encodeFrame({ v: 1, id: raw.id, body });
    }],
    ["hello.forged_proof", (self, raw, node) => {
      // Another's record, stolen from the network: we cannot sign for it.
      const proof = proofOf(self, raw, node.self);
      const body = { ...proof, record: strangerRecord };
      return encodeFrame({ v: 1, id: raw.id, body });
    }],
    ["hello.self", (self, raw, node) => {
      const proof = proofOf(self, raw, node.self);
      const body = { ...proof, record: raw.challenge.record };
      return encodeFrame({ v: 1, id: raw.id, body });
    }],
  ];
  let strangerRecord = new Uint8Array();
  for (const [counter, form] of forms) {
    await using world = new World(1);
    const node = await world.node(1);
    const { transport, self } = await world.bare(2);
    const stranger = await identityOf(3);
    strangerRecord = new Uint8Array(
      recordOf(stranger, [], world.clock.nowMs()).bytes,
    );
    const raw = await world.clock.run(dialRaw(transport, node.self));
    await world.clock.run(raw.stream.write(form(self, raw, node), never));
    await assertRefused(world, node, raw, counter);
  }
});

Deno.test("refuses a record that has expired", async () => {
  await using world = new World(1);
  const { transport, self } = await world.bare(2);
  await world.clock.advance(25 * 3_600_000);
  const node = await world.node(1);
  const raw = await world.clock.run(dialRaw(transport, node.self));
  await world.clock.run(say(raw, proofOf(self, raw, node.self)));
  await assertRefused(world, node, raw, "hello.forged_record");
});

Deno.test("a first contact learns the record and signs nothing", async () => {
  await using world = new World(1);
  const [a, b] = [await world.node(1), await world.node(2)];
  const learning = b.peers.firstContact(a.transport.local, never);
  const record = await world.clock.run(learning);
  assertTrue(equal(record.bytes, a.record.bytes));
  await world.clock.advance(1000);
  assertEquals(a.counted("hello.unfinished"), 1);
  assertEquals([a.peers.sessions(), b.peers.sessions()], [[], []]);
});

Deno.test("a first contact refuses an answerer without a true record", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const { transport, self } = await world.bare(2);
  const asked = node.peers.firstContact(world.addressOf(2), never);
  const refused = assertRejectsCode(asked, "forged");
  const connection = (await world.clock.run(transport.accept(never)))!;
  const record = self.record().bytes.slice();
  record[record.length - 1]! ^= 1;
  const stream = await connection.open(never);
  await world.clock.run(say({ stream, id: 1 }, {
    type: "challenge",
    nonce: new Uint8Array(32),
    record,
    observed: connection.remote,
  }));
  await world.clock.run(refused);
});

Deno.test("a dialer refuses whatever else comes instead of a challenge", async () => {
  const forms: readonly [ErrorCode, Uint8Array | undefined][] = [
    ["malformed", u32be(0)],
    ["malformed", encodeFrame({ v: 1, id: 1, body: ping })],
    ["corrupt", new Uint8Array([0, 0])],
    ["timeout", undefined],
  ];
  for (const [code, bytes] of forms) {
    await using world = new World(1);
    const dialer = await world.bare(1);
    const answerer = await world.bare(2);
    const { publicKey } = answerer.self.identity;
    const dialling = dialer.transport.dial(
      world.addressOf(2),
      { publicKey },
      never,
    );
    const accepting = answerer.transport.accept(never);
    const connection = await world.clock.run(dialling);
    const answered = (await world.clock.run(accepting))!;
    const stream = await answered.open(never);
    if (bytes) {
      await world.clock.run(stream.write(bytes, never));
      await world.clock.run(stream.finish(never));
    }
    const parts = {
      self: dialer.self,
      runtime: dialer.runtime,
    };
    const hello = dialHello(connection, {
      ...parts,
      pinned: answerer.self.identity,
    }, never);
    await world.clock.run(assertRejectsCode(hello, code));
    connection.close(0, "");
  }
});

Deno.test("does not talk to itself", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const asked = node.peers.ask(node.record, ping, {}, never);
  await world.clock.run(assertRejectsCode(asked, "refused"));
  assertEquals(node.peers.sessions(), []);
});
