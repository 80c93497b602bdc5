/** The whole create story: read every file once, compose, store, and only then list it. */
import {
  type Hash,
  hash,
  keyOf,
  mapBounded,
  type Runtime,
  type TesseraId,
} from "@tesseras/core";
import type { CreatorKeys } from "@tesseras/crypto";
import type { TesseraRow } from "@tesseras/state";
import {
  type Composed,
  composeTessera,
  type Entry,
  type TesseraInput,
} from "@tesseras/tessera";
import type { Keepers } from "./holds.ts";
import { Intake } from "./intake.ts";
import { addRows, describe } from "./listing.ts";
import { type OnProgress, Tally } from "./progress.ts";
import { quoted } from "./quoted.ts";
import type { FolderScan, LeftOut } from "./source_file.ts";
import type { PlaceFate } from "./passage.ts";
import { takeIn, type TakenIn } from "./take_in.ts";

/**
 * Files read at once: the syncs of small ones wait together, and large ones take little more than 1 MiB of memory
 * each.
 */
const FILES_PARALLEL = 16;
/** Files stored at once that are in memory anyway. */
const MADE_PARALLEL = 32;

/** What a person wants to keep, and what they say about it. */
export type CreateOrder = Omit<TesseraInput, "memories"> & {
  readonly folder: FolderScan;
  /** Whether coordinates stay in photographs. Where they do not, our copy of the photograph is without them too. */
  readonly keepPlaces: boolean;
};

/** One file that is kept. */
export type KeptFile = {
  readonly name: string;
  readonly hash: Hash;
  readonly bytes: number;
  /** For people, like `picture (PNG)`. */
  readonly kind: string;
  /** What became of the coordinates in it. */
  readonly place: PlaceFate;
};

/** What a create did. */
export type CreateReport = {
  readonly id: TesseraId;
  /** `exists` when the same tessera was here before. */
  readonly status: "added" | "exists";
  readonly row: TesseraRow;
  readonly kept: readonly KeptFile[];
  readonly leftOut: readonly LeftOut[];
  /** What a person should hear of, a sentence without a period each. */
  readonly warnings: readonly string[];
};

/** What a create works with. */
export type CreateParts = {
  readonly keepers: Keepers;
  readonly runtime: Runtime;
};

/** See `Archive.create`. */
export async function createTessera(
  parts: CreateParts,
  order: CreateOrder,
  keys: CreatorKeys,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<CreateReport> {
  const { keepers, runtime } = parts;
  const { folder, keepPlaces } = order;
  await using intake = new Intake(keepers, runtime);
  const tally = new Tally(folder.bytes, onProgress);
  const taken = await mapBounded(
    folder.files,
    FILES_PARALLEL,
    (file, signal) =>
      takeIn(
        {
          blobs: keepers.blobs,
          intake,
          keepPlaces,
          onBytes: (bytes) => tally.add(bytes),
        },
        file,
        signal,
      ),
    signal,
  );
  const memories = taken.map(({ memory }) => memory);
  const composed = composeTessera({ ...order, memories }, keys);
  await storeMade(intake, composed, signal);
  const files = composed.entries.map(({ path, bytes, blake3 }) => ({
    path,
    bytes,
    hash: blake3,
  }));
  const row = describe({
    ...composed,
    files,
    addedAtMs: runtime.clock.nowMs(),
    origin: "created",
  });
  const status = await addRows(keepers, intake, { row, files }, signal);
  return {
    id: composed.id,
    status,
    row,
    kept: taken.map(keptFile),
    leftOut: folder.leftOut,
    warnings: warningsOf(taken),
  };
}

/** Stores the files that were made; the memories are stored already. */
async function storeMade(
  intake: Intake,
  { entries }: Composed,
  signal: AbortSignal,
): Promise<void> {
  const made = entries.filter(({ content }) => content !== undefined);
  const store = async ({ content, blake3 }: Entry, signal: AbortSignal) => {
    if (content !== undefined) await intake.add(content, signal, blake3);
  };
  await mapBounded(made, MADE_PARALLEL, store, signal);
}

function keptFile({ memory, place }: TakenIn): KeptFile {
  const { name, bytes, kind } = memory;
  return { name, hash: hash(memory.blake3), bytes, kind: kind.label, place };
}

function warningsOf(taken: readonly TakenIn[]): readonly string[] {
  const first = new Map<string, string>();
  const warnings: string[] = [];
  for (const { memory, place } of taken) {
    const { name, kind, blake3, declaredOnly } = memory;
    if (declaredOnly) {
      warnings.push(
        `${
          quoted(name)
        } is named like a ${kind.label} but does not begin like one; it is kept as it is`,
      );
    }
    if (place === "removed") {
      warnings.push(
        `${
          quoted(name)
        } told where it was taken; the place is not in the tessera, and your own file is unchanged`,
      );
    }
    if (place === "unread") {
      warnings.push(
        `${
          quoted(name)
        } has notes in it that may tell where it was made; they are kept, since places cannot be taken out of them`,
      );
    }
    const twin = first.get(keyOf(blake3));
    if (twin === undefined) first.set(keyOf(blake3), name);
    else {
      warnings.push(
        `${quoted(name)} is the same as ${
          quoted(twin)
        }; both names are kept, the bytes once`,
      );
    }
  }
  return warnings;
}
