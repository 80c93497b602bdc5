/** Somebody outside of every process who asks the holders themselves what they keep, and believes only what they signed just now. */
import {
  codeOf,
  type Hash,
  keyOf,
  mapBounded,
  TesserasError,
} from "@tesseras/core";
import { POW_BITS_DEFAULT } from "@tesseras/core/limits";
import { systemClock } from "@tesseras/core/system";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { type NodeRecord, readProviderRecord } from "@tesseras/wire";
import {
  honestIdentity,
  openOutsider,
  type Outsider,
  recordAt,
} from "./outsider.ts";

/** The indices of a plan that each process keeps, by its name; those that keep none are left out. */
export type Kept = ReadonlyMap<string, readonly number[]>;

/** A loopback address nobody else uses: what one address may ask is counted. */
const IP = "127.0.0.77";
/** Holders asked at once, each one question at a time. */
const PARALLEL = 4;
/** Who has too much to do just now is asked again. */
const TRIES = 20;
const AGAIN_MS = 250;

/** Asks holders. Disposing it leaves the network. */
export class Witness implements AsyncDisposable {
  readonly #outsider: Outsider;
  readonly #records = new Map<string, NodeRecord>();

  private constructor(outsider: Outsider) {
    this.#outsider = outsider;
  }

  static async open(signal: AbortSignal): Promise<Witness> {
    const identity = await honestIdentity(signal);
    return new Witness(await openOutsider(IP, identity, signal));
  }

  /** Who keeps what of each plan, in the order of the plans. @throws `overloaded` and what a holder says that it may not */
  async census(
    processes: readonly ChildInfo[],
    plans: readonly Hash[],
    signal: AbortSignal,
  ): Promise<readonly Kept[]> {
    const answers = await mapBounded(
      processes,
      PARALLEL,
      async (info, laneSignal) => {
        const kept: (readonly number[])[] = [];
        for (const plan of plans) {
          kept.push(await this.#keptAt(info, plan, laneSignal));
        }
        return { name: info.name, kept };
      },
      signal,
    );
    return plans.map((_, at) =>
      new Map(
        answers.map(({ name, kept }) => [name, kept[at]!] as const)
          .filter(([, indices]) => indices.length > 0),
      )
    );
  }

  async #keptAt(
    info: ChildInfo,
    plan: Hash,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    for (let tryCount = 1;; tryCount++) {
      try {
        return await this.#ask(info, plan, signal);
      } catch (error) {
        const code = codeOf(error);
        if (code === "absent") return [];
        const isBusy = code === "overloaded" || code === "timeout";
        if (!isBusy || tryCount === TRIES) throw error;
        await systemClock.sleep(AGAIN_MS, signal);
      }
    }
  }

  async #ask(
    info: ChildInfo,
    plan: Hash,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const record = this.#records.get(info.name) ??
      await recordAt(this.#outsider, info, signal);
    this.#records.set(info.name, record);
    const { response } = await this.#outsider.peers.ask(
      record,
      { type: "attest", plan },
      {},
      signal,
    );
    const rules = { nowMs: systemClock.nowMs(), powBits: POW_BITS_DEFAULT };
    const word = readProviderRecord(response.provider, rules);
    const isItsOwn = keyOf(word.planHash) === keyOf(plan) &&
      keyOf(word.holder) === info.id;
    if (isItsOwn) return word.indices;
    throw new TesserasError(
      "malformed",
      `Cannot believe ${info.name}: it gave the word of another, or on another plan`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outsider[Symbol.asyncDispose]();
  }
}
