/**
 * Keeps every plan of which something is kept here as a blob, too: a plan lists the hash of every fragment, so plans and
 * fragments on the disk give back the index should that be lost. Nobody waits for it, because the index has the plan.
 */
import type { Blobs } from "@tesseras/blobs";
import {
  codeOf,
  type Hash,
  keyOf,
  messageOf,
  orAbort,
  type Runtime,
} from "@tesseras/core";
import type { Holding, State } from "@tesseras/state";

/** How soon plans are written after the first of them came. */
const WRITE_AFTER_MS = 5_000;
/** How long to leave a disk alone that let nothing through. */
const FAILED_PAUSE_MS = 60_000;
/** Plans waiting to be written, 160 MB of the largest; those beyond are found at the next start. */
const WAITING_MAX = 10_000;
/** Holdings looked at between two looks at the clock. */
const PAGE = 256;

/** What a {@link PlanKeeper} works with. */
export type PlanKeeperParts = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly runtime: Runtime;
};

/** Writes plans as blobs. */
export class PlanKeeper {
  readonly #parts: PlanKeeperParts;
  readonly #waiting = new Map<string, Hash>();
  /** Resolves when a plan waits. */
  #queued = Promise.withResolvers<void>();

  constructor(parts: PlanKeeperParts) {
    this.#parts = parts;
  }

  /** Has a plan written soon that the state keeps. */
  queue(planHash: Hash): void {
    if (this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(keyOf(planHash), planHash);
    this.#queued.resolve();
  }

  /** Writes what came before this start and was not written then, and what comes, until the signal aborts. */
  async runForever(signal: AbortSignal): Promise<void> {
    await this.#insist(() => this.#catchUp(signal), signal);
    for (;;) {
      await orAbort(this.#queued.promise, signal);
      this.#queued = Promise.withResolvers();
      await this.#parts.runtime.clock.sleep(WRITE_AFTER_MS, signal);
      await this.#insist(() => this.writeQueued(signal), signal);
    }
  }

  /** Writes every plan that waits. @throws as `Blobs` and `State`; what was not written waits on */
  async writeQueued(signal: AbortSignal): Promise<void> {
    for (const [key, planHash] of this.#waiting) {
      await this.#write(planHash, signal);
      this.#waiting.delete(key);
    }
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    const { state } = this.#parts;
    let after: Holding | undefined;
    for (;;) {
      const page = await state.holdings(after, PAGE, signal);
      for (const { planHash } of page) await this.#write(planHash, signal);
      after = page.at(-1);
      if (after === undefined) return;
    }
  }

  async #write(planHash: Hash, signal: AbortSignal): Promise<void> {
    const { state, blobs } = this.#parts;
    if (await blobs.size(planHash, signal) !== undefined) return;
    const plan = await state.plan(planHash, signal);
    if (plan === undefined) return;
    await using writer = await blobs.create(signal, "cold");
    await writer.write(plan.bytes, signal);
    await writer.commit(signal, planHash);
  }

  /** Does work until it goes well: a disk that is full now is not full for ever. */
  async #insist(
    work: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, counters, log } = this.#parts.runtime;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        counters.add("plan.not_written");
        log.warn("plan.not_written", { reason: messageOf(error) });
      }
      await clock.sleep(FAILED_PAUSE_MS, signal);
    }
  }
}
