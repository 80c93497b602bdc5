/** A holder's word on what it keeps: signed when asked for, told to the DHT soon after something came, and again in rounds of an hour. */
import {
  codeOf,
  type Hash,
  keyOf,
  keyOfTessera,
  mapBounded,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import { POINTER_TTL_MS, REPUBLISH_MS } from "@tesseras/core/limits";
import { isWithin, placeOf, shareOf } from "@tesseras/kad";
import { type Node, type Provider, Sweep } from "@tesseras/node";
import type { Holding, State } from "@tesseras/state";
import { type ProviderRecord, signProviderRecord } from "@tesseras/wire";
import { Round, savedProgress, saveProgress } from "./round.ts";
import { Sequence } from "./sequence.ts";

/** How a holder announces. */
export type AnnouncerOptions = {
  readonly state: State;
  /** How often every holding is announced again (user guide, `republish_interval_secs`). */
  readonly announceMs?: number;
  /** How long an announcement is good for (user guide, `pointer_ttl_secs`). */
  readonly pointerTtlMs?: number;
  /** Plans waiting to be announced; beyond, the next round announces them. */
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
/** Plans signed for and announced together: about 1 KB each, and as many as a region of a network of 5,000 has of 100,000 keys. */
const BATCH_MAX = 1_000;
/** Plans signed for at once, mostly waiting for the state. */
const SIGN_PARALLEL = 3;
/** How much faster than its pace a round that is behind may go: what was missed over night is said within ten minutes, not in one burst. */
const CATCH_UP = 6;

/** Signs for what is kept here, and tells the DHT. */
export class Announcer {
  readonly #node: Node;
  readonly #options: Required<AnnouncerOptions>;
  readonly #sequence: Sequence;
  readonly #sweep: Sweep;
  /** Plans to announce, the one queued first in front. */
  readonly #queue = new Map<string, Hash>();
  #queuedFirstMs = 0;
  #queuedLastMs = 0;
  #pausedUntilMs = 0;
  /** The round under way. */
  #round: Round | undefined;
  /** When it began, or the next begins; `undefined` before the state was asked how far the last one came. Monotonic. */
  #roundMs: number | undefined;
  /** No part of a round before this, however far behind it is. */
  #notBeforeMs = 0;

  constructor(node: Node, options: AnnouncerOptions) {
    this.#node = node;
    this.#options = {
      announceMs: REPUBLISH_MS,
      pointerTtlMs: POINTER_TTL_MS,
      queueMax: QUEUE_MAX,
      ...options,
    };
    this.#sequence = new Sequence(options.state, node.runtime.clock);
    this.#sweep = new Sweep(node);
  }

  /**
   * Our signed word on every fragment of a plan that is kept here.
   *
   * @throws `absent` when there is none
   */
  async record(plan: Holding, signal: AbortSignal): Promise<ProviderRecord> {
    const record = await this.#signFor(plan, signal);
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

  /** Announces what is queued, and everything in rounds, until the signal aborts. */
  async runForever(signal: AbortSignal): Promise<void> {
    const { clock, counters, log } = this.#node.runtime;
    for (;;) {
      await clock.sleep(ANNOUNCE_AFTER_MS / 4, signal);
      try {
        await this.#goRound(signal);
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
    const plan = await this.#options.state.plan(planHash, signal);
    if (plan === undefined) return undefined;
    return await this.#signFor({ ...plan, planHash }, signal);
  }

  async #signFor(
    { planHash, tesseraId }: Holding,
    signal: AbortSignal,
  ): Promise<ProviderRecord | undefined> {
    const { state, pointerTtlMs } = this.#options;
    const sequence = await this.#sequence.next(signal);
    // Read after the number was drawn: so a higher number never leaves out what a lower one was signed for.
    const rows = await state.fragmentsOfPlan(planHash, signal);
    const indices = rows.map(({ index }) => index);
    if (indices.length === 0) return undefined;
    return signProviderRecord({
      tesseraId,
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

  /**
   * Announces what of the round is due: a key's time is its place in the space, so that a round is spread over the hour and
   * neighbours go together. What came meanwhile does not wait for the end.
   */
  async #goRound(signal: AbortSignal): Promise<void> {
    const { clock } = this.#node.runtime;
    const { state, announceMs } = this.#options;
    const round = await this.#begun(signal);
    if (round === undefined) return;
    while (this.#isNextDue(round)) {
      const from = round.nextShare ?? 1;
      const region = await this.#sweep.regionAt(round.nextKey!, signal);
      await this.#announce(round.take(region, BATCH_MAX), signal);
      const done = round.nextShare ?? 1;
      this.#notBeforeMs = clock.monotonicMs() +
        (done - from) * announceMs / CATCH_UP;
      await saveProgress(state, { startedMs: this.#startedMs(), done }, signal);
      if (this.#isDue()) await this.#announceQueued(signal);
    }
    if (round.count > 0) return;
    this.#round = undefined;
    this.#roundMs = this.#roundMs! + this.#pause();
  }

  /** The round under way, also one that a stop broke off; `undefined` between two. */
  async #begun(signal: AbortSignal): Promise<Round | undefined> {
    const { clock } = this.#node.runtime;
    const { state } = this.#options;
    const { powBits } = this.#node;
    if (this.#round !== undefined) return this.#round;
    if (this.#roundMs === undefined) {
      const nowMs = clock.nowMs();
      const saved = await savedProgress(state, nowMs, signal);
      const sinceMs = saved === undefined ? 0 : nowMs - saved.startedMs;
      const startedMs = clock.monotonicMs() - sinceMs;
      if (saved !== undefined && saved.done < 1) {
        const { done } = saved;
        const rest = await Round.read(state, { powBits, done }, signal);
        this.#roundMs = startedMs;
        return this.#round = rest;
      }
      this.#roundMs = startedMs + this.#pause();
    }
    if (clock.monotonicMs() < this.#roundMs) return undefined;
    const round = await Round.read(state, { powBits, done: 0 }, signal);
    // A round that should have begun while we slept begins now.
    this.#roundMs = clock.monotonicMs();
    const startedMs = this.#startedMs();
    await saveProgress(state, { startedMs, done: 0 }, signal);
    return this.#round = round;
  }

  /** A tenth sooner or later each time, so that a cluster which started together does not announce together. */
  #pause(): number {
    const { announceMs } = this.#options;
    const { random } = this.#node.runtime;
    return 0.9 * announceMs +
      random.below(Math.max(1, Math.floor(announceMs / 5)));
  }

  #startedMs(): number {
    const { clock } = this.#node.runtime;
    return clock.nowMs() - (clock.monotonicMs() - this.#roundMs!);
  }

  #isNextDue(round: Round): boolean {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    const share = round.nextShare;
    if (share === undefined || nowMs < this.#pausedUntilMs) return false;
    return nowMs >= this.#notBeforeMs &&
      nowMs >= this.#roundMs! + share * this.#options.announceMs;
  }

  async #announceQueued(signal: AbortSignal): Promise<void> {
    const plans = [...this.#queue.values()].slice(0, BATCH_MAX);
    for (const planHash of plans) this.#queue.delete(keyOf(planHash));
    await this.#announce(plans, signal);
  }

  /** Signs for plans and tells the DHT, region by region. Whatever goes wrong, what was not heard waits in the queue. */
  async #announce(plans: readonly Hash[], signal: AbortSignal): Promise<void> {
    const { counters } = this.#node.runtime;
    let unheard = plans;
    try {
      let rest = await this.#signAll(plans, signal);
      unheard = rest.map(planOf);
      while (rest.length > 0 && !this.#isPaused()) {
        const region = await this.#sweep.regionAt(keyFor(rest[0]!), signal);
        const end = rest.findIndex((one) =>
          !isWithin(region, placeOf(keyFor(one), this.#node.powBits))
        );
        const group = end < 0 ? rest : rest.slice(0, Math.max(1, end));
        rest = rest.slice(group.length);
        const missed = await this.#sweep.store(region, group, signal);
        unheard = rest.map(planOf);
        counters.add("announce.done", group.length - missed.length);
        counters.add("announce.unheard", missed.length);
        if (missed.length === group.length) this.#rest();
        for (const { record } of missed) this.#enqueue(record.planHash);
      }
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("announce.failed");
      this.#rest();
    }
    for (const planHash of unheard) this.#enqueue(planHash);
  }

  /** Our word on each plan that is still here, in the order in which the keys lie among nodes. */
  async #signAll(
    plans: readonly Hash[],
    signal: AbortSignal,
  ): Promise<readonly Provider[]> {
    const holder = this.#node.record();
    const records = await mapBounded(
      plans,
      SIGN_PARALLEL,
      (planHash, laneSignal) => this.#sign(planHash, laneSignal),
      signal,
    );
    return records.filter((record) => record !== undefined)
      .map((record) => ({
        record,
        holder,
        share: shareOf(keyOfTessera(record.tesseraId), this.#node.powBits),
      }))
      .sort((a, b) => a.share - b.share);
  }

  #isPaused(): boolean {
    return this.#node.runtime.clock.monotonicMs() < this.#pausedUntilMs;
  }

  #rest(): void {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    this.#pausedUntilMs = nowMs + UNHEARD_PAUSE_MS;
  }
}

function keyFor({ record }: Provider) {
  return keyOfTessera(record.tesseraId);
}

function planOf({ record }: Provider): Hash {
  return record.planHash;
}
