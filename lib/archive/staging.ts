/** Codes a stored tessera into fragments, and keeps those that cannot be cut from its pack. */
import {
  assert,
  codeOf,
  equal,
  type Hash,
  keyOf,
  mapBounded,
  type Runtime,
  type TesseraId,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { type BlobWriter, verify } from "@tesseras/blobs";
import {
  Blake3,
  blake3,
  type CreatorKeys,
  type MlDsaSuite,
} from "@tesseras/crypto";
import type { RowCoder } from "@tesseras/erasure";
import type { FileRow } from "@tesseras/state";
import {
  type ByteSource,
  draftPlan,
  type Manifest,
  type Plan,
  planFits,
  readPlan,
  shardBytesOf,
  signPlan,
  tierOf,
  verifyPlan,
} from "@tesseras/tessera";
import { readShard } from "./fragment_reader.ts";
import type { Keepers } from "./holds.ts";
import { Intake } from "./intake.ts";
import { joined } from "./joined.ts";
import { type OnProgress, Tally } from "./progress.ts";

/** Bytes of one window: what reading or writing costs beside its bytes is small then, and two rows of 48+24 are 36 MiB. */
export const CODING_WINDOW_BYTES = 256 * KIB;
/** Files re-read at once before coding. */
const VERIFY_PARALLEL = 2;

/** What staging works with. */
export type StagingParts = {
  readonly keepers: Keepers;
  readonly runtime: Runtime;
  readonly suite: MlDsaSuite;
  readonly id: TesseraId;
  readonly manifest: Manifest;
  readonly files: readonly FileRow[];
  readonly pack: ByteSource;
  /** Computes the parity. */
  readonly coder: RowCoder;
};

/**
 * The plan of a stored tessera, with every parity fragment staged: the one from an earlier time if there is one, what it
 * lacks computed again. Only the creator's plan counts, so without an earlier one the keys must be theirs. A crash leaves
 * the plan without some of its fragments, and the next call goes on from there.
 *
 * @throws `corrupt` when a file of the tessera is not what it was, `unusable` when it is another's, `diskFull`
 */
export async function stage(
  parts: StagingParts,
  keys: CreatorKeys,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Plan> {
  const known = await knownPlan(parts, signal);
  if (known === undefined) checkCreator(parts, keys);
  // Once signed, a mistake would be kept for ever: what rotted must not get into a plan, nor be sent by an earlier one.
  await verifyFiles(parts, signal);
  if (known !== undefined && await isStaged(parts, known, signal)) {
    onProgress({ doneBytes: parts.pack.bytes, totalBytes: parts.pack.bytes });
    return known;
  }
  await using intake = new Intake(parts.keepers, parts.runtime);
  const { fragments, parity } = await code(parts, intake, onProgress, signal);
  const { id: tesseraId, pack } = parts;
  const plan = known ??
    signPlan(
      draftPlan({ tesseraId, packBytes: pack.bytes, fragments }),
      keys,
    );
  checkSame(plan, fragments);
  // As a blob, too: with it, fragments give back the index should that be lost.
  await intake.add(plan.bytes, signal, plan.hash);
  await store(parts, { plan, parity }, signal);
  await intake.keep(signal);
  return plan;
}

/** A plan of the tessera's creator, if there is one. */
async function knownPlan(
  parts: StagingParts,
  signal: AbortSignal,
): Promise<Plan | undefined> {
  const { keepers, id, pack } = parts;
  for (const row of await keepers.state.plansOf(id, signal)) {
    const plan = readPlan(row.bytes);
    if (plan.packBytes === pack.bytes && await isOfCreator(plan, parts)) {
      return plan;
    }
  }
  return undefined;
}

async function isOfCreator(
  plan: Plan,
  { id, manifest, suite }: StagingParts,
): Promise<boolean> {
  try {
    planFits(plan, { id, manifest });
    await verifyPlan(plan, suite);
    return true;
  } catch (error) {
    // Others may keep fragments here by plans of their own.
    if (codeOf(error) !== "forged") throw error;
    return false;
  }
}

/** @throws `unusable` when the tessera is another's: nobody would believe our plan */
function checkCreator(
  { id, manifest }: StagingParts,
  { publicKeys }: CreatorKeys,
): void {
  const own = equal(publicKeys.ed25519, manifest.creatorEd25519) &&
    equal(blake3(publicKeys.mlDsa), manifest.creatorMlDsa);
  if (own) return;
  throw new TesserasError(
    "unusable",
    `Cannot publish ${
      keyOf(id)
    }: somebody else made it, and no plan of theirs is here`,
  );
}

/** Whether every parity fragment is on this disk and as it must be. */
async function isStaged(
  { keepers }: StagingParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<boolean> {
  for (const index of parityIndices(plan)) {
    const row = await keepers.state.fragment(plan.hash, index, signal);
    if (row === undefined) return false;
    if (await verify(keepers.blobs, row.blob, signal) !== "ok") return false;
  }
  return true;
}

/** Fragments that cannot be cut from the pack; whole copies can. */
function parityIndices(plan: Plan): readonly number[] {
  if (plan.dataCount === 1) return [];
  return Array.from(
    { length: plan.parityCount },
    (_, at) => plan.dataCount + at,
  );
}

async function verifyFiles(
  { keepers, files }: StagingParts,
  signal: AbortSignal,
): Promise<void> {
  await mapBounded(files, VERIFY_PARALLEL, async ({ path, hash }, signal) => {
    const health = await verify(keepers.blobs, hash, signal);
    if (health === "ok") return;
    throw new TesserasError(
      "corrupt",
      `Cannot publish: ${path} is ${
        health === "absent" ? "gone from the store" : "damaged in the store"
      }, wanted ${keyOf(hash)}`,
    );
  }, signal);
}

type Coded = {
  readonly fragments: readonly Hash[];
  /** The parity blobs, in order; none for whole copies. */
  readonly parity: readonly Hash[];
};

/** One pass over the pack: a window of every shard at a time, its parity, and the hashes of all. */
async function code(
  { keepers, pack, coder }: StagingParts,
  intake: Intake,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Coded> {
  const tier = tierOf(pack.bytes);
  const { dataCount, parityCount } = tier;
  const shardBytes = shardBytesOf(pack.bytes, dataCount);
  const copies = dataCount === 1;
  await using stack = new AsyncDisposableStack();
  const writers: BlobWriter[] = [];
  for (let i = 0; i < (copies ? 0 : parityCount); i++) {
    writers.push(stack.use(await keepers.blobs.create(signal, "cold")));
  }
  const hashers = Array.from({ length: dataCount }, () => new Blake3());
  const tally = new Tally(pack.bytes, onProgress);
  const rows = coder.code({
    shape: { dataCount, parityCount: writers.length },
    shardBytes,
    windowBytes: CODING_WINDOW_BYTES,
    fill: ({ offset, inputs }, signal) =>
      joined(
        inputs.map((into, index) =>
          readShard({ pack, shardBytes }, { index, offset, into }, signal)
        ),
      ),
  }, signal);
  for await (const { bytes, inputs, outputs } of rows) {
    const writing = writers.map((writer, i) =>
      writer.write(outputs[i]!, signal)
    );
    inputs.forEach((window, i) => hashers[i]!.update(window));
    await joined(writing);
    tally.add(Math.min(bytes * dataCount, pack.bytes - tally.doneBytes));
  }
  const dataHashes = hashers.map((hasher) => hasher.digest());
  if (copies) {
    const [whole] = dataHashes;
    assert(whole !== undefined, "a copy has a hash");
    return { fragments: Array(1 + parityCount).fill(whole), parity: [] };
  }
  const committed = await joined(
    writers.map((writer) => intake.commit(writer, signal)),
  );
  const parityHashes = committed.map(({ hash }) => hash);
  return { fragments: [...dataHashes, ...parityHashes], parity: parityHashes };
}

function checkSame(plan: Plan, fragments: readonly Hash[]): void {
  const at = fragments.findIndex((hash, i) => !equal(hash, plan.fragments[i]!));
  if (at < 0) return;
  throw new TesserasError(
    "corrupt",
    `Cannot publish: fragment ${at} came out as ${
      keyOf(fragments[at]!)
    }, the plan of an earlier time has ${keyOf(plan.fragments[at]!)}`,
  );
}

/** The plan first: a fragment without one proves nothing, and a plan that lacks fragments is completed later. */
async function store(
  { keepers, runtime }: StagingParts,
  { plan, parity }: { readonly plan: Plan; readonly parity: readonly Hash[] },
  signal: AbortSignal,
): Promise<void> {
  const { hash: planHash, tesseraId } = plan;
  const { bytes, shardBytes, dataCount } = plan;
  throwIfAborted(signal);
  // From here on there is no stopping: a write that we no longer wait for may still happen, and name blobs we remove.
  const never = new AbortController().signal;
  await keepers.state.putPlan({ hash: planHash, tesseraId, bytes }, never);
  for (const [at, blob] of parity.entries()) {
    await keepers.state.putFragment({
      planHash,
      index: dataCount + at,
      tesseraId,
      blob,
      bytes: shardBytes,
      owner: undefined,
      subnet: undefined,
      storedAtMs: runtime.clock.nowMs(),
      isRepair: false,
    }, never);
  }
}
