import { assertEquals, assertTrue } from "@tesseras/testing";
import { hash, keyOfTessera, nodeId, tesseraId } from "@tesseras/core";
import { shareOf } from "@tesseras/kad";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import type { State } from "@tesseras/state";
import { Announcer } from "./announcer.ts";
import { proofHandlers } from "./proofs.ts";

const HOUR_MS = 3_600_000;

/** Has a node keep something of so many plans; gives where their keys lie, 0 to 1. */
async function hold(
  world: World,
  { state, node }: Inhabitant,
  count: number,
): Promise<readonly number[]> {
  const shares: number[] = [];
  for (let i = 0; i < count; i++) {
    const plan = {
      hash: hash(world.random.bytes(32)),
      tesseraId: tesseraId(world.random.bytes(32)),
      bytes: world.random.bytes(9),
    };
    await state.putPlan(plan, never);
    await state.putFragment({
      planHash: plan.hash,
      index: 0,
      tesseraId: plan.tesseraId,
      blob: hash(world.random.bytes(32)),
      bytes: 1,
      owner: nodeId(world.random.bytes(20)),
      subnet: undefined,
      storedAtMs: 1,
      isRepair: false,
    }, never);
    shares.push(shareOf(keyOfTessera(plan.tesseraId), node.powBits));
  }
  return shares;
}

function announce({ node, state }: Inhabitant): void {
  const announcer = new Announcer(node, { state });
  node.spawn((signal) => announcer.runForever(signal));
}

const doneBy = ({ runtime }: Inhabitant) =>
  runtime.counters.get("announce.done");

// Some hundreds of handshakes and thousands of records: longer than three seconds.
Deno.test("a round is spread over the hour, and one broken off goes on where it was", async () => {
  const world = new World(1);
  await using _world = world;
  await world.grow(60, ["dht"]);
  const [holder] = await world.grow(1, []);
  const shares = await hold(world, holder!, 80);
  announce(holder!);
  // The first begins within a tenth of an hour from the end of the first hour.
  await world.clock.advance(1.2 * HOUR_MS);
  const early = doneBy(holder!);
  const half = shares.filter((share) => share < 0.5).length;
  assertTrue(early > 0 && early < 60, `${early} of 80 in the first part`);
  const lookups = holder!.runtime.counters.get("lookup.done");
  assertTrue(lookups < 40, `${lookups} lookups`);
  const { state } = holder!;
  const bytes = await state.value("announce.round", never);
  assertTrue(bytes !== undefined);
  const back = await world.restart(holder!, []);
  await world.run(
    back.node.ping(world.living[0]!.node.record(), never),
  );
  announce(back);
  await world.clock.advance(0.75 * HOUR_MS);
  assertEquals(early + doneBy(back), 80, `${half} in the first half`);
  assertEquals(back.runtime.counters.get("announce.unheard"), 0);
});

Deno.test("what was missed over night is made up for in part after part, not at once", async () => {
  const world = new World(2);
  await using _world = world;
  await world.grow(60, ["dht"]);
  const [holder] = await world.grow(1, []);
  await hold(world, holder!, 60);
  announce(holder!);
  await world.clock.advance(1.2 * HOUR_MS);
  const early = doneBy(holder!);
  assertTrue(early > 0 && early < 60);
  world.crash(holder!);
  await world.clock.advance(9 * HOUR_MS);
  const back = await world.restart(holder!, []);
  await world.run(
    back.node.ping(world.living[0]!.node.record(), never),
  );
  announce(back);
  await world.clock.advance(0.2 * HOUR_MS);
  // The rest of the broken round; the next begins where the night ended, at its own pace.
  assertTrue(doneBy(back) >= 60 - early, `${doneBy(back)} since`);
  await world.clock.advance(1.1 * HOUR_MS);
  assertTrue(doneBy(back) >= 120 - early, `${doneBy(back)} since`);
});

Deno.test("cut off, a holder asks no harder, and says it all when somebody hears", async () => {
  const world = new World(3);
  await using _world = world;
  const alone = await world.add([]);
  await hold(world, alone, 30);
  announce(alone);
  await world.clock.advance(3 * HOUR_MS);
  const { counters } = alone.runtime;
  assertEquals(doneBy(alone), 0);
  assertTrue(counters.get("announce.unheard") >= 30);
  assertTrue(counters.get("region.explored") <= 3 * 12);
  const dht = await world.add(["dht"]);
  await world.run(dht.node.ping(alone.node.record(), never));
  await world.clock.advance(0.2 * HOUR_MS);
  assertTrue(doneBy(alone) >= 30, `${doneBy(alone)} of 30`);
  assertEquals(await dht.state.pointerCount(never), 30);
});

Deno.test("what no keeper takes is brought again after a while, not every few seconds", async () => {
  const world = new World(4);
  await using _world = world;
  const bounds = { perHolderMax: 5 };
  const keeper = await world.add(["dht"], { dht: { bounds } });
  const holder = await world.add([]);
  await world.run(holder.node.ping(keeper.node.record(), never));
  await hold(world, holder, 30);
  announce(holder);
  await world.clock.advance(3 * HOUR_MS);
  const { counters } = holder.runtime;
  assertTrue(doneBy(holder) >= 5);
  assertEquals(await keeper.state.pointerCount(never), 5);
  // Two rounds, and what they left over every five minutes.
  const unheard = counters.get("announce.unheard");
  assertTrue(unheard >= 25 && unheard <= 30 * 40, `${unheard} times unheard`);
});

/** A state that counts the rows it gives. */
function counting(state: State): { readonly state: State; rowCount: number } {
  const counted = {
    state: new Proxy(state, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return async (...args: unknown[]) => {
          const result: unknown = await method.apply(target, args);
          counted.rowCount += Array.isArray(result) ? result.length : 1;
          return result;
        };
      },
    }),
    rowCount: 0,
  };
  return counted;
}

Deno.test("a word on one plan costs the same rows, however many plans were signed for its tessera", async () => {
  const world = new World(5);
  await using _world = world;
  const holder = await world.add([]);
  const id = tesseraId(world.random.bytes(32));
  const put = async (count: number) => {
    const plan = {
      hash: hash(world.random.bytes(32)),
      tesseraId: id,
      bytes: world.random.bytes(9),
    };
    for (let index = 0; index < count; index++) {
      await holder.state.keepFragment(plan, {
        planHash: plan.hash,
        index,
        tesseraId: id,
        blob: hash(world.random.bytes(32)),
        bytes: 1,
        owner: nodeId(world.random.bytes(20)),
        subnet: undefined,
        storedAtMs: 1,
        isRepair: false,
      }, never);
    }
    return plan;
  };
  const plan = await put(3);
  const counted = counting(holder.state);
  const { state } = counted;
  const { attest } = proofHandlers({
    node: holder.node,
    state,
    blobs: holder.blobs,
    announcer: new Announcer(holder.node, { state }),
    isWhole: () => Promise.resolve(true),
    lost: () => Promise.resolve(),
  });
  const cost = async () => {
    counted.rowCount = 0;
    const from = holder.node.record();
    const request = { type: "attest", plan: plan.hash } as const;
    const { response } = await attest(from, request, undefined, never);
    assertEquals(response.type, "kept");
    return counted.rowCount;
  };
  await cost();
  const before = await cost();
  for (let junk = 0; junk < 10_000; junk++) await put(1);
  assertEquals(await cost(), before);
  // The plan, its fragments, and each of them by itself.
  assertEquals(before, 1 + 3 + 3);
});
