/** Asking holders to forget: the tombstone is made here, where the keys are, and carried by the running node. */
import type { Archive } from "@tesseras/archive";
import {
  type Clock,
  equal,
  type Hash,
  keyOf,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { blake3, type CreatorKeys } from "@tesseras/crypto";
import { type DataPaths, type JsonObject, loadCreator } from "@tesseras/run";
import type { CoverageRow, State, TombstoneKey } from "@tesseras/state";
import {
  creatorOf,
  printTime,
  signTombstone,
  tombstoneExpiry,
} from "@tesseras/tessera";
import { numberIn, textIn } from "./json_fields.ts";
import { counted } from "./printed.ts";
import type { Progress } from "./progress.ts";

/** A tombstone that was written down. */
export type Grave = {
  readonly tesseraId: TesseraId;
  readonly creator: Hash;
  /** Until when it counts. */
  readonly expiresAtMs: number;
};

/**
 * The keys a tombstone is signed with.
 *
 * @throws `refused` when another made the tessera, `missing` when there is no identity
 */
export async function keysFor(
  { archive, state, paths }: {
    readonly archive: Archive;
    readonly state: State;
    readonly paths: DataPaths;
  },
  id: TesseraId,
  signal: AbortSignal,
): Promise<CreatorKeys> {
  const keys = await loadCreator(paths);
  if (await state.tessera(id, signal) !== undefined) {
    const { manifest } = await archive.show(id, signal);
    requireCreator(manifest, keys, id);
  }
  return keys;
}

/**
 * Writes down a tombstone with everybody who is known to hold fragments. One of ours that still counts stays, so that nobody is
 * asked twice.
 */
export async function bury(
  { state, clock }: { readonly state: State; readonly clock: Clock },
  { id, keys }: { readonly id: TesseraId; readonly keys: CreatorKeys },
  signal: AbortSignal,
): Promise<Grave> {
  const nowMs = clock.nowMs();
  const key = { tesseraId: id, creator: creatorOf(keys.publicKeys) };
  const known = await state.care.tombstone(key, signal);
  const isStanding = known?.isOurs === true && known.expiresAtMs > nowMs;
  const createdAtMs = isStanding ? known.createdAtMs : nowMs;
  const expiresAtMs = tombstoneExpiry({ tesseraId: id, createdAtMs });
  if (!isStanding) {
    const { bytes } = signTombstone({ tesseraId: id, createdAtMs }, keys);
    const row = { ...key, bytes, createdAtMs, expiresAtMs, isOurs: true };
    await state.care.putTombstones([row], signal);
  }
  await state.care.putCoverage(await unknown(state, key, signal), signal);
  return { ...key, expiresAtMs };
}

/** Only holders of what the same keys signed would listen. @throws `refused` */
function requireCreator(
  manifest: {
    readonly creatorEd25519: Uint8Array;
    readonly creatorMlDsa: Hash;
  },
  { publicKeys }: CreatorKeys,
  id: TesseraId,
): void {
  if (
    equal(manifest.creatorEd25519, publicKeys.ed25519) &&
    equal(manifest.creatorMlDsa, blake3(publicKeys.mlDsa))
  ) return;
  throw new TesserasError(
    "refused",
    `Cannot delete ${
      toHex(id)
    } everywhere: only its creator can ask that; without --everywhere it is deleted from this disk`,
  );
}

/** Everybody who acknowledged a fragment and is not written down yet. */
async function unknown(
  state: State,
  key: TombstoneKey,
  signal: AbortSignal,
): Promise<readonly CoverageRow[]> {
  const known = new Set(
    (await state.care.coverage(key, signal)).map(({ holder }) => keyOf(holder)),
  );
  const rows = new Map<string, CoverageRow>();
  for (const plan of await state.plansOf(key.tesseraId, signal)) {
    for (
      const { holder, record } of await state.care.placements(plan.hash, signal)
    ) {
      if (known.has(keyOf(holder))) continue;
      rows.set(keyOf(holder), {
        ...key,
        holder,
        record,
        toldAtMs: undefined,
        confirmedAtMs: undefined,
      });
    }
  }
  return [...rows.values()];
}

/** Tells what happens meanwhile. */
export function tellForgetting(progress: Progress, event: JsonObject): void {
  switch (event.type) {
    case "holders":
      return progress.note(
        `Asking ${
          counted(numberIn(event, "holderCount"), "holder", "holders")
        } to forget`,
      );
    case "unconfirmed":
      return progress.note(
        `${textIn(event, "holder").slice(0, 8)} did not confirm: ${
          textIn(event, "reason")
        }`,
      );
  }
}

/** How far a tombstone has come, by what the node says. */
export function coverageOf({ expiresAtMs }: Grave, report: JsonObject) {
  const until = printTime(expiresAtMs);
  const holderCount = numberIn(report, "holderCount");
  const confirmedCount = numberIn(report, "confirmedCount");
  const toldCount = numberIn(report, "toldCount");
  const json = {
    everywhere: true,
    holderCount,
    toldCount,
    confirmedCount,
    notReachedCount: holderCount - toldCount,
    until,
    holders: report.holders ?? [],
  };
  const day = until.slice(0, 10);
  const lines = [
    holderCount === 0
      ? "No holder is known that could be asked to forget it"
      : `${
        counted(holderCount, "holder", "holders")
      }: ${confirmedCount} confirmed that nothing is left, ${
        toldCount - confirmedCount
      } told without confirming, ${holderCount - toldCount} not reached`,
    confirmedCount < holderCount
      ? `The node asks them again until ${day}; run this again to see how far it has come`
      : `Should another holder turn up until ${day}, the node asks it, too`,
    "Copies that others made cannot be recalled",
  ];
  return { json, lines };
}
