/** Somebody grinds identities to sit next to the key of a tessera, takes every record brought there and denies it. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { keyOf, keyOfTessera, type TesseraId, tesseraId } from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import { mintNode, type NodeSigner } from "@tesseras/crypto";
import { closer, isWithin, placeOf } from "@tesseras/kad";
import {
  findNodes,
  findProviders,
  type Provider,
  storeProviders,
  Sweep,
} from "@tesseras/node";
import {
  CAPABILITIES,
  type Providers,
  signProviderRecord,
} from "@tesseras/wire";
import { type Inhabitant, never, type Rogue, World } from "./world.ts";

const HONEST = 60;
/** Zero bits of a censor's id: eight for the work that everybody does, eight to lie next to a key of zeros. */
const GROUND_BITS = 16;

/** A tessera whose key is all zeros, so that grinding towards it is the same as more work. */
function victim(world: World): TesseraId {
  const id = world.random.bytes(32);
  id.fill(0, 0, 20);
  return tesseraId(id);
}

function ground(world: World): Promise<NodeSigner> {
  const { clock } = world;
  return world.run(
    mintNode(
      world.random.bytes(32),
      { powBits: GROUND_BITS, clock },
      never,
    ),
  );
}

type Entries = Providers["providers"];

/** Twenty next to the key that are known to all, name each other alone, keep nothing and say they do. */
async function censor(
  world: World,
  invent: (skip: number) => Entries = () => [],
): Promise<readonly Rogue[]> {
  const sybils: Rogue[] = [];
  const records = () => sybils.map(({ record }) => record.bytes);
  for (let i = 0; i < BUCKET_PEERS_MAX; i++) {
    const sybil = await world.rogue(
      (from, request) => {
        const others = records().filter((_, at) =>
          keyOf(sybils[at]!.record.id) !== keyOf(from.id)
        );
        switch (request.type) {
          case "find_node":
            return Promise.resolve({
              response: { type: "nodes", records: others },
            });
          case "find_value":
            return Promise.resolve({
              response: {
                type: "providers",
                providers: invent(request.skip),
                more: 1_000,
                nodes: others,
              },
            });
          default:
            return Promise.resolve({
              response: { type: "stored", accepted: 1, refused: 0 },
            });
        }
      },
      CAPABILITIES.DHT,
      await ground(world),
    );
    sybils.push(sybil);
    for (const { node } of world.living) {
      await world.run(
        sybil.peers.ask(
          node.record(),
          { type: "find_node", target: node.id, want: 0 },
          {},
          never,
        ),
      );
    }
  }
  return sybils;
}

function providerOf(
  world: World,
  holder: Inhabitant,
  id: TesseraId,
): Provider {
  const nowMs = world.clock.nowMs();
  const record = signProviderRecord({
    tesseraId: id,
    planHash: id,
    indices: [0],
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, holder.node.identity);
  return { record, holder: holder.node.record() };
}

/** How many of five askers find a record of the key, stored by one of sixty while twenty censors sit next to it. */
async function found(seed: number, regionAware: boolean): Promise<number> {
  const world = new World(seed);
  await using _world = world;
  await world.grow(HONEST, ["dht"], { node: { regionAware } });
  const sybils = await censor(world);
  const id = victim(world);
  const key = keyOfTessera(id);
  const [publisher, ...askers] = world.living.slice(-6);
  const nearest = await world.run(
    findNodes(
      askers[0]!.node,
      key,
      { want: CAPABILITIES.DHT, isThorough: true },
      never,
    ),
  );
  const theirs = new Set(sybils.map(({ record }) => keyOf(record.id)));
  assertTrue(
    nearest.closest.filter((peer) => theirs.has(keyOf(peer.id))).length > 17,
  );
  const given = providerOf(world, publisher!, id);
  await world.run(storeProviders(publisher!.node, id, [given], never));
  let count = 0;
  for (const { node } of askers) {
    const providers = await world.run(findProviders(node, id, never));
    if (providers.length > 0) count++;
    if (regionAware) {
      assertTrue(node.runtime.counters.get("region.crowded") > 0);
    }
  }
  return count;
}

// Some 2,000 handshakes in each network: longer than three seconds.
Deno.test("twenty ground next to a key deny its records to everybody who trusts the nearest, and to nobody who asks its region", async () => {
  assertEquals(await found(1, false), 0);
  assertEquals(await found(1, true), 5);
});

Deno.test("a sweep finds the keepers behind the censors, too", async () => {
  const world = new World(2);
  await using _world = world;
  await world.grow(HONEST, ["dht"]);
  await censor(world);
  const [publisher, asker] = world.living.slice(-2);
  const ids = [victim(world), victim(world), victim(world)];
  const sweep = new Sweep(publisher!.node);
  const region = await world.run(
    sweep.regionAt(keyOfTessera(ids[0]!), never),
  );
  // Others of the same region, so that a look at it is worth it.
  while (ids.length < 12) {
    const id = tesseraId(world.random.bytes(32));
    const place = placeOf(keyOfTessera(id), publisher!.node.powBits);
    if (isWithin(region, place)) ids.push(id);
  }
  const given = ids.map((id) => providerOf(world, publisher!, id));
  assertEquals(await world.run(sweep.store(region, given, never)), []);
  for (const id of ids) {
    const providers = await world.run(findProviders(asker!.node, id, never));
    assertEquals(providers.length, 1);
  }
  const keepers = [];
  for (const { node, state } of world.living) {
    const rows = await state.pointers(ids[0]!, never);
    if (rows.length > 0) keepers.push(node.id);
  }
  assertTrue(keepers.length >= 15, `${keepers.length} honest keepers`);
  const key = keyOfTessera(ids[0]!);
  const sorted = world.living.map(({ node }) => node.id)
    .filter((id) => keyOf(id) !== keyOf(publisher!.node.id))
    .sort((a, b) => closer(key, a, b));
  const kept = new Set(keepers.map(keyOf));
  const near = sorted.slice(0, 10).filter((one) => kept.has(keyOf(one)));
  assertTrue(near.length >= 9, `${near.length} of the 10 nearest honest`);
});

Deno.test("censors that invent providers without end are heard to their share, and bury nobody", async () => {
  const world = new World(3);
  await using _world = world;
  await world.grow(HONEST, ["dht"]);
  const id = victim(world);
  const liar = await world.identity();
  const holder = world.recordOf(liar, [{ ip: "12.0.0.1", port: 4433 }]).bytes;
  const nowMs = world.clock.nowMs();
  const made = Array.from({ length: 400 }, () =>
    signProviderRecord({
      tesseraId: id,
      planHash: tesseraId(world.random.bytes(32)),
      indices: [0],
      sequence: nowMs,
      expiresAtMs: nowMs + 3_600_000,
    }, liar)).map(({ bytes }) => ({ record: bytes, holder }));
  let at = 0;
  await censor(world, () => {
    at = (at + 20) % made.length;
    return made.slice(at, at + 20);
  });
  const [publisher, asker] = world.living.slice(-2);
  const given = providerOf(world, publisher!, id);
  await world.run(storeProviders(publisher!.node, id, [given], never));
  const found = await world.run(findProviders(asker!.node, id, never));
  const theirs = found.filter(({ record }) =>
    keyOf(record.holder) === keyOf(liar.id)
  );
  assertTrue(theirs.length > 100, `${theirs.length} inventions heard`);
  assertEquals(found.length - theirs.length, 1);
  assertTrue(asker!.runtime.counters.get("rpc.asked") < 3_000);
});
