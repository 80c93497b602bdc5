/** Worlds whose holders look after what they keep, with days as short as a test needs them. */
import { keyOf, type Random, TesserasError } from "@tesseras/core";
import { Budget, fetch, publish } from "@tesseras/node";
import { nobleMlDsa } from "@tesseras/crypto";
import { Caretaker, type Tempo, tempoOf } from "@tesseras/roles";
import type { State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import { type Inhabitant, never, type World } from "./world.ts";

/** Half an hour for a day, so that weeks pass before pointers run out. */
export const DAY_MS = 30 * 60_000;

/** A quick day whose holders forgive silence for a day and a half, however calm it is. */
export function quickTempo(): Tempo {
  const tempo = tempoOf({ intervalMs: DAY_MS, jitterMs: DAY_MS / 12 });
  const { patience } = tempo;
  return {
    ...tempo,
    patience: { ...patience, calmGraceMs: patience.graceMs },
    tickMs: DAY_MS / 240,
  };
}

/** Lets a node look after what it keeps. */
export function care(one: Inhabitant, state: State = one.state): void {
  const tempo = quickTempo();
  const { node, blobs, archive, runtime } = one;
  const budget = new Budget(64 * 1024 * 1024, runtime.clock);
  const parts = { node, state, blobs, archive, budget, subnetLimit: 2, tempo };
  const caretaker = new Caretaker(parts);
  node.spawn((signal) => caretaker.runForever(signal));
}

/** A state that is busy at one call of ten, before or after it did what was asked. */
export function busyNowAndThen<T extends object>(of: T, random: Random): T {
  return new Proxy(of, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "care") return busyNowAndThen(value as object, random);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        const lot = random.below(20);
        const busy = new TesserasError("overloaded", "Cannot do it: busy");
        if (lot === 0) throw busy;
        const result: unknown = await Reflect.apply(value, target, args);
        if (lot === 1) throw busy;
        return result;
      };
    },
  });
}

/** Publishes from an inhabitant. */
export function publishAt(at: Inhabitant, plan: Plan) {
  const { node, archive, state } = at;
  const parts = { node, archive, state, subnetLimit: 2 };
  return publish(parts, plan, () => {}, never);
}

/** Fetches at an inhabitant. */
export function fetchAt(at: Inhabitant, id: Plan["tesseraId"]) {
  const { node, archive, blobs } = at;
  const parts = { node, archive, blobs, suite: nobleMlDsa };
  return fetch(parts, id, () => {}, never);
}

/** Which fragments of a plan each living inhabitant has, by their own disks and not by anybody's word. */
export async function keptBy(
  world: World,
  plan: Plan,
): Promise<Map<Inhabitant, number[]>> {
  const kept = new Map<Inhabitant, number[]>();
  for (const one of world.living) {
    const rows = (await one.state.fragmentsOf(plan.tesseraId, never))
      .filter((row) =>
        keyOf(row.planHash) === keyOf(plan.hash) && row.owner !== undefined
      );
    if (rows.length > 0) kept.set(one, rows.map(({ index }) => index));
  }
  return kept;
}

/** Distinct fragments that live, without those of some. */
export async function aliveCount(
  world: World,
  plan: Plan,
  without: ReadonlySet<Inhabitant> = new Set(),
): Promise<number> {
  const kept = await keptBy(world, plan);
  for (const one of without) kept.delete(one);
  return new Set([...kept.values()].flat()).size;
}

/** Copies of fragments that live, those counted that lie twice. */
export async function copyCount(world: World, plan: Plan): Promise<number> {
  return [...(await keptBy(world, plan)).values()].flat().length;
}

/** Moves time in steps of an hour of the quick day until a condition holds, or so many days have passed. @returns whether it holds */
export async function until(
  world: World,
  days: number,
  holds: () => Promise<boolean>,
): Promise<boolean> {
  for (let hour = 0; hour < 24 * days; hour++) {
    if (await holds()) return true;
    await world.clock.advance(DAY_MS / 24);
  }
  return await holds();
}

/** What all that live have counted, by name. */
export function counted(
  world: World,
  name: Parameters<Inhabitant["runtime"]["counters"]["get"]>[0],
): number {
  return world.inhabitants.reduce(
    (sum, { runtime }) => sum + runtime.counters.get(name),
    0,
  );
}
