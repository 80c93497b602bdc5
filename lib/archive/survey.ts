/** Every blob of a store, read from its medium once: which are what their names say, and which speak of others. */
import {
  codeOf,
  concat,
  equal,
  type Hash,
  keyOf,
  mapBounded,
  utf8,
} from "@tesseras/core";
import {
  ED25519_SIGNATURE_BYTES,
  MANIFEST_BYTES_MAX,
  MIB,
  ML_DSA_SIGNATURE_BYTES,
  PLAN_BYTES_MAX,
} from "@tesseras/core/limits";
import type { BlobEntry, Blobs } from "@tesseras/blobs";
import { Blake3 } from "@tesseras/crypto";
import type { Keepers } from "./holds.ts";
import { type OnProgress, Tally } from "./progress.ts";

/** Blobs read at once: enough that the disk never waits for a hash. */
const READ_PARALLEL = 4;
/** Blobs taken from the listing at a time. */
const BATCH = 256;
const WINDOW_BYTES = 1 * MIB;
/** How the first line of each begins (docs/FORMAT.md); whether the rest fits is for whoever reads it. */
const MANIFEST_HEAD = utf8("TESSERA MANIFEST v1\n");
const PLAN_HEAD = utf8("TESSERA PLAN v1\n");

/** What was found. */
export type Survey = {
  readonly blobCount: number;
  readonly bytes: number;
  /** Blobs that do not hash to their name, by it. */
  readonly damaged: ReadonlyMap<string, BlobEntry>;
  /** Sound blobs that no row names. */
  readonly unlisted: {
    readonly count: number;
    readonly bytes: number;
    /** Those as long as a signature. */
    readonly signatures: readonly BlobEntry[];
  };
  /** Sound blobs that begin like a MANIFEST. */
  readonly manifests: readonly Hash[];
  /** Sound blobs that begin like a plan. */
  readonly plans: readonly Hash[];
};

/** Reads every blob. A medium that cannot give one back has damaged it. */
export async function survey(
  keepers: Keepers,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Survey> {
  const { blobs } = keepers;
  let totalBytes = 0;
  for await (const { bytes } of blobs.list(signal)) totalBytes += bytes;
  const notes = new Notes(new Tally(totalBytes, onProgress));
  let batch: BlobEntry[] = [];
  const look = async (): Promise<void> => {
    await mapBounded(batch, READ_PARALLEL, async (entry, signal) => {
      const seen = await inspect(blobs, entry, signal);
      const references = await keepers.state.references(entry.hash, signal);
      notes.add(entry, seen, references > 0);
    }, signal);
    batch = [];
  };
  for await (const entry of blobs.list(signal)) {
    batch.push(entry);
    if (batch.length >= BATCH) await look();
  }
  await look();
  return notes.survey;
}

type Seen =
  | { readonly health: "ok"; readonly head: Uint8Array }
  | { readonly health: "corrupt" }
  | { readonly health: "absent" };

/** Collects what was seen. */
class Notes {
  readonly #tally: Tally;
  readonly #damaged = new Map<string, BlobEntry>();
  readonly #signatures: BlobEntry[] = [];
  readonly #manifests: Hash[] = [];
  readonly #plans: Hash[] = [];
  #blobCount = 0;
  #unlistedCount = 0;
  #unlistedBytes = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  get survey(): Survey {
    return {
      blobCount: this.#blobCount,
      bytes: this.#tally.doneBytes,
      damaged: this.#damaged,
      unlisted: {
        count: this.#unlistedCount,
        bytes: this.#unlistedBytes,
        signatures: this.#signatures,
      },
      manifests: this.#manifests,
      plans: this.#plans,
    };
  }

  add(entry: BlobEntry, seen: Seen, isListed: boolean): void {
    const { hash, bytes } = entry;
    this.#tally.add(bytes);
    if (seen.health === "absent") return;
    this.#blobCount++;
    if (seen.health === "corrupt") {
      this.#damaged.set(keyOf(hash), entry);
      return;
    }
    if (begins(seen.head, MANIFEST_HEAD) && bytes <= MANIFEST_BYTES_MAX) {
      this.#manifests.push(hash);
    }
    if (begins(seen.head, PLAN_HEAD) && bytes <= PLAN_BYTES_MAX) {
      this.#plans.push(hash);
    }
    if (isListed) return;
    this.#unlistedCount++;
    this.#unlistedBytes += bytes;
    const isSignature = bytes === ED25519_SIGNATURE_BYTES ||
      bytes === ML_DSA_SIGNATURE_BYTES;
    if (isSignature) this.#signatures.push(entry);
  }
}

async function inspect(
  blobs: Blobs,
  { hash, bytes }: BlobEntry,
  signal: AbortSignal,
): Promise<Seen> {
  const hasher = new Blake3();
  let head: Uint8Array = new Uint8Array();
  try {
    await using reader = await blobs.open(hash, signal, "fresh");
    if (reader === undefined) return { health: "absent" };
    const window = new Uint8Array(Math.max(1, Math.min(WINDOW_BYTES, bytes)));
    for (let at = 0;;) {
      const count = await reader.read(at, window, signal);
      if (count === 0) break;
      const part = window.subarray(0, count);
      hasher.update(part);
      if (head.length < MANIFEST_HEAD.length) {
        head = concat([head, part.subarray(0, MANIFEST_HEAD.length)]);
      }
      at += count;
    }
  } catch (error) {
    if (codeOf(error) === "corrupt") return { health: "corrupt" };
    throw error;
  }
  return equal(hasher.digest(), hash)
    ? { health: "ok", head }
    : { health: "corrupt" };
}

function begins(bytes: Uint8Array, head: Uint8Array): boolean {
  return bytes.length >= head.length &&
    equal(bytes.subarray(0, head.length), head);
}
