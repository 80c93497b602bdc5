/** Lists again what is whole on the disk and in no row: tesseras by their MANIFEST, fragments by their plan. */
import {
  codeOf,
  equal,
  type Hash,
  keyOf,
  type Runtime,
  type TesseraId,
  tesseraId,
  TesserasError,
} from "@tesseras/core";
import {
  ED25519_SIGNATURE_BYTES,
  ML_DSA_SIGNATURE_BYTES,
} from "@tesseras/core/limits";
import { type BlobEntry, readAll } from "@tesseras/blobs";
import {
  blake3,
  type MlDsaSuite,
  parsePublicKeyPem,
  Sha256,
  verifyEd25519,
} from "@tesseras/crypto";
import { type FileRow, NOBODY } from "@tesseras/state";
import {
  type Checksum,
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  comparePackOrder,
  ED25519_SIGNATURE_PATH,
  type Manifest,
  MANIFEST_PATH,
  ML_DSA_KEY_PATH,
  ML_DSA_SIGNATURE_PATH,
  parseManifest,
  type Plan,
  planFits,
  printChecksums,
  readHead,
  readPlan,
  verifyPlan,
} from "@tesseras/tessera";
import type { Keepers } from "./holds.ts";
import { describe } from "./listing.ts";
import { checkedSource, chunksOf, openFile } from "./stored.ts";
import type { Survey } from "./survey.ts";

/** What recovery works with. */
export type RecoverParts = {
  readonly keepers: Keepers;
  readonly runtime: Runtime;
  readonly suite: MlDsaSuite;
  readonly survey: Survey;
};

/** A whole tessera that is not listed. */
export type FoundTessera = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  /** But for the two checksum lists, which are made anew. */
  readonly files: readonly FileRow[];
};

/** Looks for whole tesseras that are not listed. Both signatures of each are verified; its files were read by the survey. */
export async function* findTesseras(
  parts: RecoverParts,
  signal: AbortSignal,
): AsyncGenerator<FoundTessera> {
  const { keepers, survey } = parts;
  for (const hash of survey.manifests) {
    const id = tesseraId(hash);
    if (await keepers.state.tessera(id, signal) !== undefined) continue;
    try {
      const found = await wholeTessera(parts, hash, signal);
      if (found !== undefined) yield found;
    } catch (error) {
      // What only looks like a MANIFEST: anybody may have sent us such bytes.
      if (codeOf(error) !== "malformed") throw error;
    }
  }
}

/** Lists a tessera that was found. @throws `corrupt` when its bytes are not what they were for the survey */
export async function listAgain(
  { keepers, runtime, suite }: RecoverParts,
  { id, manifest, files }: FoundTessera,
  signal: AbortSignal,
): Promise<void> {
  const { blobs } = keepers;
  const sums: Checksum[] = [];
  for (const file of files) {
    await using reader = await openFile(blobs, file, signal);
    const digest = new Sha256();
    for await (const chunk of chunksOf(reader, signal)) digest.update(chunk);
    sums.push({ path: file.path, digest: digest.digest() });
  }
  const b3 = files.map(({ path, hash }) => ({ path, digest: hash }));
  const all = [
    ...files,
    await keepList(keepers, CHECKSUMS_B3_PATH, b3, signal),
    await keepList(keepers, CHECKSUMS_SHA256_PATH, sums, signal),
  ].toSorted((a, b) => comparePackOrder(a.path, b.path));
  const source = checkedSource(blobs, all);
  const { problems: [problem] } = await readHead(source, suite, signal);
  if (problem !== undefined) {
    throw new TesserasError("corrupt", `Cannot list ${keyOf(id)}: ${problem}`);
  }
  const row = describe({
    id,
    manifest,
    files: all,
    addedAtMs: runtime.clock.nowMs(),
    origin: "imported",
  });
  // Whatever fails, nothing is cleared away here: these bytes may be the only ones there are.
  await keepers.state.addTessera(row, all, signal);
}

async function keepList(
  { blobs }: Keepers,
  path: string,
  checksums: readonly Checksum[],
  signal: AbortSignal,
): Promise<FileRow> {
  await using writer = await blobs.create(signal);
  await writer.write(printChecksums(checksums), signal);
  return { path, ...await writer.commit(signal) };
}

async function wholeTessera(
  parts: RecoverParts,
  hash: Hash,
  signal: AbortSignal,
): Promise<FoundTessera | undefined> {
  const bytes = await soundBytes(parts, hash, signal);
  if (bytes === undefined) return undefined;
  const manifest = parseManifest(bytes);
  const files: FileRow[] = [
    { path: MANIFEST_PATH, hash, bytes: bytes.length },
  ];
  for (const { path, blake3, bytes } of manifest.files) {
    if (!await isSound(parts, { hash: blake3, bytes }, signal)) {
      return undefined;
    }
    files.push({ path, hash: blake3, bytes });
  }
  const signatures = await findSignatures(parts, { bytes, manifest }, signal);
  if (signatures === undefined) return undefined;
  return {
    id: tesseraId(hash),
    manifest,
    files: [...files, ...signatures],
  };
}

/** The blobs that sign a MANIFEST, which it cannot name: they are found by trying those of the right length. */
async function findSignatures(
  parts: RecoverParts,
  { bytes, manifest }: {
    readonly bytes: Uint8Array;
    readonly manifest: Manifest;
  },
  signal: AbortSignal,
): Promise<readonly FileRow[] | undefined> {
  const keyFile = manifest.files.find(({ path }) => path === ML_DSA_KEY_PATH);
  const pem = keyFile && await soundBytes(parts, keyFile.blake3, signal);
  if (pem === undefined) return undefined;
  const mlDsaKey = parsePublicKeyPem("mlDsa65", pem);
  if (!equal(blake3(mlDsaKey), manifest.creatorMlDsa)) return undefined;
  const rows: FileRow[] = [];
  const find = async (
    path: string,
    length: number,
    signs: (signature: Uint8Array) => boolean | Promise<boolean>,
  ): Promise<void> => {
    for (const entry of parts.survey.unlisted.signatures) {
      if (entry.bytes !== length) continue;
      const signature = await soundBytes(parts, entry.hash, signal);
      if (signature === undefined || !await signs(signature)) continue;
      rows.push({ path, hash: entry.hash, bytes: length });
      return;
    }
  };
  await find(
    ED25519_SIGNATURE_PATH,
    ED25519_SIGNATURE_BYTES,
    (signature) => verifyEd25519(manifest.creatorEd25519, bytes, signature),
  );
  await find(
    ML_DSA_SIGNATURE_PATH,
    ML_DSA_SIGNATURE_BYTES,
    (signature) => parts.suite.verify(mlDsaKey, bytes, signature),
  );
  return rows.length === 2 ? rows : undefined;
}

/** A plan, and which of its fragments are here in no row. */
export type FoundFragments = {
  readonly plan: Plan;
  readonly indices: readonly number[];
};

/** Looks for sound fragments in no row, by every plan that is here as a blob. The signatures of each plan are verified. */
export async function* findFragments(
  parts: RecoverParts,
  signal: AbortSignal,
): AsyncGenerator<FoundFragments> {
  const { survey, suite } = parts;
  for (const hash of survey.plans) {
    const bytes = await soundBytes(parts, hash, signal);
    if (bytes === undefined) continue;
    try {
      const plan = readPlan(bytes);
      const indices = await unlistedIndices(parts, plan, signal);
      if (indices.length === 0) continue;
      await verifyPlan(plan, suite);
      yield { plan, indices };
    } catch (error) {
      // What only looks like a plan: anybody may have sent us such bytes.
      const code = codeOf(error);
      if (code !== "malformed" && code !== "forged") throw error;
    }
  }
}

/** Remembers fragments that were found: as staged by us where the tessera is ours, else as kept for somebody unknown. */
export async function rememberFragments(
  { keepers, runtime }: RecoverParts,
  { plan, indices }: FoundFragments,
  signal: AbortSignal,
): Promise<void> {
  const { hash, tesseraId, bytes } = plan;
  const owner = await isOurs(keepers, plan, signal) ? undefined : NOBODY;
  for (const index of indices) {
    await keepers.state.keepFragment({ hash, tesseraId, bytes }, {
      planHash: hash,
      index,
      tesseraId,
      blob: plan.fragments[index]!,
      bytes: plan.shardBytes,
      owner,
      subnet: undefined,
      storedAtMs: runtime.clock.nowMs(),
      isRepair: false,
    }, signal);
  }
}

/** Of copies, which are all the same bytes, one: where none is listed, nobody knows which it was. */
async function unlistedIndices(
  parts: RecoverParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const { state } = parts.keepers;
  const rows = await state.fragmentsOfPlan(plan.hash, signal);
  const taken = new Set(rows.map(({ blob }) => keyOf(blob)));
  const indices: number[] = [];
  for (const [index, hash] of plan.fragments.entries()) {
    if (taken.has(keyOf(hash))) continue;
    taken.add(keyOf(hash));
    const entry = { hash, bytes: plan.shardBytes };
    if (await isSound(parts, entry, signal)) indices.push(index);
  }
  return indices;
}

async function isOurs(
  { state, blobs }: Keepers,
  plan: Plan,
  signal: AbortSignal,
): Promise<boolean> {
  const row = await state.tessera(plan.tesseraId, signal);
  if (row === undefined) return false;
  await using reader = await blobs.open(row.manifest, signal);
  if (reader === undefined) return false;
  try {
    const manifest = parseManifest(await readAll(reader, signal));
    planFits(plan, { id: row.id, manifest });
    return true;
  } catch (error) {
    // Others may keep fragments of our tesseras here by plans of their own.
    if (codeOf(error) !== "forged") throw error;
    return false;
  }
}

/** Whether a blob is there as long as it must be, and the survey did not find it damaged. */
async function isSound(
  { keepers, survey }: RecoverParts,
  { hash, bytes }: BlobEntry,
  signal: AbortSignal,
): Promise<boolean> {
  return !survey.damaged.has(keyOf(hash)) &&
    await keepers.blobs.size(hash, signal) === bytes;
}

/** A small blob that the survey found sound. */
async function soundBytes(
  { keepers, survey }: RecoverParts,
  hash: Hash,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (survey.damaged.has(keyOf(hash))) return undefined;
  await using reader = await keepers.blobs.open(hash, signal);
  return reader && await readAll(reader, signal);
}
