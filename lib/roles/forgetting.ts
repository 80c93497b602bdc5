/**
 * A holder that is asked to forget (PROTOCOL.md 3.11). A tombstone proves nothing by itself, since anybody can sign one for any
 * tessera: it counts for plans of the same two keys, and for nothing else that is kept here.
 */
import type { Blobs } from "@tesseras/blobs";
import {
  codeOf,
  type Hash,
  keyOf,
  mapBounded,
  type Runtime,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { TOMBSTONES_MAX } from "@tesseras/core/limits";
import type { MlDsaSuite } from "@tesseras/crypto";
import type { Reply } from "@tesseras/net";
import type { State, TombstoneKey } from "@tesseras/state";
import {
  checkTombstoneFresh,
  creatorOf,
  type Plan,
  printTime,
  readPlan,
  readTombstone,
  type Tombstone,
  tombstoneExpiry,
  verifyTombstone,
} from "@tesseras/tessera";
import type { Request } from "@tesseras/wire";

/** What a {@link Forgetting} works with. */
export type ForgettingParts = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  readonly runtime: Runtime;
};

/** Signers of plans of one tessera whose keys are tried, 1 ms each; a tessera has one unless somebody plays with us. */
const SIGNERS_TRIED_MAX = 100;
/** Blobs removed at once. */
const REMOVED_PARALLEL = 16;

/** Forgets what creators ask for, and takes it no more. */
export class Forgetting {
  readonly #parts: ForgettingParts;
  /** What was forgotten since this start, the oldest first: a fragment may have been on its way meanwhile. */
  readonly #recent = new Set<string>();

  constructor(parts: ForgettingParts) {
    this.#parts = parts;
  }

  /**
   * Answers `forget`: durably forgotten when it returns, and forgotten again when it is repeated.
   *
   * @throws `malformed`; `refused` for a time that does not count; `forged` when what is kept here is somebody else's
   */
  async answer(
    request: Extract<Request, { readonly type: "forget" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { runtime, state } = this.#parts;
    const tombstone = readTombstone(request.tombstone);
    checkTombstoneFresh(tombstone, runtime.clock.nowMs());
    const rows = await state.plansOf(tombstone.tesseraId, signal);
    const fitting = await this.#fitting(
      tombstone,
      rows.map(({ bytes }) => readPlan(bytes)),
    );
    if (fitting === undefined) return forgotten(0);
    return forgotten(await this.#forget(tombstone, fitting, signal));
  }

  /** Looks whether a plan may be kept. @throws `refused` when its creator asked to forget the tessera */
  async check(plan: Plan, signal: AbortSignal): Promise<void> {
    const { state, runtime } = this.#parts;
    const row = await state.care.tombstone(keyFor(plan), signal);
    if (row === undefined || row.expiresAtMs <= runtime.clock.nowMs()) return;
    throw refused(plan.tesseraId, row.expiresAtMs);
  }

  /**
   * Takes a fragment back that was on its way while its tessera was forgotten.
   *
   * @throws `refused` when it was
   */
  async settle(plan: Plan, index: number, signal: AbortSignal): Promise<void> {
    if (!this.#recent.has(nameOf(keyFor(plan)))) return;
    try {
      await this.check(plan, signal);
    } catch (error) {
      if (codeOf(error) !== "refused") throw error;
      const { state } = this.#parts;
      await this.#remove(
        await state.removeFragment(plan.hash, index, signal),
        signal,
      );
      throw error;
    }
  }

  /** The plans that the tombstone's signer signed; `undefined` when none is kept at all. @throws `forged` */
  async #fitting(
    tombstone: Tombstone,
    plans: readonly Plan[],
  ): Promise<readonly Plan[] | undefined> {
    const bySigner = Map.groupBy(
      plans,
      ({ publicKeys }) => keyOf(creatorOf(publicKeys)),
    );
    let problem: unknown;
    for (const signed of [...bySigner.values()].slice(0, SIGNERS_TRIED_MAX)) {
      try {
        await verifyTombstone(tombstone, signed[0]!, this.#parts.suite);
        return signed;
      } catch (error) {
        if (codeOf(error) !== "forged") throw error;
        problem = error;
      }
    }
    if (problem === undefined) return undefined;
    this.#parts.runtime.counters.add("tombstone.forged");
    throw problem;
  }

  /** @returns how many fragments went */
  async #forget(
    tombstone: Tombstone,
    plans: readonly Plan[],
    signal: AbortSignal,
  ): Promise<number> {
    const { state, runtime } = this.#parts;
    const key = keyFor(plans[0]!);
    this.#remember(key);
    const { fragmentCount, blobs } = await state.care.forget(
      {
        ...key,
        bytes: tombstone.bytes,
        createdAtMs: tombstone.createdAtMs,
        expiresAtMs: tombstoneExpiry(tombstone),
        isOurs: false,
      },
      plans.map(({ hash }) => hash),
      signal,
    );
    // Plans lie beside their fragments as blobs of their own.
    await this.#remove([...blobs, ...plans.map(({ hash }) => hash)], signal);
    runtime.counters.add("fragment.forgotten", fragmentCount);
    if (fragmentCount > 0) {
      runtime.log.info("fragment.forgotten", {
        tessera: toHex(tombstone.tesseraId),
        count: fragmentCount,
      });
    }
    return fragmentCount;
  }

  #remember(key: TombstoneKey): void {
    this.#recent.add(nameOf(key));
    if (this.#recent.size <= TOMBSTONES_MAX) return;
    const [oldest] = this.#recent;
    if (oldest !== undefined) this.#recent.delete(oldest);
  }

  async #remove(hashes: readonly Hash[], signal: AbortSignal): Promise<void> {
    const { state, blobs } = this.#parts;
    await mapBounded(
      hashes,
      REMOVED_PARALLEL,
      (hash, laneSignal) =>
        blobs.removeUnless(
          hash,
          async () => await state.references(hash, laneSignal) > 0,
          laneSignal,
        ),
      signal,
    );
  }
}

function forgotten(count: number): Reply {
  return { response: { type: "forgotten", count } };
}

function keyFor({ tesseraId, publicKeys }: Plan): TombstoneKey {
  return { tesseraId, creator: creatorOf(publicKeys) };
}

function nameOf({ tesseraId, creator }: TombstoneKey): string {
  return `${keyOf(tesseraId)} ${keyOf(creator)}`;
}

function refused(tesseraId: TesseraId, untilMs: number): TesserasError {
  const day = printTime(untilMs).slice(0, 10);
  return new TesserasError(
    "refused",
    `Cannot keep fragments of ${
      toHex(tesseraId)
    }: its creator asked to forget it, which counts until ${day}`,
  );
}
