import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { equal, TesserasError } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  RELAY_DRAIN_MS,
  RELAY_IDLE_MS,
  RELAY_RECIPROCAL_BYTES_PER_SECOND,
  RELAY_SESSIONS_MAX,
  RELAY_SESSIONS_PER_PEER_MAX,
  RELAY_STRANGER_BYTES_PER_SECOND,
  RELAY_STRANGER_MS,
} from "@tesseras/core/limits";
import { MonthVolume } from "@tesseras/nat";
import type { Lease, SharedQuotas } from "@tesseras/relay";
import { MemoryState } from "@tesseras/state";
import { never, World } from "@tesseras/testing/sim";
import {
  CAPABILITIES,
  hasCapabilities,
  RELAY_WANTED,
  signFresh,
} from "@tesseras/wire";
import {
  Asking,
  homeOf,
  nameOf,
  type RelayWishes,
  startPeer,
  startRelay,
} from "./relay_for_tests.ts";
import { readMonth } from "./relay_month.ts";

/** A relay, two peers, and what they ask. */
async function three(world: World, wishes: RelayWishes = {}) {
  const relay = await startRelay(world, wishes);
  const [a, b] = [await startPeer(world), await startPeer(world)];
  return { relay, a, b, asking: new Asking(world, relay) };
}

const pass = (world: World, ms: number): Promise<void> =>
  world.run(world.clock.sleep(ms, never));

Deno.test("both peers are granted one session, a port each, and asking again changes nothing", async () => {
  await using world = new World(1);
  const { relay, a, b, asking } = await three(world);
  const first = await asking.request(a, b.record.id);
  const second = await asking.request(b, a.record.id);
  const again = await asking.request(a, b.record.id);
  assertEquals(nameOf(first), nameOf(second));
  assertEquals([nameOf(again), again.address], [nameOf(first), first.address]);
  const [pair] = relay.ports.pairs;
  assertEquals([first.address.port, second.address.port], [...pair!.ports]);
  assertEquals(first.address.ip, relay.address.ip);
  assertEquals(pair!.ips, [homeOf(a).ip, homeOf(b).ip]);
  assertTrue(equal(first.to, a.record.id) && equal(first.peer, b.record.id));
  assertEquals(relay.ports.pairs.length, 1);
});

Deno.test("refuses what another signed, what is meant for another relay, what is stale, and a peer to itself", async () => {
  await using world = new World(2);
  const { relay, a, b, asking } = await three(world);
  const { id } = b.record;
  await assertRejectsCode(asking.request(a, id, { as: b }), "forged");
  await assertRejectsCode(asking.request(a, id, { relay: id }), "refused");
  await assertRejectsCode(asking.request(a, a.record.id), "refused");
  await assertRejectsCode(
    asking.request(a, id, { bytes: new Uint8Array(7) }),
    "malformed",
  );
  const { counters } = relay.runtime;
  assertEquals(counters.get("relay.misdirected"), 2);
  assertEquals(counters.get("relay.refused_self"), 1);
  assertEquals(relay.ports.pairs.length, 0);
});

Deno.test("a request that was signed half a minute ago is refused", async () => {
  await using world = new World(3);
  const { relay, a, b, asking } = await three(world);
  const words = { relay: relay.node.id, peer: b.record.id };
  const early = signFresh(RELAY_WANTED, words, {
    signer: a.identity,
    nowMs: world.clock.nowMs(),
  });
  await pass(world, INTRODUCTION_FRESH_MS + 1);
  await assertRejectsCode(
    asking.request(a, b.record.id, { bytes: early.bytes }),
    "refused",
  );
});

Deno.test("one identity has its quota of sessions, and no more of them than a relay has", async () => {
  await using world = new World(4);
  const { relay, a, asking } = await three(world, {
    limits: { sessionsMax: 9 },
  });
  const others = [];
  for (let i = 0; i <= RELAY_SESSIONS_PER_PEER_MAX; i++) {
    others.push(await startPeer(world));
  }
  for (const { record } of others.slice(0, -1)) {
    await asking.request(a, record.id);
  }
  const last = others.at(-1)!;
  await assertRejectsCode(asking.request(a, last.record.id), "refused");
  await asking.request(last, others[0]!.record.id);
  await assertRejectsCode(
    asking.request(last, others[1]!.record.id),
    "overloaded",
  );
  const { counters } = relay.runtime;
  assertEquals(counters.get("relay.refused_peer_quota"), 1);
  assertEquals(counters.get("relay.refused_full"), 1);
});

Deno.test("whoever keeps something for us is forwarded more, and for as long as it likes", async () => {
  await using world = new World(5);
  const state = new MemoryState();
  const { relay, a, b, asking } = await three(world, { state });
  const stranger = await asking.request(a, b.record.id);
  assertEquals(stranger.bytesPerSecond, RELAY_STRANGER_BYTES_PER_SECOND);
  assertTrue(stranger.lastsMs! <= RELAY_STRANGER_MS);
  await state.care.markInstitutional({
    peer: b.record.id,
    isInstitutional: true,
    atMs: world.clock.nowMs(),
  }, never);
  const friend = await asking.request(b, a.record.id);
  assertEquals(friend.bytesPerSecond, RELAY_RECIPROCAL_BYTES_PER_SECOND);
  assertEquals(friend.lastsMs, undefined);
  assertEquals(relay.ports.pairs[0]!.bytesPerSecond, friend.bytesPerSecond);
});

Deno.test("a peer that ends a session is obeyed, and the other is told why; a third is not heard", async () => {
  await using world = new World(6);
  const { relay, a, b, asking } = await three(world);
  const third = await startPeer(world);
  const { session } = await asking.request(a, b.record.id);
  await asking.request(b, a.record.id);
  await assertRejectsCode(asking.close(third, session, "closed"), "absent");
  await assertRejectsCode(asking.migrate(third, session), "absent");
  await asking.close(a, session, "direct");
  await pass(world, 100);
  assertEquals(b.ends.map(({ why, graceMs }) => [why, graceMs]), [[
    "direct",
    0,
  ]]);
  assertEquals(a.ends, []);
  assertTrue(relay.ports.pairs[0]!.isClosed);
  await assertRejectsCode(asking.close(a, session, "direct"), "absent");
});

Deno.test("a peer that comes from elsewhere is followed there, with its session and its port", async () => {
  await using world = new World(17);
  const { relay, a, b, asking } = await three(world);
  const before = await asking.request(a, b.record.id);
  await asking.request(b, a.record.id);
  await world.run(a.peers[Symbol.asyncDispose]());
  const moved = await startPeer(world, a.identity);
  const after = await asking.migrate(moved, before.session);
  assertEquals([nameOf(after), after.address], [
    nameOf(before),
    before.address,
  ]);
  assertEquals(relay.ports.pairs[0]!.ips, [homeOf(moved).ip, homeOf(b).ip]);
  assertTrue(homeOf(moved).ip !== homeOf(a).ip);
});

Deno.test("a relay that forwards nothing any more ends its node", async () => {
  await using world = new World(18);
  const relay = await startRelay(world);
  const broken = new Error("the thread is gone");
  relay.ports.fail(broken);
  assertEquals(await world.run(relay.node.failed), broken);
  const ended = relay.node[Symbol.asyncDispose]().catch((error) => error);
  assertEquals(await world.run(ended), broken);
});

Deno.test("an end with a grace comes after it", async () => {
  await using world = new World(7);
  const { relay, a, b, asking } = await three(world);
  const { session } = await asking.request(a, b.record.id);
  await asking.close(a, session, "closed", 5_000);
  await pass(world, 4_000);
  assertTrue(!relay.ports.pairs[0]!.isClosed);
  await pass(world, 2_000);
  assertTrue(relay.ports.pairs[0]!.isClosed);
});

Deno.test("a session over which nothing passes ends, and both peers are told; one that carries stays", async () => {
  await using world = new World(8);
  const { relay, a, b, asking } = await three(world);
  const c = await startPeer(world);
  for (const [one, other] of [[a, b], [b, a], [a, c], [c, a]] as const) {
    await asking.request(one, other.record.id);
  }
  const [quiet, busy] = relay.ports.pairs;
  for (let waitedMs = 0; waitedMs < RELAY_IDLE_MS + 2_000; waitedMs += 1_000) {
    busy!.tally.forwardedBytes += 1_200;
    await pass(world, 1_000);
  }
  assertEquals([quiet!.isClosed, busy!.isClosed], [true, false]);
  assertEquals([a.ends.length, b.ends.map(({ why }) => why)], [1, ["idle"]]);
  assertEquals(relay.node.roles[0]!.gauges!()[0]!.value, 1);
});

Deno.test("a pair without a free port is refused, and leaves nothing behind", async () => {
  await using world = new World(9);
  const { relay, a, b, asking } = await three(world);
  relay.ports.isFull = true;
  await assertRejectsCode(asking.request(a, b.record.id), "overloaded");
  relay.ports.isFull = false;
  await asking.request(a, b.record.id);
  assertEquals(relay.node.roles[0]!.gauges!()[0]!.value, 1);
  assertEquals(a.ends, []);
});

Deno.test("a month that is used up ends every session, and a restart does not forget it", async () => {
  await using world = new World(10);
  const state = new MemoryState();
  const nowMs = world.clock.nowMs();
  const volume = new MonthVolume(10_000, undefined, nowMs);
  const { relay, a, b, asking } = await three(world, { state, volume });
  await asking.request(a, b.record.id);
  await asking.request(b, a.record.id);
  relay.ports.pairs[0]!.tally.forwardedBytes = 10_000;
  await pass(world, 1_500);
  assertEquals([a, b].map(({ ends }) => ends[0]?.why), ["volume", "volume"]);
  await assertRejectsCode(asking.request(a, b.record.id), "overloaded");
  await world.stop(relay);
  const again = await readMonth(state, 10_000, relay.runtime, never);
  assertEquals([again.used.bytes, again.isSpent], [10_000, true]);
});

Deno.test("a volume that nobody can read counts for nothing, and is told", async () => {
  await using world = new World(11);
  const state = new MemoryState();
  await state.putValue("relay.month", new Uint8Array([1, 2]), never);
  const { runtime } = await startRelay(world, { state });
  const volume = await readMonth(state, 1, runtime, never);
  assertEquals(volume.used.bytes, 0);
  assertEquals(runtime.log.events.at(-1)?.event, "relay.volume_unread");
});

Deno.test("a draining relay tells both peers of every session, takes no more, and waits for them to move", async () => {
  await using world = new World(12);
  const { relay, asking } = await three(world);
  const pairs = [];
  for (let i = 0; i < 5; i++) {
    const pair = [await startPeer(world), await startPeer(world)] as const;
    const { session } = await asking.request(pair[0], pair[1].record.id);
    await asking.request(pair[1], pair[0].record.id);
    pairs.push({ pair, session });
  }
  const { clock } = world;
  const beganMs = clock.monotonicMs();
  const drained = relay.node.roles[0]!.drain!(never);
  await pass(world, 200);
  for (const { ends } of pairs.flatMap(({ pair }) => pair)) {
    assertEquals(ends.map(({ why, graceMs }) => [why, graceMs]), [
      ["draining", RELAY_DRAIN_MS],
    ]);
  }
  const late = await startPeer(world);
  const { record } = pairs[0]!.pair[0];
  await assertRejectsCode(asking.request(late, record.id), "overloaded");
  for (const { pair, session } of pairs) {
    await asking.close(pair[0], session, "closed");
  }
  await world.run(drained);
  assertTrue(clock.monotonicMs() - beganMs < RELAY_DRAIN_MS);
  assertEquals(relay.ports.pairCount, 0);
});

Deno.test("a relay that drains waits no longer than it said for peers that stay", async () => {
  await using world = new World(13);
  const { relay, a, b, asking } = await three(world);
  await asking.request(a, b.record.id);
  const beganMs = world.clock.monotonicMs();
  await world.run(relay.node.roles[0]!.drain!(never));
  const tookMs = world.clock.monotonicMs() - beganMs;
  assertTrue(tookMs >= RELAY_DRAIN_MS && tookMs < RELAY_DRAIN_MS + 100);
  await world.stop(relay);
  assertEquals(relay.ports.pairCount, 0);
});

Deno.test("the node's record says what is free", async () => {
  await using world = new World(14);
  const { relay, a, b, asking } = await three(world);
  const { capabilities, relay: offer } = relay.node.record();
  assertTrue(hasCapabilities(capabilities, CAPABILITIES.RELAY));
  assertEquals(offer, {
    address: relay.address,
    freeSlots: RELAY_SESSIONS_MAX,
    kilobytesPerSecond: RELAY_RECIPROCAL_BYTES_PER_SECOND / 1_024,
  });
  await asking.request(a, b.record.id);
  await pass(world, 11_000);
  assertEquals(relay.node.record().relay?.freeSlots, RELAY_SESSIONS_MAX - 1);
});

/** Leases of several relays, in memory; a store that is away when told so. */
class Leases implements SharedQuotas {
  readonly held = new Map<string, Set<string>>();
  isAway = false;

  take({ name, subjects }: Lease): Promise<boolean> {
    if (this.isAway) return Promise.reject(away());
    const places = subjects.map(({ name: subject, max }) => ({
      names: this.held.get(subject) ?? new Set<string>(),
      subject,
      max,
    }));
    const fits = places.every(({ names, max }) =>
      names.has(name) || names.size < max
    );
    if (!fits) return Promise.resolve(false);
    for (const { names, subject } of places) {
      this.held.set(subject, names.add(name));
    }
    return Promise.resolve(true);
  }

  release({ name, subjects }: Lease): Promise<void> {
    for (const { name: subject } of subjects) {
      this.held.get(subject)?.delete(name);
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Leases of all subjects. */
  get count(): number {
    return [...this.held.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

function away(): TesserasError {
  return new TesserasError("unreachable", "Cannot use the quotas: gone");
}

Deno.test("while the shared quotas are away a relay's own must do", async () => {
  await using world = new World(16);
  const quotas = new Leases();
  quotas.isAway = true;
  const { relay, a, b, asking } = await three(world, { quotas });
  await asking.request(a, b.record.id);
  assertEquals(relay.runtime.counters.get("relay.quotas_unread"), 1);
});

Deno.test("a pair that asks again when its session is over is counted once", async () => {
  await using world = new World(19);
  const quotas = new Leases();
  const limits = { strangerMs: 10_000, perPeerMax: 1 };
  const { a, b, asking } = await three(world, { quotas, limits });
  const first = await asking.request(a, b.record.id);
  const again = await asking.request(a, b.record.id);
  assertEquals([nameOf(again), quotas.count], [nameOf(first), 2]);
  await pass(world, 10_001);
  const next = await asking.request(a, b.record.id);
  assertTrue(nameOf(next) !== nameOf(first));
  await pass(world, 2_000);
  assertEquals(quotas.count, 2, "its identity and its network");
});

Deno.test("relays that count together grant one identity its quota once", async () => {
  await using world = new World(15);
  const quotas = new Leases();
  const limits = { perPeerMax: 2 };
  const { a, b, asking } = await three(world, { quotas, limits });
  const other = await startRelay(world, { quotas, limits });
  const elsewhere = new Asking(world, other);
  const c = await startPeer(world);
  const { session } = await asking.request(a, b.record.id);
  await elsewhere.request(a, b.record.id);
  await assertRejectsCode(elsewhere.request(a, c.record.id), "refused");
  assertEquals(other.runtime.counters.get("relay.refused_shared_quota"), 1);
  await asking.close(a, session, "closed");
  await elsewhere.request(a, c.record.id);
  assertEquals(other.ports.pairs.length, 2);
  await world.stop(other);
  assertEquals(quotas.count, 0);
});
