/** The whole import story: judge the signatures, copy every file while hashing it, and only then list it. */
import {
  codeOf,
  concat,
  equal,
  mapBounded,
  type Runtime,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { MANIFEST_BYTES_MAX } from "@tesseras/core/limits";
import { type MlDsaSuite, Sha256, sha256 } from "@tesseras/crypto";
import type { FileRow, Origin } from "@tesseras/state";
import {
  type Checksum,
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  comparePackOrder,
  ED25519_KEY_PATH,
  ED25519_SIGNATURE_PATH,
  isOwnPath,
  listedBytes,
  type Manifest,
  MANIFEST_PATH,
  type ManifestFile,
  ML_DSA_KEY_PATH,
  ML_DSA_SIGNATURE_PATH,
  type Plan,
  planFits,
  printChecksums,
  readHead,
  type TesseraHead,
  type TesseraSource,
  UNLISTED_PATHS,
} from "@tesseras/tessera";
import type { Keepers } from "./holds.ts";
import { Intake } from "./intake.ts";
import { addRows, describe } from "./listing.ts";
import { type OnProgress, Tally } from "./progress.ts";
import { quoted } from "./quoted.ts";

/** Files copied at once: the syncs of small ones wait together. */
const FILES_PARALLEL = 16;

/** Files read whole before anything else, so that what was judged is what is kept. */
const READ_FIRST = [
  MANIFEST_PATH,
  ED25519_KEY_PATH,
  ML_DSA_KEY_PATH,
  ED25519_SIGNATURE_PATH,
  ML_DSA_SIGNATURE_PATH,
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
];

/** What is brought in. */
export type ImportOrder = {
  readonly source: TesseraSource;
  /** The tessera it must be; any other is refused. */
  readonly expectedId?: TesseraId;
  /** The plan of the fragments it came as; one by anybody but its creator is refused. */
  readonly plan?: Plan;
  /** `imported` unless told. */
  readonly origin?: Origin;
};

/** What an import did. */
export type ImportReport = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  /** `exists` when the tessera was here before; its files are as good as new now. */
  readonly status: "added" | "exists";
  /** Files that lay beside the tessera and are no part of it, as a file manager drops them. */
  readonly ignored: readonly string[];
};

/** What an import works with. */
export type ImportParts = {
  readonly keepers: Keepers;
  readonly runtime: Runtime;
  readonly suite: MlDsaSuite;
};

/** See `Archive.import`. */
export async function importTessera(
  { keepers, runtime, suite }: ImportParts,
  order: ImportOrder,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ImportReport> {
  const source = await withFirst(order.source, signal);
  const head = await readHead(source, suite, signal);
  checkHead(head, order.expectedId);
  if (order.plan !== undefined) planFits(order.plan, head);
  const { id, manifest } = head;
  const ignored = await checkPresence(source, manifest, signal);
  await using intake = new Intake(keepers, runtime);
  const tally = new Tally(listedBytes(manifest), onProgress);
  const copy = new Copy({ keepers, intake, source, tally });
  const listed = await mapBounded(
    manifest.files,
    FILES_PARALLEL,
    (file, signal) => copy.listed(file, signal),
    signal,
  );
  const unlisted = await mapBounded(
    UNLISTED_PATHS.filter((path) => !isList(path)),
    FILES_PARALLEL,
    (path, signal) => copy.unlisted(path, signal),
    signal,
  );
  const lists = await copy.lists([...listed, ...unlisted], signal);
  const files = [...listed, ...unlisted, ...lists]
    .map(({ path, hash, bytes }): FileRow => ({ path, hash, bytes }))
    .toSorted((a, b) => comparePackOrder(a.path, b.path));
  const addedAtMs = runtime.clock.nowMs();
  const origin = order.origin ?? "imported";
  const row = describe({ id, manifest, files, addedAtMs, origin });
  const status = await addRows(keepers, intake, { row, files }, signal);
  return { id, manifest, status, ignored };
}

/** The source, with the files that are judged first held in memory: reading them twice gives the same bytes. */
async function withFirst(
  source: TesseraSource,
  signal: AbortSignal,
): Promise<TesseraSource> {
  const paths = new Set((await source.list(signal)).map(({ path }) => path));
  const contents = new Map<string, Uint8Array>();
  for (const path of READ_FIRST) {
    if (!paths.has(path)) continue;
    contents.set(path, await readWhole(source, path, signal));
  }
  return {
    list: (signal) => source.list(signal),
    async *read(path, signal) {
      const content = contents.get(path);
      if (content === undefined) yield* source.read(path, signal);
      else yield content;
    },
  };
}

async function readWhole(
  source: TesseraSource,
  path: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source.read(path, signal)) {
    bytes += chunk.length;
    if (bytes > MANIFEST_BYTES_MAX) {
      throw refused("malformed", `${path} is over ${MANIFEST_BYTES_MAX} bytes`);
    }
    chunks.push(chunk.slice());
  }
  return concat(chunks);
}

function checkHead(
  { id, problems }: TesseraHead,
  expectedId: TesseraId | undefined,
): void {
  if (expectedId !== undefined && !equal(id, expectedId)) {
    throw refused(
      "forged",
      `it is ${toHex(id)}, wanted ${toHex(expectedId)}`,
    );
  }
  const [problem] = problems;
  if (problem !== undefined) throw refused("forged", problem);
}

/** Every file of the tessera must be there, with its size; strangers may lie beside it, not inside. Returns those. */
async function checkPresence(
  source: TesseraSource,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const sizes = new Map(
    (await source.list(signal)).map(({ path, bytes }) => [path, bytes]),
  );
  for (const { path, bytes } of manifest.files) {
    const seen = sizes.get(path);
    if (seen === undefined) throw refused("corrupt", `${path} is missing`);
    if (seen !== bytes) throw wrongSize(path, seen, bytes);
  }
  for (const path of UNLISTED_PATHS) {
    if (!sizes.has(path)) throw refused("corrupt", `${path} is missing`);
  }
  const own = new Set([
    ...UNLISTED_PATHS,
    ...manifest.files.map(({ path }) => path),
  ]);
  const others = [...sizes.keys()].filter((path) => !own.has(path));
  const intruder = others.find(isOwnPath);
  if (intruder !== undefined) {
    throw refused("corrupt", `${quoted(intruder)} is not listed in MANIFEST`);
  }
  return others.toSorted();
}

/** A file that is in the store now, with the digest that the lists have of it. */
type Copied = FileRow & { readonly sha256: Uint8Array };

/** Copies files into blobs, hashing each once on the way. */
class Copy {
  readonly #keepers: Keepers;
  readonly #intake: Intake;
  readonly #source: TesseraSource;
  readonly #tally: Tally;

  constructor(
    parts: {
      readonly keepers: Keepers;
      readonly intake: Intake;
      readonly source: TesseraSource;
      readonly tally: Tally;
    },
  ) {
    this.#keepers = parts.keepers;
    this.#intake = parts.intake;
    this.#source = parts.source;
    this.#tally = parts.tally;
  }

  async listed(file: ManifestFile, signal: AbortSignal): Promise<Copied> {
    const { path, bytes } = file;
    await using writer = await this.#keepers.blobs.create(signal, "cold");
    const digest = new Sha256();
    for await (const chunk of this.#source.read(path, signal)) {
      if (writer.bytes + chunk.length > bytes) {
        throw wrongSize(path, writer.bytes + chunk.length, bytes);
      }
      const writing = writer.write(chunk, signal);
      digest.update(chunk);
      await writing;
      this.#tally.add(chunk.length);
    }
    if (writer.bytes !== bytes) throw wrongSize(path, writer.bytes, bytes);
    try {
      const { hash } = await this.#intake.commit(writer, signal, file.blake3);
      return { path, hash, bytes, sha256: digest.digest() };
    } catch (error) {
      if (codeOf(error) !== "corrupt") throw error;
      throw refused(
        "corrupt",
        `${path} does not have the BLAKE3 that MANIFEST lists`,
        error,
      );
    }
  }

  async unlisted(path: string, signal: AbortSignal): Promise<Copied> {
    const content = await readWhole(this.#source, path, signal);
    const { hash, bytes } = await this.#intake.add(content, signal);
    return { path, hash, bytes, sha256: sha256(content) };
  }

  /** The checksum lists, which must be exactly what the files give. */
  async lists(
    files: readonly Copied[],
    signal: AbortSignal,
  ): Promise<readonly FileRow[]> {
    const b3 = files.map(({ path, hash }) => ({ path, digest: hash }));
    const sha = files.map(({ path, sha256 }) => ({ path, digest: sha256 }));
    return [
      await this.#list(CHECKSUMS_B3_PATH, b3, signal),
      await this.#list(CHECKSUMS_SHA256_PATH, sha, signal),
    ];
  }

  async #list(
    path: string,
    checksums: readonly Checksum[],
    signal: AbortSignal,
  ): Promise<FileRow> {
    const wanted = printChecksums(checksums);
    const seen = await readWhole(this.#source, path, signal);
    if (!equal(seen, wanted)) {
      throw refused("corrupt", `${path} is not the list of these files`);
    }
    const { hash, bytes } = await this.#intake.add(wanted, signal);
    return { path, hash, bytes };
  }
}

function isList(path: string): boolean {
  return path === CHECKSUMS_B3_PATH || path === CHECKSUMS_SHA256_PATH;
}

function wrongSize(path: string, seen: number, wanted: number): TesserasError {
  return refused("corrupt", `${path} has ${seen} bytes, wanted ${wanted}`);
}

function refused(
  code: "corrupt" | "forged" | "malformed",
  reason: string,
  cause?: unknown,
): TesserasError {
  return new TesserasError(code, `Cannot import tessera: ${reason}`, {
    cause,
  });
}
