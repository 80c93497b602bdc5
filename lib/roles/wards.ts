/** What there is to care for: found again and again, for it comes and goes without a word to whoever cares. */
import { type Hash, keyOf, keyOfTessera } from "@tesseras/core";
import type { Node } from "@tesseras/node";
import { lookAtMs, roundAt } from "@tesseras/preservation";
import type { Holding, State } from "@tesseras/state";
import type { Tempo } from "./tempo.ts";

/** What is remembered of a plan between two looks, beside what is written down. */
export type Ward = {
  /** The last round in which we looked at all of it; `undefined` since the start. */
  round: number | undefined;
  /** How many live holders came before us then. */
  place: number;
};

/** What {@link Wards} works with. */
export type WardParts = {
  readonly node: Node;
  readonly state: State;
  readonly tempo: Tempo;
};

/** Rows of one page when all holdings are walked. */
const PAGE_ROWS = 500;
/** In how many intervals a placement that was lost is forgotten. */
const FORGET_INTERVALS = 30;

/** The plans a node cares for: of which it keeps something, and which it has published. */
export class Wards {
  readonly #parts: WardParts;
  readonly #byPlan = new Map<string, Ward>();

  constructor(parts: WardParts) {
    this.#parts = parts;
  }

  /** What is remembered of a plan. */
  of(planHash: Hash): Ward {
    const key = keyOf(planHash);
    const ward = this.#byPlan.get(key) ?? { round: undefined, place: 0 };
    this.#byPlan.set(key, ward);
    return ward;
  }

  /** Finds what is new, forgets what is gone, and who lost something long ago. @throws as the state */
  async walk(signal: AbortSignal): Promise<void> {
    const { node, state, tempo: { pace } } = this.#parts;
    const seen = new Set<string>();
    let after: Holding | undefined;
    for (;;) {
      const page = await state.holdings(after, PAGE_ROWS, signal);
      for (const holding of page) seen.add(await this.#adopt(holding, signal));
      after = page.at(-1);
      if (after === undefined) break;
    }
    for (const row of await state.publications(signal)) {
      // What has not been handed out yet is the publisher's to place.
      if (row.state === "publishing") continue;
      seen.add(await this.#adopt(row, signal));
    }
    for (const key of this.#byPlan.keys()) {
      if (!seen.has(key)) this.#byPlan.delete(key);
    }
    const nowMs = node.runtime.clock.nowMs();
    const beforeMs = nowMs - FORGET_INTERVALS * pace.intervalMs;
    await state.care.expirePlacements(Math.max(0, beforeMs), signal);
    await state.care.expireStruck(Math.max(0, beforeMs), signal);
  }

  /** Begins to care for a plan, with the next round. @returns its key */
  async #adopt(
    { tesseraId, planHash }: Holding,
    signal: AbortSignal,
  ): Promise<string> {
    const key = keyOf(planHash);
    if (this.#byPlan.has(key)) return key;
    const { node, state, tempo: { pace } } = this.#parts;
    const { clock, random } = node.runtime;
    if (await state.care.watch(planHash, signal) === undefined) {
      const nowMs = clock.nowMs();
      const place = keyOfTessera(tesseraId);
      const round = roundAt(place, nowMs, pace) + 1;
      await state.care.putWatch({
        planHash,
        dueAtMs: lookAtMs(place, round, { random, pace }),
        state: "idle",
        sinceMs: nowMs,
        attempts: 0,
        detail: "",
        watchedSinceMs: nowMs,
      }, signal);
    }
    this.of(planHash);
    return key;
  }
}
