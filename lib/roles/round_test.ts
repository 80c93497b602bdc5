import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  hash,
  keyOf,
  keyOfTessera,
  SeededRandom,
  tesseraId,
} from "@tesseras/core";
import { isWithin, placeOf, regionOf, shareOf } from "@tesseras/kad";
import { MemoryState } from "@tesseras/state";
import { Round, savedProgress, saveProgress } from "./round.ts";

const { signal } = new AbortController();
const POW_BITS = 12;

/** A state that keeps something of so many plans for others, and of one for itself. */
async function stateWith(count: number): Promise<MemoryState> {
  const random = new SeededRandom(count);
  const state = new MemoryState();
  for (let i = 0; i <= count; i++) {
    const plan = {
      hash: hash(random.bytes(32)),
      tesseraId: tesseraId(random.bytes(32)),
      bytes: random.bytes(9),
    };
    await state.putPlan(plan, signal);
    await state.putFragment({
      planHash: plan.hash,
      index: 0,
      tesseraId: plan.tesseraId,
      blob: hash(random.bytes(32)),
      bytes: 1,
      owner: i === count ? undefined : random.bytes(20) as never,
      subnet: undefined,
      storedAtMs: 1,
      isRepair: false,
    }, signal);
  }
  return state;
}

Deno.test("a round holds all that is kept for others, in the order in which the keys lie among nodes", async () => {
  const state = await stateWith(1_200);
  const round = await Round.read(state, { powBits: POW_BITS, done: 0 }, signal);
  assertEquals(round.count, 1_200);
  let last = 0, seen = 0;
  while (round.nextKey !== undefined) {
    const key = round.nextKey;
    const region = regionOf(key, { size: 640, powBits: POW_BITS });
    const from = round.nextShare!;
    assertTrue(from >= last);
    assertEquals(from, shareOf(key, POW_BITS));
    const plans = round.take(region, 20);
    assertTrue(plans.length >= 1 && plans.length <= 20);
    for (const planHash of plans) {
      const plan = await state.plan(planHash, signal);
      const place = placeOf(keyOfTessera(plan!.tesseraId), POW_BITS);
      assertTrue(isWithin(region, place));
    }
    seen += plans.length;
    last = from;
  }
  assertEquals([seen, round.count, round.nextShare], [1_200, 0, undefined]);
});

Deno.test("a round goes on where an earlier one had come to", async () => {
  const state = await stateWith(100);
  const read = (done: number) =>
    Round.read(state, { powBits: POW_BITS, done }, signal);
  const whole = await read(0);
  const everywhere = {
    bits: tesseraId(new Uint8Array(32)) as never,
    length: 0,
  };
  const plans = whole.take(everywhere, 100).map(keyOf);
  const half = await read(0.5);
  assertTrue(half.count > 30 && half.count < 70 && half.nextShare! >= 0.5);
  const left = plans.slice(plans.length - half.count);
  assertEquals(half.take(everywhere, 100).map(keyOf), left);
  assertEquals((await read(1)).count, 0);
});

Deno.test("progress is read back, but not from the future, and not when it is none", async () => {
  const state = new MemoryState();
  assertEquals(await savedProgress(state, 9, signal), undefined);
  for (const done of [0, 0.25, 1]) {
    await saveProgress(state, { startedMs: 1_000, done }, signal);
    assertEquals(await savedProgress(state, 1_000, signal), {
      startedMs: 1_000,
      done,
    });
    assertEquals(await savedProgress(state, 999, signal), undefined);
  }
  const setBack = { startedMs: -60_000, done: 0.5 };
  await saveProgress(state, setBack, signal);
  assertEquals((await savedProgress(state, 1_000, signal))?.startedMs, 0);
  await state.putValue("announce.round", new Uint8Array(16).fill(255), signal);
  assertEquals(await savedProgress(state, 1_000, signal), undefined);
  await state.putValue("announce.round", new Uint8Array(3), signal);
  assertEquals(await savedProgress(state, 1_000, signal), undefined);
});
