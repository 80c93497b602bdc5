// Every pair of kinds of NAT, through whole `Peers`, with a relay.
import { codeOf, equal, type NodeId } from "@tesseras/core";
import {
  DUPLICATE_LINGER_MS,
  MEETING_NONCE_BYTES,
  NODE_RECORD_TTL_MS,
  RELAY_AFTER_MS,
} from "@tesseras/core/limits";
import type { NatKind } from "@tesseras/nat";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  CAPABILITIES,
  INTRODUCTION,
  type NodeRecord,
  type PunchIntro,
  RELAY_GRANTED,
  signFresh,
  signNodeRecord,
} from "@tesseras/wire";
import type { RungTrace } from "./climb.ts";
import { never, type TestNode } from "./node_for_tests.ts";
import { TestRelay } from "./relay_for_tests.ts";
import { NAT_BEHAVIOURS } from "./sim.ts";
import type { Standing } from "./standing.ts";
import type { Way } from "./way.ts";
import { askPing, World } from "./world_for_tests.ts";

const KINDS = { public: undefined, ...NAT_BEHAVIOURS } as const;
type Kind = keyof typeof KINDS;
const ALL = Object.keys(KINDS) as Kind[];
/** A relayed session is there by then, with 25 ms one way. */
const RELAYED_MAX_MS = 2_500;
const PUNCHED_MAX_MS = 400;

function natOf(kind: Kind): NatKind {
  if (kind === "public") return "public";
  return kind.startsWith("symmetric") ? "symmetric" : "cone";
}

function standingOf(kind: Kind, seed: number): Standing {
  return {
    realm: "lab",
    own: [{ ip: `10.0.0.${seed}`, port: 4433 }],
    kind: natOf(kind),
    likely: () => undefined,
  };
}

/** Two guests of an introducer, and relays that both know. */
class Gathering implements AsyncDisposable {
  readonly world: World;
  readonly rungs: RungTrace[] = [];
  readonly relays: TestRelay[] = [];
  known: readonly NodeRecord[] = [];
  introducer!: TestNode;
  a!: TestNode;
  b!: TestNode;

  private constructor(seed: number) {
    this.world = new World(seed, { latencyMs: 25 });
  }

  static async of(
    one: Kind,
    other: Kind,
    { seed = 1, relays = 1 } = {},
  ): Promise<Gathering> {
    const made = new Gathering(seed);
    const { world } = made;
    const standing = standingOf("public", 1);
    const introducer = await world.node(1, { standing });
    made.introducer = introducer;
    for (let at = 0; at < relays; at++) {
      made.relays.push(await TestRelay.start(world, 257 * (at + 1)));
    }
    made.known = made.relays.map(({ record }) => record);
    made.a = await made.#guest(introducer, one, 2);
    made.b = await made.#guest(introducer, other, 3);
    return made;
  }

  async #guest(by: TestNode, kind: Kind, seed: number): Promise<TestNode> {
    const { world } = this;
    const behaviour = KINDS[kind];
    const nat = behaviour &&
      world.network.nat(`nat${seed}`, `198.51.${100 + seed}.1`, behaviour);
    const node = await world.node(seed, {
      hidden: nat !== undefined,
      nat: natOf(kind),
      standing: standingOf(kind, seed),
      relays: () => this.known,
      onRung: (rung) => this.rungs.push(rung),
    }, nat);
    await world.clock.run(askPing(node, by.record));
    return node;
  }

  /** Asks a working question, and says in how many virtual milliseconds it was answered. */
  async ask(from = this.a, to = this.b): Promise<number> {
    const { clock } = this.world;
    const beganMs = clock.monotonicMs();
    await clock.run(askPing(from, to.record));
    return clock.monotonicMs() - beganMs;
  }

  /** How the sessions of one with the other came about, the one in use first. */
  ways(from: TestNode, to: TestNode): readonly Way[] {
    return from.peers.sessions()
      .filter(({ id }) => id[1] === to.record.id[1])
      .map(({ way }) => way);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** Pairs that no punch connects (RFC 5128, 3.3), as the kernel's routers showed. */
function isApart(one: Kind, other: Kind): boolean {
  const nats = [natOf(one), natOf(other)];
  if (nats.every((nat) => nat === "symmetric")) return true;
  const pair = [one, other];
  return pair.includes("symmetric") &&
    (pair.includes("cone") || pair.includes("open"));
}

Deno.test("every ordered pair of kinds comes to a working request: directly, by a punch, or over a relay", async () => {
  for (const one of ALL) {
    for (const other of ALL) {
      await using gathering = await Gathering.of(one, other);
      const { a, b, relays: [relay], rungs } = gathering;
      const tookMs = await gathering.ask();
      const name = `${one} to ${other}: ${tookMs} virtual ms`;
      const rung = rungs.find(({ outcome }) => outcome === "met")?.rung;
      if (isApart(one, other)) {
        assertEquals(rung, "relay", name);
        assertTrue(tookMs < RELAYED_MAX_MS, name);
        assertTrue(relay!.forwardedBytes > 0, name);
        const isHopeless = natOf(one) === natOf(other);
        assertTrue(isHopeless === (tookMs < RELAY_AFTER_MS), name);
        if (isHopeless) assertEquals(a.counted("punch.tried"), 0, name);
      } else {
        assertTrue(tookMs < PUNCHED_MAX_MS, name);
        assertEquals([relay!.granted, relay!.forwardedBytes], [0, 0], name);
      }
      const way = isApart(one, other)
        ? "relayed"
        : other === "public"
        ? "direct"
        : "punched";
      for (const [from, to] of [[a, b], [b, a]] as const) {
        assertEquals(gathering.ways(from, to)[0], way, name);
      }
      const backMs = await gathering.ask(b, a);
      assertTrue(backMs < RELAYED_MAX_MS, `${name}, back ${backMs}`);
    }
  }
});

Deno.test("both who ask for each other at once come to one line", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await using gathering = await Gathering.of("symmetric", "symmetric", {
      seed,
    });
    const { a, b, relays: [relay], world: { clock } } = gathering;
    const asked = [askPing(a, b.record), askPing(b, a.record)];
    await clock.run(Promise.all(asked));
    assertEquals(relay!.granted, 1);
    await clock.advance(3 * DUPLICATE_LINGER_MS);
    assertEquals(gathering.ways(a, b), ["relayed"]);
    assertEquals(gathering.ways(b, a), ["relayed"]);
    await gathering.ask();
  }
});

Deno.test("a line is given back when its session is, and the connection to its relay stays while it is used", async () => {
  await using gathering = await Gathering.of("symmetric", "symmetric");
  const { a, b, relays: [relay], world: { clock } } = gathering;
  await gathering.ask();
  for (let minute = 0; minute < 5; minute++) {
    await clock.advance(55_000);
    await gathering.ask();
  }
  const atRelay = relay!.node.peers.sessions().length;
  assertEquals(atRelay, 2, "both are still connected to the relay");
  await clock.run(b.peers[Symbol.asyncDispose]());
  await clock.advance(10_000);
  assertEquals(gathering.ways(a, b), []);
  assertEquals(relay!.ended, ["closed"]);
});

Deno.test("a relay that cannot be reached is passed over for the next one", async () => {
  let triedBoth = 0;
  for (let seed = 1; seed <= 10; seed++) {
    await using gathering = await Gathering.of("symmetric", "symmetric", {
      seed,
      relays: 2,
    });
    const { a, relays: [dead, living], world } = gathering;
    world.network.crash(dead!.node.transport.local);
    await gathering.ask();
    assertEquals(living!.granted, 1);
    if (a.counted("relayed.asked") === 2) triedBoth++;
  }
  assertTrue(triedBoth > 0, "some drew the dead one first");
});

Deno.test("a pair on a draining relay moves to another, and no request is lost", async () => {
  await using gathering = await Gathering.of("symmetric", "symmetric", {
    relays: 2,
  });
  const { a, b, relays, world: { clock } } = gathering;
  await gathering.ask();
  const [old, next] = relays[0]!.granted > 0 ? relays : [...relays].reverse();
  const drained = old!.end("draining", 3_000);
  const asking = (async () => {
    for (let i = 0; i < 60; i++) {
      await askPing(a, b.record);
      await askPing(b, a.record);
    }
  })();
  await clock.run(Promise.all([drained, asking]));
  assertEquals(next!.granted, 1);
  await clock.advance(2 * DUPLICATE_LINGER_MS);
  assertEquals(gathering.ways(a, b), ["relayed"]);
  await gathering.ask();
});

Deno.test("a session whose relay ended it is closed at once, and the next question finds another way", async () => {
  await using gathering = await Gathering.of("symmetric", "symmetric");
  const { a, b, relays: [relay], world: { clock } } = gathering;
  await gathering.ask();
  await clock.run(relay!.end("time", 0));
  await clock.advance(100);
  assertEquals(a.counted("peers.relay_closed"), 1);
  const tookMs = await gathering.ask(b, a);
  assertTrue(tookMs < RELAYED_MAX_MS, `${tookMs} virtual ms`);
});

Deno.test("whom no relay is known to connect is unreachable", async () => {
  await using gathering = await Gathering.of("symmetric", "symmetric");
  gathering.known = [];
  const { a, b, world: { clock } } = gathering;
  const asked = askPing(a, b.record).then(() => undefined, codeOf);
  assertEquals(await clock.run(asked), "unreachable");
});

Deno.test("a pair whose relay dies without a word meets at another within 5 s", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await using gathering = await Gathering.of("symmetric", "symmetric", {
      seed,
      relays: 2,
    });
    const { relays } = gathering;
    await gathering.ask();
    const [old, next] = relays[0]!.granted > 0 ? relays : [...relays].reverse();
    old!.die();
    const tookMs = await gathering.ask();
    assertEquals(next!.granted, 1);
    assertTrue(tookMs < 5_000, `seed ${seed}: ${tookMs} virtual ms`);
  }
});

Deno.test("nobody is led to a relay that cannot be dialled, is none, or made its offer to others", async () => {
  await using gathering = await Gathering.of("symmetric", "symmetric");
  const { a, b, relays: [relay], world } = gathering;
  const nowMs = world.clock.nowMs();
  const { identity } = relay!.node.self;
  const good = relay!.record;
  const hidden = signNodeRecord({
    addresses: [],
    capabilities: CAPABILITIES.RELAY,
    nat: "cone",
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, identity);
  const offerTo = (to: NodeId) =>
    signFresh(RELAY_GRANTED, {
      session: new Uint8Array(16),
      to,
      peer: b.record.id,
      address: relay!.node.transport.local,
      bytesPerSecond: 1,
      lastsMs: undefined,
    }, { signer: identity, nowMs }).bytes;
  const introducer = gathering.introducer;
  const { remote } = introducer.peers.sessions()
    .find(({ id }) => equal(id, a.record.id))!;
  const cases = [
    [{ relay: hidden.bytes, offer: offerTo(a.record.id) }, "refused"],
    [{ relay: a.record.bytes, offer: offerTo(a.record.id) }, "forged"],
    [{ relay: good.bytes, offer: offerTo(introducer.record.id) }, "forged"],
    [{ relay: good.bytes, offer: new Uint8Array(4) }, "malformed"],
  ] as const;
  for (const [rendezvous, code] of cases) {
    const { bytes: intro } = signFresh(INTRODUCTION, {
      to: b.record.id,
      meeting: world.random.bytes(MEETING_NONCE_BYTES),
      addresses: [remote],
      nat: "symmetric",
    }, { signer: a.self.identity, nowMs: world.clock.nowMs() });
    const request: PunchIntro = { type: "punch_intro", intro, rendezvous };
    const asked = a.peers.ask(introducer.record, request, {}, never);
    assertEquals(
      await world.clock.run(asked.then(() => undefined, codeOf)),
      code,
    );
  }
  assertEquals([relay!.granted, b.counted("relayed.followed")], [0, 0]);
  assertEquals(b.counted("punch.tried"), 0);
});
