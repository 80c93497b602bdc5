/** What the harness itself must be able to do: kill a process without a trace, and see what is wrong. */
import { MemoryBlobs } from "@tesseras/blobs";
import { SeededRandom, utf8, VirtualClock } from "@tesseras/core";
import { MemoryState } from "@tesseras/state";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { changesSomething, FaultyBlobs, faultyState } from "./faulty.ts";
import { type Fate, fateOf, Life } from "./life.ts";
import { Machines } from "./machines.ts";
import { fragmentOf, putAll, sender } from "./store_story.ts";
import { Tally } from "./tally.ts";

const never = new AbortController().signal;
const VALUE = utf8("value");

/** A process on a disk of its own. */
function living(seed: number, fate: Fate) {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const life = new Life({
    clock,
    random,
    onDeath: () => {},
    onFault: () => {},
  });
  life.arm(fate);
  const [onDisk, lying] = [new MemoryState(), new MemoryBlobs()];
  const state = faultyState(onDisk, life);
  const blobs = new FaultyBlobs(lying, life);
  return { clock, life, onDisk, lying, state, blobs };
}

Deno.test("a process that died before a write leaves nothing of it, and one that died after it leaves all", async () => {
  for (const fault of ["before", "after"] as const) {
    const { clock, life, onDisk, state } = living(1, fateOf({ at: 1, fault }));
    await clock.run(state.putValue("first", VALUE, never));
    await assertRejectsCode(
      clock.run(state.putValue("second", VALUE, never)),
      "cancelled",
    );
    assertTrue(life.isDead);
    assertEquals(await onDisk.value("first", never), VALUE);
    const second = await onDisk.value("second", never);
    assertEquals(second, fault === "after" ? VALUE : undefined);
  }
});

Deno.test("the dead change nothing and hear nothing", async () => {
  const { clock, life, onDisk, lying, state, blobs } = living(
    1,
    fateOf(undefined),
  );
  await using writer = await blobs.create(never);
  await writer.write(VALUE, never);
  life.die();
  await assertRejectsCode(clock.run(writer.commit(never)), "cancelled");
  await assertRejectsCode(state.value("first", never), "cancelled");
  await assertRejectsCode(
    clock.run(state.putValue("first", VALUE, never)),
    "cancelled",
  );
  assertEquals(await onDisk.value("first", never), undefined);
  assertEquals(await Array.fromAsync(lying.list(never)), []);
});

Deno.test("of writes that wait together all persist or none, and with some seeds the one and with some the other", async () => {
  const seen = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const { life, onDisk, state } = living(
      seed,
      fateOf({ at: 2, fault: "before" }),
    );
    const first = state.putValue("a", VALUE, never);
    const writes = [first, state.putValue("b", VALUE, never)];
    await assertRejectsCode(state.value("c", never), "cancelled");
    assertTrue(life.isDead);
    for (const write of writes) await assertRejectsCode(write, "cancelled");
    const names = ["a", "b"].map((name) => onDisk.value(name, never));
    const there = (await Promise.all(names)).filter((one) => one !== undefined);
    seen.add(there.length);
  }
  // The group under way holds the first alone: the second came while it was committed.
  assertEquals([...seen].sort(), [0, 1]);
});

Deno.test("every method of the state is known for what it does", () => {
  const state = new MemoryState();
  const names = [state, state.care].flatMap((one) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(one))
  );
  const reads = names.filter((name) => !changesSomething(name));
  assertEquals(reads.sort(), READS.toSorted());
});

Deno.test("the oracle misses what was acknowledged and is gone, miscounted or wrong", async () => {
  for (const how of ["row", "bytes", "rot"] as const) {
    await using machines = new Machines(1, new Tally());
    const holder = await machines.add("holder", ["store"]);
    const anna = await sender(machines);
    const one = fragmentOf(1, 1, 0);
    await putAll(machines, { from: anna, to: holder }, [one]);
    await machines.oracle.check(holder);
    const blob = one.plan.fragments[0]!;
    if (how === "row") {
      await holder.state.removeFragment(one.plan.hash, 0, never);
    } else if (how === "bytes") await holder.blobs.remove(blob, never);
    else holder.blobs.rot(blob, 5);
    const found = await machines.oracle.check(holder).then(
      () => "nothing",
      (error: unknown) => String(error),
    );
    assertTrue(/acknowledged|on the disk/.test(found), `${how}: ${found}`);
  }
});

/** What only reads, apart from it: a method that is new is put here or begins as the others that change something. */
const READS: readonly string[] = [
  "allPointers",
  "audits",
  "constructor",
  "coverage",
  "dueWatches",
  "filesOf",
  "fragment",
  "fragments",
  "fragmentsOf",
  "fragmentsOfPlan",
  "holdings",
  "ledger",
  "ledgers",
  "ownTombstones",
  "peers",
  "placedPlans",
  "placements",
  "plan",
  "planGoes",
  "plansOf",
  "pointerCount",
  "pointers",
  "publication",
  "publications",
  "references",
  "storedBytes",
  "struck",
  "tessera",
  "tesseras",
  "tesserasByPrefix",
  "tombstone",
  "value",
  "watch",
  "constructor",
];
