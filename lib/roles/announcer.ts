/** A holder's word on what it keeps: signed when asked for, and told to the DHT soon after something came and every hour. */
import {
  codeOf,
  equal,
  type Hash,
  keyOf,
  mapBounded,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import { POINTER_TTL_MS, REPUBLISH_MS } from "@tesseras/core/limits";
import { type Node, storeProviders } from "@tesseras/node";
import type { FragmentKey, State } from "@tesseras/state";
import { type ProviderRecord, signProviderRecord } from "@tesseras/wire";
import { Sequence } from "./sequence.ts";

/** How a holder announces. */
export type AnnouncerOptions = {
  readonly state: State;
  /** How often every holding is announced again (user guide, `republish_interval_secs`). */
  readonly announceMs?: number;
  /** How long an announcement is good for (user guide, `pointer_ttl_secs`). */
  readonly pointerTtlMs?: number;
  /** Plans waiting to be announced; beyond, the hourly round announces them. */
  readonly queueMax?: number;
};

/** How soon after the last fragment of a burst the holder announces itself. */
const ANNOUNCE_AFTER_MS = 20_000;
/** How long a burst that does not end may put that off. */
const ANNOUNCE_AT_LAST_MS = 6 * ANNOUNCE_AFTER_MS;
/** How long to wait when nobody took an announcement: we are cut off, and asking harder would not help. */
const UNHEARD_PAUSE_MS = 5 * 60_000;
/** See {@link AnnouncerOptions.queueMax}; about 1 MB. */
const QUEUE_MAX = 10_000;
/** Plans announced at once. */
const ANNOUNCE_PARALLEL = 3;
/** Rows of one page when all fragments are walked. */
const PAGE_ROWS = 500;

/** Signs for what is kept here, and tells the DHT. */
export class Announcer {
  readonly #node: Node;
  readonly #options: Required<AnnouncerOptions>;
  readonly #sequence: Sequence;
  /** Plans to announce, the one queued first in front. */
  readonly #queue = new Map<string, Hash>();
  #queuedFirstMs = 0;
  #queuedLastMs = 0;
  #pausedUntilMs = 0;

  constructor(node: Node, options: AnnouncerOptions) {
    this.#node = node;
    this.#options = {
      announceMs: REPUBLISH_MS,
      pointerTtlMs: POINTER_TTL_MS,
      queueMax: QUEUE_MAX,
      ...options,
    };
    this.#sequence = new Sequence(options.state, node.runtime.clock);
  }

  /**
   * Our signed word on every fragment of a plan that is kept here.
   *
   * @throws `absent` when there is none
   */
  async record(planHash: Hash, signal: AbortSignal): Promise<ProviderRecord> {
    const record = await this.#sign(planHash, signal);
    if (record !== undefined) return record;
    throw new TesserasError("absent", "Cannot sign for a plan not kept here");
  }

  /** Has a plan announced soon. */
  queue(planHash: Hash): void {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    if (this.#queue.size === 0) this.#queuedFirstMs = nowMs;
    this.#queuedLastMs = nowMs;
    this.#enqueue(planHash);
  }

  /** Announces what is queued, and everything now and then, until the signal aborts. */
  async runForever(signal: AbortSignal): Promise<void> {
    const { clock, random, counters, log } = this.#node.runtime;
    const { announceMs } = this.#options;
    // A tenth sooner or later each time, so that a cluster which started together does not announce together.
    const pause = (): number =>
      0.9 * announceMs + random.below(Math.max(1, Math.floor(announceMs / 5)));
    let nextRoundMs = clock.monotonicMs() + pause();
    for (;;) {
      await clock.sleep(ANNOUNCE_AFTER_MS / 4, signal);
      const isRound = clock.monotonicMs() >= nextRoundMs;
      if (isRound) nextRoundMs = clock.monotonicMs() + pause();
      try {
        if (isRound) await this.#announceAll(signal);
        if (this.#isDue()) await this.#announceQueued(signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        // A database that is busy now is not busy for ever; a holder that stops over it would be forgotten.
        counters.add("announce.round_failed");
        log.warn("announce.round_failed", { reason: messageOf(error) });
      }
    }
  }

  async #sign(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<ProviderRecord | undefined> {
    const { state, pointerTtlMs } = this.#options;
    const plan = await state.plan(planHash, signal);
    if (plan === undefined) return undefined;
    const sequence = await this.#sequence.next(signal);
    // Read after the number was drawn: so a higher number never leaves out what a lower one was signed for.
    const rows = await state.fragmentsOf(plan.tesseraId, signal);
    const indices = rows.filter((row) => equal(row.planHash, planHash))
      .map(({ index }) => index).sort((a, b) => a - b);
    if (indices.length === 0) return undefined;
    return signProviderRecord({
      tesseraId: plan.tesseraId,
      planHash,
      indices,
      sequence,
      expiresAtMs: sequence + pointerTtlMs,
    }, this.#node.identity);
  }

  #enqueue(planHash: Hash): void {
    const key = keyOf(planHash);
    if (
      this.#queue.size >= this.#options.queueMax && !this.#queue.has(key)
    ) return this.#node.runtime.counters.add("announce.queue_full");
    this.#queue.set(key, planHash);
  }

  #isDue(): boolean {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    if (this.#queue.size === 0 || nowMs < this.#pausedUntilMs) return false;
    return nowMs - this.#queuedLastMs >= ANNOUNCE_AFTER_MS ||
      nowMs - this.#queuedFirstMs >= ANNOUNCE_AT_LAST_MS;
  }

  /** Page by page, so that memory does not grow with what is kept; what came meanwhile does not wait for the end. */
  async #announceAll(signal: AbortSignal): Promise<void> {
    let after: FragmentKey | undefined;
    for (;;) {
      const { state } = this.#options;
      const rows = await state.fragments(after, PAGE_ROWS, signal);
      const plans = new Map<string, Hash>();
      for (const { planHash, owner } of rows) {
        // Rows come by plan, so one page may end and the next begin with the same.
        const isDone = after !== undefined && equal(after.planHash, planHash);
        if (owner !== undefined && !isDone) {
          plans.set(keyOf(planHash), planHash);
        }
      }
      await this.#announce([...plans.values()], signal);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = { planHash: last.planHash, index: last.index };
      if (this.#isDue()) await this.#announceQueued(signal);
    }
  }

  async #announceQueued(signal: AbortSignal): Promise<void> {
    const plans = [...this.#queue.values()];
    this.#queue.clear();
    await this.#announce(plans, signal);
  }

  async #announce(plans: readonly Hash[], signal: AbortSignal): Promise<void> {
    await mapBounded(
      plans,
      ANNOUNCE_PARALLEL,
      (planHash, laneSignal) => this.#announceOne(planHash, laneSignal),
      signal,
    );
  }

  async #announceOne(planHash: Hash, signal: AbortSignal): Promise<void> {
    const { counters, clock } = this.#node.runtime;
    if (clock.monotonicMs() < this.#pausedUntilMs) {
      return this.#enqueue(planHash);
    }
    try {
      const record = await this.#sign(planHash, signal);
      if (record === undefined) return;
      const holder = this.#node.record();
      const { keeperCount } = await storeProviders(
        this.#node,
        record.tesseraId,
        [{ record, holder }],
        signal,
      );
      if (keeperCount > 0) return counters.add("announce.done");
      counters.add("announce.unheard");
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("announce.failed");
    }
    this.#pausedUntilMs = clock.monotonicMs() + UNHEARD_PAUSE_MS;
    this.#enqueue(planHash);
  }
}
