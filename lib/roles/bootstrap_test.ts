import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type Address,
  formatAddress,
  keyOf,
  type NodeId,
  nodeId,
  TesserasError,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  DIRECTORY_TTL_MS,
  INTRODUCED_MAX,
  INTRODUCED_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import { type Directory, MemoryDirectory } from "@tesseras/directory";
import { closer } from "@tesseras/kad";
import {
  type Inhabitant,
  never,
  type Rogue,
  World,
} from "@tesseras/testing/sim";
import { CAPABILITIES, type NodeRecord } from "@tesseras/wire";
import { type BootstrapOptions, bootstrapRole } from "./bootstrap.ts";

const { DHT, STORAGE, RELAY } = CAPABILITIES;

async function entrance(
  world: World,
  options: BootstrapOptions = {},
): Promise<{ readonly boot: Inhabitant; readonly newcomer: Rogue }> {
  const boot = await world.add([], {
    change: (_, node) => [bootstrapRole(node, options)],
  });
  const newcomer = await world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
  return { boot, newcomer };
}

type Crowd = {
  readonly count: number;
  readonly capabilities?: number;
  /** The address of the n-th. */
  readonly at: (n: number) => Address;
};

/** Peers the entry has just heard of. */
async function meet(
  world: World,
  { node }: Inhabitant,
  { count, capabilities = DHT, at }: Crowd,
): Promise<readonly NodeRecord[]> {
  const met: NodeRecord[] = [];
  for (let n = 0; n < count; n++) {
    const identity = await world.identity();
    const record = world.recordOf(identity, [at(n)], capabilities);
    node.table.observe(record, world.clock.monotonicMs());
    met.push(record);
  }
  return met;
}

async function asked(
  world: World,
  { boot, newcomer }: { readonly boot: Inhabitant; readonly newcomer: Rogue },
  target: NodeId,
  want = 0,
): Promise<readonly NodeRecord[]> {
  const question = { type: "find_node", target, want } as const;
  const { response } = await world.run(
    newcomer.peers.ask(boot.node.record(), question, {}, never),
  );
  return boot.node.readRecords(response.records);
}

const spread = (first: number) => (n: number): Address => ({
  ip: `${first}.${n >> 8}.${n & 255}.1`,
  port: 4433,
});

Deno.test("who looks for itself is told of its neighbours and of a mixture from many networks, closest first", async () => {
  await using world = new World(1);
  const parts = await entrance(world);
  const { boot, newcomer } = parts;
  await meet(world, boot, { count: 120, at: spread(20) });
  await meet(world, boot, {
    count: 120,
    at: (n) => ({ ip: "30.0.0.1", port: 1_000 + n }),
  });
  const few = await meet(world, boot, {
    count: 4,
    capabilities: RELAY,
    at: spread(40),
  });
  const target = newcomer.record.id;
  const told = await asked(world, parts, target);
  assertEquals(told.length, BUCKET_PEERS_MAX);
  assertEquals(
    told,
    told.toSorted((a, b) => closer(target, a.id, b.id)),
  );
  assertEquals(new Set(told.map(({ id }) => keyOf(id))).size, told.length);
  const near = new Set(
    boot.node.closestFor(newcomer.record, target, 0)
      .slice(0, BUCKET_PEERS_MAX - INTRODUCED_MAX).map(keyOf),
  );
  const far = told.filter(({ bytes }) => !near.has(keyOf(bytes)));
  assertEquals(far.length, INTRODUCED_MAX);
  const crowded = far.filter(({ subnet }) => subnet === "30.0.0.0/24").length;
  assertTrue(crowded <= INTRODUCED_PER_SUBNET_MAX, `${crowded} of one network`);
  const relays = told.filter(({ id }) =>
    few.some((one) => keyOf(one.id) === keyOf(id))
  );
  assertTrue(
    relays.length > 0,
    "the few that offer something else are told of",
  );
  assertEquals(boot.runtime.counters.get("bootstrap.introduced"), 1);
});

Deno.test("who looks for somebody else gets the closest, as from any node", async () => {
  await using world = new World(2);
  const parts = await entrance(world);
  await meet(world, parts.boot, { count: 100, at: spread(20) });
  const target = nodeId(world.random.bytes(20));
  const told = await asked(world, parts, target);
  const closest = parts.boot.node.closestFor(parts.newcomer.record, target, 0);
  assertEquals(told.map(({ bytes }) => bytes), closest);
  assertEquals(parts.boot.runtime.counters.get("bootstrap.introduced"), 0);
});

Deno.test("newcomers are told of peers that offer what they want, that answer, and not all of the same", async () => {
  await using world = new World(3);
  const parts = await entrance(world);
  const { boot, newcomer } = parts;
  await meet(world, boot, {
    count: 80,
    capabilities: STORAGE,
    at: spread(50),
  });
  const silent = await meet(world, boot, { count: 60, at: spread(20) });
  for (const { id } of silent) boot.node.table.failed(id);
  const target = newcomer.record.id;
  const stores = await asked(world, parts, target, STORAGE);
  assertTrue(stores.length === BUCKET_PEERS_MAX);
  assertTrue(stores.every((one) => (one.capabilities & STORAGE) !== 0));
  const seen = new Set<string>();
  for (let times = 0; times < 10; times++) {
    const told = await asked(world, parts, target, STORAGE);
    for (const { id } of told) seen.add(keyOf(id));
  }
  assertTrue(seen.size > 2 * BUCKET_PEERS_MAX, `${seen.size} in ten answers`);
  const near = new Set(
    boot.node.table.closest(target, BUCKET_PEERS_MAX).map((o) => keyOf(o.id)),
  );
  const any = await asked(world, parts, target);
  const unheard = any.filter(({ id }) =>
    !near.has(keyOf(id)) && silent.some((one) => keyOf(one.id) === keyOf(id))
  );
  assertEquals(unheard, []);
});

Deno.test("a newcomer learns the address it is seen at", async () => {
  await using world = new World(4);
  const { boot, newcomer } = await entrance(world);
  const { response } = await world.run(
    newcomer.peers.ask(boot.node.record(), { type: "ping" }, {}, never),
  );
  assertEquals(
    formatAddress(response.observed),
    formatAddress(newcomer.record.addresses[0]!),
  );
});

function directoryOf(world: World): MemoryDirectory {
  const { clock, random } = world;
  return new MemoryDirectory({ nowMs: () => clock.nowMs(), random });
}

Deno.test("peers heard of are in the directory with what they offer, the entry itself too, and fall out an hour after their last word", async () => {
  await using world = new World(5);
  const directory = directoryOf(world);
  const { boot } = await entrance(world, { directory });
  const [peer] = await meet(world, boot, {
    count: 1,
    capabilities: DHT | STORAGE,
    at: spread(20),
  });
  await meet(world, boot, {
    count: 3,
    at: (n) => ({ ip: `10.0.${n}.1`, port: 4433 }),
  });
  const heardMs = world.clock.nowMs();
  await world.clock.advance(10_000);
  const entries = await directory.sample(9);
  assertEquals(
    entries.map(({ id }) => id).sort(),
    [keyOf(boot.node.id), keyOf(peer!.id)].sort(),
  );
  const entry = entries.find(({ id }) => id === keyOf(peer!.id))!;
  assertEquals(entry.record, peer!.bytes);
  assertEquals(
    [entry.offers, entry.addresses, entry.subnet],
    [["DHT", "STORAGE"], ["20.0.0.1:4433"], "20.0.0.0/24"],
  );
  assertEquals(
    [entry.seenMs, entry.expiresAtMs],
    [heardMs, heardMs + DIRECTORY_TTL_MS],
  );
  await world.clock.advance(DIRECTORY_TTL_MS);
  assertEquals(
    (await directory.sample(9)).map(({ id }) => id),
    [keyOf(boot.node.id)],
  );
});

Deno.test("on one machine private addresses are told of, and no rule on networks applies", async () => {
  await using world = new World(6);
  const directory = directoryOf(world);
  const parts = await entrance(world, { directory, isLocal: true });
  await meet(world, parts.boot, {
    count: 100,
    at: (n) => ({ ip: "127.0.0.1", port: 1_000 + n }),
  });
  await world.clock.advance(10_000);
  assertTrue((await directory.sample(999)).length > 60);
  const told = await asked(world, parts, parts.newcomer.record.id);
  assertEquals(told.length, BUCKET_PEERS_MAX);
});

Deno.test("a directory that is away is tried again, told once, and does not stop the entry", async () => {
  await using world = new World(7);
  const kept = directoryOf(world);
  let isAway = true;
  const directory: Directory = {
    put: (entries) =>
      isAway
        ? Promise.reject(new TesserasError("unreachable", "Cannot write: away"))
        : kept.put(entries),
    sample: (count) => kept.sample(count),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { boot } = await entrance(world, { directory });
  await world.clock.advance(200_000);
  const { counters, log } = boot.runtime;
  assertTrue(counters.get("directory.unwritten") > 5);
  assertTrue("events" in log && Array.isArray(log.events));
  assertEquals(
    log.events.filter(({ event }) => event === "directory.unwritten").length,
    1,
  );
  isAway = false;
  await world.clock.advance(60_000);
  assertEquals((await kept.sample(9)).length, 1);
  assertTrue(counters.get("directory.noted") > 0);
});
