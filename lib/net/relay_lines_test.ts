import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import { type Address, TesserasError } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  NODE_RECORD_TTL_MS,
} from "@tesseras/core/limits";
import {
  CAPABILITIES,
  type NodeRecord,
  RELAY_ENDED,
  RELAY_GRANTED,
  type RelayEnd,
  type RelayGranted,
  type Request,
  signFresh,
  signNodeRecord,
} from "@tesseras/wire";
import { never, type TestNode } from "./node_for_tests.ts";
import { type RelayLineEnd, RelayLines } from "./relay_lines.ts";
import { World } from "./world_for_tests.ts";

const SESSION = new Uint8Array(16).fill(7);

/** A relay that grants whatever it is told to. */
class Granting {
  readonly heard: Request[] = [];
  readonly world: World;
  relay!: TestNode;
  node!: TestNode;
  peer!: TestNode;
  lines!: RelayLines;
  readonly ends: RelayLineEnd[] = [];
  granted: Partial<RelayGranted> = {};
  signedMs = 0;

  constructor(world: World) {
    this.world = world;
  }

  static async start(world: World): Promise<Granting> {
    const made = new Granting(world);
    made.relay = await world.node(1, {
      handler: (_, request) => {
        made.heard.push(request);
        if (request.type === "relay_close") {
          return Promise.resolve({ response: { type: "relay_closed" } });
        }
        if (!request.type.startsWith("relay_")) {
          throw new TesserasError("refused", "Cannot answer that");
        }
        const offer = made.offer();
        return Promise.resolve({ response: { type: "relay_offer", offer } });
      },
    });
    made.node = await world.node(2);
    made.peer = await world.node(3);
    made.lines = new RelayLines({
      self: made.node.self,
      peers: made.node.peers,
      onEnd: (end) => made.ends.push(end),
    }, made.node.runtime);
    return made;
  }

  get port(): Address {
    return { ip: this.relay.transport.local.ip, port: 40_000 };
  }

  /** Its record, with the bit of a relay. */
  get record(): NodeRecord {
    const { identity } = this.relay.self;
    const nowMs = this.world.clock.nowMs();
    return signNodeRecord({
      addresses: [this.relay.transport.local],
      capabilities: CAPABILITIES.RELAY,
      nat: "public",
      sequence: nowMs,
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, identity);
  }

  offer(by = this.relay): Uint8Array {
    return signFresh(RELAY_GRANTED, {
      session: SESSION,
      to: this.node.record.id,
      peer: this.peer.record.id,
      address: this.port,
      bytesPerSecond: 65_536,
      lastsMs: undefined,
      ...this.granted,
    }, {
      signer: by.self.identity,
      nowMs: this.world.clock.nowMs() - this.signedMs,
    }).bytes;
  }

  request() {
    const { id } = this.peer.record;
    const asked = this.lines.request(this.record, id, never);
    return this.world.clock.run(asked);
  }

  end(why: RelayEnd, graceMs: number, by = this.relay, from = by) {
    const words = { to: this.node.record.id, session: SESSION, why, graceMs };
    const signer = by.self.identity;
    const nowMs = this.world.clock.nowMs();
    const end = signFresh(RELAY_ENDED, words, { signer, nowMs }).bytes;
    return this.lines.heardEnd(from.record, { type: "relay_close", end });
  }
}

Deno.test("a line is asked for, known by its port, and given up", async () => {
  await using world = new World(1);
  const at = await Granting.start(world);
  const { lines, peer, relay, port } = at;
  assertEquals([lines.has(port), lines.standsOn(relay.record.id)], [
    false,
    false,
  ]);
  const line = await at.request();
  assertEquals([line.address, line.endsMs], [port, Infinity]);
  assertTrue(lines.has(port) && lines.standsOn(relay.record.id));
  assertTrue(!lines.has({ ...port, port: 40_001 }));
  assertEquals(lines.to(peer.record.id), [line]);
  assertEquals(lines.to(relay.record.id), []);
  await world.clock.run(lines.close(line, "direct", never));
  assertEquals([lines.has(port), lines.all().length], [false, 0]);
  assertEquals(at.heard.map(({ type }) => type), [
    "relay_request",
    "relay_close",
  ]);
});

Deno.test("asking again and migrating keep one line of a session", async () => {
  await using world = new World(2);
  const at = await Granting.start(world);
  const line = await at.request();
  at.granted = { address: { ...at.port, port: 41_000 } };
  await at.request();
  await world.clock.run(at.lines.migrate(line, never));
  assertEquals(at.lines.all().length, 1);
  assertEquals([
    at.lines.has(at.port),
    at.lines.has({ ...at.port, port: 41_000 }),
  ], [false, true]);
});

Deno.test("a relay that grants what was not asked for, or a third party's port, is not believed", async () => {
  await using world = new World(3);
  const at = await Granting.start(world);
  const lies: readonly Partial<RelayGranted>[] = [
    { address: { ip: "198.51.100.9", port: 53 } },
    { to: at.peer.record.id },
    { peer: at.relay.record.id },
  ];
  for (const lie of lies) {
    at.granted = lie;
    await assertRejectsCode(at.request(), "forged");
  }
  at.granted = {};
  at.signedMs = INTRODUCTION_FRESH_MS + 1;
  await assertRejectsCode(at.request(), "refused");
  at.signedMs = -INTRODUCTION_FRESH_MS - 1_000;
  await assertRejectsCode(at.request(), "refused");
  assertEquals(at.lines.all(), []);
});

Deno.test("an end counts only from the relay that granted the line", async () => {
  await using world = new World(4);
  const at = await Granting.start(world);
  assertEquals(at.end("closed", 0), undefined, "no such line");
  await at.request();
  assertThrowsCode(() => at.end("closed", 0, at.peer), "forged");
  assertThrowsCode(() => at.end("closed", 0, at.relay, at.peer), "forged");
  assertEquals([at.ends.length, at.lines.all().length], [0, 1]);
  assertTrue(at.end("idle", 0) !== undefined);
  assertEquals(at.ends.map(({ why }) => why), ["idle"]);
  assertEquals(at.lines.all(), []);
});

Deno.test("a relay that drains is told of, and its line stays for the grace", async () => {
  await using world = new World(5);
  const at = await Granting.start(world);
  await at.request();
  at.end("draining", 3_000);
  assertEquals(at.ends.map(({ why, graceMs }) => [why, graceMs]), [[
    "draining",
    3_000,
  ]]);
  assertTrue(at.lines.has(at.port));
  await world.clock.run(world.clock.sleep(3_001, never));
  assertEquals([at.lines.all().length, at.lines.has(at.port)], [0, false]);
});

Deno.test("a peer comes to a line of another only if relay and offer fit both", async () => {
  await using world = new World(6);
  const at = await Granting.start(world);
  const { lines, peer, node, record } = at;
  // The peer was granted the line and names it to us.
  at.granted = { to: peer.record.id, peer: node.record.id };
  const offer = at.offer();
  at.granted = {};
  const follow = (rendezvous: Parameters<typeof lines.follow>[0]) =>
    world.clock.run(lines.follow(rendezvous, peer.record.id, never));
  const line = await follow({ relay: record.bytes, offer });
  assertEquals(lines.to(peer.record.id), [line]);
  const wrong = [
    { relay: peer.record.bytes, offer },
    { relay: at.relay.record.bytes, offer }, // not a relay by its own words
    { relay: record.bytes, offer: at.offer() },
    { relay: record.bytes, offer: at.offer(peer) },
  ];
  for (const rendezvous of wrong) {
    await assertRejectsCode(follow(rendezvous), "forged");
  }
  await assertRejectsCode(
    follow({ relay: record.bytes, offer: new Uint8Array(3) }),
    "malformed",
  );
});
