/**
 * A look at the whole store: every blob read and hashed, every row compared with the disk. With `repair` what can be put right
 * is: damaged blobs go aside, the index forgets fragments that are gone and learns again what is whole on the disk. Nothing is
 * ever deleted. Nobody else should work with the store meanwhile.
 */
import {
  equal,
  type Hash,
  keyOf,
  mapBounded,
  type TesseraId,
} from "@tesseras/core";
import type { BlobEntry } from "@tesseras/blobs";
import type { FragmentRow, PlanRow } from "@tesseras/state";
import { printTime } from "@tesseras/tessera";
import type { ArchiveParts } from "./archive.ts";
import { BLOBS_PARALLEL, Holds, type Keepers } from "./holds.ts";
import type { OnProgress } from "./progress.ts";
import {
  findFragments,
  findTesseras,
  listAgain,
  type RecoverParts,
  rememberFragments,
} from "./recover.ts";
import { type Survey, survey } from "./survey.ts";

/** Rows read at a time. */
const PAGE = 256;

type CheckParts = ArchiveParts & { readonly keepers: Keepers };

/** A blob that is not what its name says. */
export type DamagedBlob = BlobEntry & {
  /** Where it was moved, for people; `undefined` while it lies where it was. */
  readonly aside: string | undefined;
};

/** A listed tessera of which something is gone. */
export type DamagedTessera = {
  readonly id: TesseraId;
  readonly title: string;
  /** Files that are absent or damaged. */
  readonly paths: readonly string[];
};

/** What a check found, and with `repair` did. */
export type CheckReport = {
  readonly repaired: boolean;
  readonly blobCount: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedBlob[];
  /** Sound blobs that no row named: what killed work left, or what a lost index knew. A sweep removes what stays so. */
  readonly unlisted: { readonly count: number; readonly bytes: number };
  readonly damagedTesseras: readonly DamagedTessera[];
  /** Fragments in the index without their bytes; forgotten with `repair`, so that they are no longer promised. */
  readonly lostFragmentCount: number;
  /** Plans that were in the index alone; written with `repair`. */
  readonly planCount: number;
  /** Whole on the disk and not in the index; listed again with `repair`. */
  readonly found: {
    readonly tesseras: readonly TesseraId[];
    readonly fragmentCount: number;
  };
  /** Nothing was wrong, or with `repair` nothing is left that is. */
  readonly passed: boolean;
};

/** How to check. */
export type CheckOrder = {
  readonly repair: boolean;
  readonly onProgress: OnProgress;
};

/** See {@link CheckReport}. @throws as `Blobs` and `State` */
export async function checkStore(
  archive: ArchiveParts,
  { repair, onProgress }: CheckOrder,
  signal: AbortSignal,
): Promise<CheckReport> {
  const { blobs, state } = archive;
  const keepers = { blobs, state, holds: new Holds() };
  const parts = { ...archive, keepers };
  const seen = await survey(keepers, onProgress, signal);
  const damaged = await setAside(parts, seen, repair, signal);
  const recover = { ...parts, survey: seen };
  // What is found comes first: a tessera of ours says whose its fragments are.
  const found = await findAgain(recover, repair, signal);
  const lost = await lostFragments(keepers, seen, signal);
  if (repair) await forget(keepers, lost, signal);
  const plans = await unwrittenPlans(keepers, signal);
  if (repair) await writePlans(keepers, plans, signal);
  const damagedTesseras = await lookAtTesseras(keepers, seen, signal);
  const isClean = damaged.length === 0 && lost.length === 0 &&
    found.tesseras.length === 0 && found.fragmentCount === 0;
  return {
    repaired: repair,
    blobCount: seen.blobCount,
    bytes: seen.bytes,
    damaged,
    unlisted: { count: seen.unlisted.count, bytes: seen.unlisted.bytes },
    damagedTesseras,
    lostFragmentCount: lost.length,
    planCount: plans.length,
    found,
    passed: damagedTesseras.length === 0 && (repair || isClean),
  };
}

async function setAside(
  { keepers, runtime }: CheckParts,
  { damaged }: Survey,
  repair: boolean,
  signal: AbortSignal,
): Promise<readonly DamagedBlob[]> {
  const blobs: DamagedBlob[] = [];
  for (const entry of damaged.values()) {
    const { hash, bytes } = entry;
    const time = printTime(runtime.clock.nowMs());
    const note = `Found by a check of the store at ${time}.
Its ${bytes} bytes do not hash to its name, the BLAKE3 ${keyOf(hash)}.
Nothing uses this file any more. It is kept because a part of it may still be good.`;
    const aside = repair
      ? await keepers.blobs.quarantine(hash, note, signal)
      : undefined;
    blobs.push({ ...entry, aside });
  }
  return blobs;
}

async function findAgain(
  parts: RecoverParts,
  repair: boolean,
  signal: AbortSignal,
): Promise<CheckReport["found"]> {
  const tesseras: TesseraId[] = [];
  for await (const found of findTesseras(parts, signal)) {
    if (repair) await listAgain(parts, found, signal);
    tesseras.push(found.id);
  }
  let fragmentCount = 0;
  for await (const found of findFragments(parts, signal)) {
    if (repair) await rememberFragments(parts, found, signal);
    fragmentCount += found.indices.length;
  }
  return { tesseras, fragmentCount };
}

/** Fragments in the index whose bytes are gone or damaged. */
async function lostFragments(
  keepers: Keepers,
  { damaged }: Survey,
  signal: AbortSignal,
): Promise<readonly FragmentRow[]> {
  const lost: FragmentRow[] = [];
  let after: FragmentRow | undefined;
  for (;;) {
    const page = await keepers.state.fragments(after, PAGE, signal);
    const sizes = await mapBounded(
      page,
      BLOBS_PARALLEL,
      ({ blob }, signal) => keepers.blobs.size(blob, signal),
      signal,
    );
    lost.push(
      ...page.filter(({ blob, bytes }, at) =>
        sizes[at] !== bytes || damaged.has(keyOf(blob))
      ),
    );
    after = page.at(-1);
    if (after === undefined) return lost;
  }
}

async function forget(
  { state }: Keepers,
  rows: readonly FragmentRow[],
  signal: AbortSignal,
): Promise<void> {
  for (const { planHash, index } of rows) {
    await state.removeFragment(planHash, index, signal);
  }
}

/** Plans that are in the index and no blob. */
async function unwrittenPlans(
  { state, blobs }: Keepers,
  signal: AbortSignal,
): Promise<readonly PlanRow[]> {
  const missing: PlanRow[] = [];
  const look = async (plan: PlanRow | undefined): Promise<void> => {
    if (plan === undefined) return;
    const size = await blobs.size(plan.hash, signal);
    if (size !== plan.bytes.length) missing.push(plan);
  };
  for (const { id } of await state.tesseras(signal)) {
    for (const plan of await state.plansOf(id, signal)) await look(plan);
  }
  let after: FragmentRow | undefined;
  let last: Hash | undefined;
  for (;;) {
    const page = await state.fragments(after, PAGE, signal);
    for (const { planHash, tesseraId } of page) {
      if (last !== undefined && equal(last, planHash)) continue;
      last = planHash;
      // Those of our tesseras were looked at before.
      if (await state.tessera(tesseraId, signal) !== undefined) continue;
      await look(await state.plan(planHash, signal));
    }
    after = page.at(-1);
    if (after === undefined) return missing;
  }
}

async function writePlans(
  { blobs }: Keepers,
  plans: readonly PlanRow[],
  signal: AbortSignal,
): Promise<void> {
  for (const { hash, bytes } of plans) {
    await using writer = await blobs.create(signal, "cold");
    await writer.write(bytes, signal);
    await writer.commit(signal, hash);
  }
}

async function lookAtTesseras(
  { state, blobs }: Keepers,
  { damaged }: Survey,
  signal: AbortSignal,
): Promise<readonly DamagedTessera[]> {
  const bad: DamagedTessera[] = [];
  for (const { id, title } of await state.tesseras(signal)) {
    const files = await state.filesOf(id, signal);
    const sizes = await mapBounded(
      files,
      BLOBS_PARALLEL,
      ({ hash }, signal) => blobs.size(hash, signal),
      signal,
    );
    const paths = files.filter(({ hash, bytes }, at) =>
      sizes[at] !== bytes || damaged.has(keyOf(hash))
    ).map(({ path }) => path);
    if (paths.length > 0) bad.push({ id, title, paths });
  }
  return bad;
}
