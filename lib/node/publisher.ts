/** Publishing as a standing order: one at a time for each tessera, and tried again until every fragment has a holder. */
import {
  codeOf,
  keyOf,
  messageOf,
  orAbort,
  type TesseraId,
  toHex,
} from "@tesseras/core";
import type { MlDsaSuite } from "@tesseras/crypto";
import type { PublicationRow } from "@tesseras/state";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import { publish, type PublishReport } from "./publish.ts";
import { isForgotten } from "./forgotten.ts";
import type { PublishEvent, PublishParts } from "./sender.ts";

/** What a publisher works with. */
export type PublisherParts = PublishParts & {
  readonly suite: MlDsaSuite;
  /** How soon a publication that came to nothing is first tried again. */
  readonly retryMs?: number;
};

/** A peer that was started again is back within a minute; a newcomer among friends within an hour. */
const RETRY_MS = 60_000;
/** How many times as long it is waited at most: each try asks every holder for its word. */
const RETRY_TIMES_MAX = 128;
/** How often it is looked, in each {@link RETRY_MS}. */
const LOOKS = 4;

/** Publishes, and goes on publishing what is not done. */
export class Publisher {
  readonly #parts: PublisherParts;
  /** What is being published now, by tessera. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** Tries of our own, by tessera, and when anybody's last one ended. Monotonic. */
  readonly #tries = new Map<string, { count: number; endedMs: number }>();

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** As {@link publish}, after whoever publishes the same just now. @throws as it */
  async publish(
    plan: Plan,
    onEvent: (event: PublishEvent) => void,
    signal: AbortSignal,
  ): Promise<PublishReport> {
    const key = keyOf(plan.tesseraId);
    for (;;) {
      const other = this.#running.get(key);
      if (other === undefined) break;
      await orAbort(other, signal);
    }
    const publishing = publish(this.#parts, plan, onEvent, signal);
    const settled = publishing.then(() => {}, () => {});
    this.#running.set(key, settled);
    try {
      return await publishing;
    } finally {
      this.#running.delete(key);
      this.#tried(plan.tesseraId, 0);
    }
  }

  /** Tries again what is not done, less and less often, until the signal aborts. After a restart it goes on from what was acknowledged. */
  async runForever(signal: AbortSignal): Promise<void> {
    const { node, state, retryMs = RETRY_MS } = this.#parts;
    const { clock, counters, log } = node.runtime;
    for (;;) {
      await clock.sleep(retryMs / LOOKS, signal);
      try {
        for (const row of await state.publications(signal)) {
          if (row.state !== "publishing") {
            this.#tries.delete(keyOf(row.tesseraId));
          } else if (this.#isDue(row)) await this.#retry(row, signal);
        }
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        counters.add("publish.retry_failed");
        log.warn("publish.retry_failed", { reason: messageOf(error) });
      }
    }
  }

  #isDue({ tesseraId }: PublicationRow): boolean {
    const { node, retryMs = RETRY_MS } = this.#parts;
    const key = keyOf(tesseraId);
    if (this.#running.has(key)) return false;
    const last = this.#tries.get(key);
    if (last === undefined) return true;
    const times = Math.min(RETRY_TIMES_MAX, 2 ** last.count);
    const waitedMs = node.runtime.clock.monotonicMs() - last.endedMs;
    return waitedMs >= retryMs * times;
  }

  async #retry(
    { tesseraId, planHash }: PublicationRow,
    signal: AbortSignal,
  ): Promise<void> {
    const { node, state, suite } = this.#parts;
    const { counters, log } = node.runtime;
    counters.add("publish.retried");
    this.#tried(tesseraId, 1);
    const tessera = toHex(tesseraId);
    try {
      const row = await state.plan(planHash, signal);
      if (row === undefined) return;
      const plan = readPlan(row.bytes);
      // Holders would refuse it, and be asked to forget it again.
      if (await isForgotten(this.#parts, plan, signal)) return;
      await verifyPlan(plan, suite);
      const { unplaced } = await this.publish(plan, () => {}, signal);
      if (unplaced.length === 0) return;
      log.info("publish.incomplete", { tessera, unplaced: unplaced.length });
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("publish.retry_failed");
      log.info("publish.retry_failed", { tessera, reason: messageOf(error) });
    }
  }

  /** A try was begun, and counted, or has ended. */
  #tried(tesseraId: TesseraId, more: 0 | 1): void {
    const key = keyOf(tesseraId);
    const endedMs = this.#parts.node.runtime.clock.monotonicMs();
    const count = (this.#tries.get(key)?.count ?? 0) + more;
    this.#tries.set(key, { count, endedMs });
  }
}
