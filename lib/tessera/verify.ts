/** Verifying a whole tessera in one pass over its bytes, whoever holds them: a folder, a tar, an archive. */
import {
  Blake3,
  type MlDsaSuite,
  Sha256,
  type SignedBoth,
} from "@tesseras/crypto";
import {
  equal,
  type Hash,
  type TesseraId,
  throwIfAborted,
  toHex,
  utf8,
} from "@tesseras/core";
import { HASH_BYTES, MANIFEST_BYTES_MAX } from "@tesseras/core/limits";
import { type Checksum, printChecksums } from "./checksums.ts";
import { readHead, readSmall, type TesseraSource } from "./head.ts";
import type { Manifest, ManifestFile } from "./manifest.ts";
import {
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  ED25519_SIGNATURE_PATH,
  isOwnPath,
  MANIFEST_PATH,
  ML_DSA_SIGNATURE_PATH,
  UNLISTED_PATHS,
} from "./paths.ts";

/** What became of one file. */
export type FileReport = {
  readonly path: string;
  readonly status: "ok" | "failed" | "missing" | "unexpected";
  /** Why, for a person, unless it is ok. */
  readonly detail?: string;
};

/** What a copy of a tessera is worth. */
export type VerifyReport = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  readonly signatures: SignedBoth;
  /** Every file of the MANIFEST by path, then what else was there. */
  readonly files: readonly FileReport[];
  /** Whether the two checksum lists are exactly what they must be. */
  readonly checksums: { readonly b3: boolean; readonly sha256: boolean };
  /** What is wrong beyond single files, a sentence each. */
  readonly problems: readonly string[];
  /** Nothing is wrong. Files of others that lie outside the tessera's folders do not count. */
  readonly passed: boolean;
};

/** How to verify. */
export type VerifyOptions = {
  readonly suite: MlDsaSuite;
  /** The tessera it should be; another one does not pass. */
  readonly expectedId?: TesseraId;
  /** Called as soon as a file is judged. */
  readonly onFile?: (report: FileReport) => void;
};

/** What the MANIFEST does not list and both checksum lists do. */
const SIGNED_PATHS = [
  MANIFEST_PATH,
  ED25519_SIGNATURE_PATH,
  ML_DSA_SIGNATURE_PATH,
];

/**
 * Verifies a copy of a tessera: both signatures, every file's BLAKE3 and size, both checksum lists, and that nothing was slipped
 * in. Memory does not grow with the size of files.
 *
 * @throws `missing` when there is no MANIFEST; `malformed` when it cannot be read; `cancelled`; what the source throws
 */
export async function verifyTessera(
  source: TesseraSource,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const { suite, expectedId, onFile } = options;
  const sizes = new Map(
    (await source.list(signal)).map(({ path, bytes }) => [path, bytes]),
  );
  const head = await readHead(source, suite, signal);
  const problems = [...head.problems];
  if (expectedId !== undefined && !equal(expectedId, head.id)) {
    problems.push(
      `This is tessera ${toHex(head.id)}, wanted ${toHex(expectedId)}`,
    );
  }
  const pass = new FilePass(source, sizes, onFile);
  for (const file of head.manifest.files) await pass.check(file, signal);
  for (const path of SIGNED_PATHS) {
    await pass.hashUnlisted(path, signal);
  }
  const checksums = await pass.checkLists(signal);
  pass.reportOthers(head.manifest);
  if (!checksums.b3) {
    problems.push(`${CHECKSUMS_B3_PATH} is not the list of this tessera`);
  }
  if (!checksums.sha256) {
    problems.push(`${CHECKSUMS_SHA256_PATH} is not the list of this tessera`);
  }
  return {
    id: head.id,
    manifest: head.manifest,
    signatures: head.signatures,
    files: pass.reports,
    checksums,
    problems,
    passed: problems.length === 0 && pass.reports.every(isHarmless),
  };
}

/** One pass over the files, remembering what the checksum lists must say. */
class FilePass {
  readonly reports: FileReport[] = [];
  readonly #source: TesseraSource;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #onFile: ((report: FileReport) => void) | undefined;
  readonly #b3: Checksum[] = [];
  readonly #sha256: Checksum[] = [];
  /** Damaged files: what SHA-256 they should have, no list but the one under judgement knows. */
  readonly #unknown: string[] = [];

  constructor(
    source: TesseraSource,
    sizes: ReadonlyMap<string, number>,
    onFile: ((report: FileReport) => void) | undefined,
  ) {
    this.#source = source;
    this.#sizes = sizes;
    this.#onFile = onFile;
  }

  async check(file: ManifestFile, signal: AbortSignal): Promise<void> {
    const { path } = file;
    // What the MANIFEST says is what the list must say, whatever the file has become.
    this.#b3.push({ path, digest: file.blake3 });
    const bytes = this.#sizes.get(path);
    if (bytes === undefined) {
      this.#unknown.push(path);
      return this.#report({ path, status: "missing", detail: "not there" });
    }
    const seen = await this.#hash(path, file.bytes, signal);
    if (seen === undefined || seen.bytes !== file.bytes) {
      this.#unknown.push(path);
      return this.#report({
        path,
        status: "failed",
        detail: `${seen?.bytes ?? bytes} bytes, wanted ${file.bytes}`,
      });
    }
    if (!equal(seen.blake3, file.blake3)) {
      this.#unknown.push(path);
      return this.#report({
        path,
        status: "failed",
        detail: `BLAKE3 is ${toHex(seen.blake3)}, wanted ${toHex(file.blake3)}`,
      });
    }
    this.#sha256.push({ path, digest: seen.sha256 });
    this.#report({ path, status: "ok" });
  }

  /** MANIFEST and signatures have no line in the MANIFEST, but one in each list. */
  async hashUnlisted(path: string, signal: AbortSignal): Promise<void> {
    if (!this.#sizes.has(path)) {
      return this.#report({ path, status: "missing", detail: "not there" });
    }
    const seen = await this.#hash(path, MANIFEST_BYTES_MAX, signal);
    if (seen === undefined) {
      return this.#report({ path, status: "failed", detail: "too long" });
    }
    this.#b3.push({ path, digest: seen.blake3 });
    this.#sha256.push({ path, digest: seen.sha256 });
  }

  async checkLists(
    signal: AbortSignal,
  ): Promise<{ readonly b3: boolean; readonly sha256: boolean }> {
    const unknown = this.#unknown;
    return {
      b3: await this.#isList({
        path: CHECKSUMS_B3_PATH,
        known: this.#b3,
        unknown: [],
      }, signal),
      sha256: await this.#isList({
        path: CHECKSUMS_SHA256_PATH,
        known: this.#sha256,
        unknown,
      }, signal),
    };
  }

  reportOthers(manifest: Manifest): void {
    const own = new Set([
      ...UNLISTED_PATHS,
      ...manifest.files.map(({ path }) => path),
    ]);
    for (const path of [...this.#sizes.keys()].toSorted()) {
      if (own.has(path)) continue;
      const detail = "not listed in MANIFEST: not a part of this tessera";
      this.#report({ path, status: "unexpected", detail });
    }
  }

  /** Whether the list at `path` says what is known, and anything of the form of a digest where nothing is. */
  async #isList(
    list: {
      readonly path: string;
      readonly known: readonly Checksum[];
      readonly unknown: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<boolean> {
    const blank = list.unknown.map((path) => ({
      path,
      digest: new Uint8Array(HASH_BYTES),
    }));
    const wanted = printChecksums([...list.known, ...blank]);
    if (this.#sizes.get(list.path) !== wanted.length) return false;
    const seen = await readSmall(this.#source, {
      path: list.path,
      bytesMax: wanted.length,
    }, signal);
    return equal(blanked(seen, new Set(list.unknown)), wanted);
  }

  /** Both digests of a file in one read; `undefined` as soon as it is longer than it may be. */
  async #hash(
    path: string,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<
    | {
      readonly bytes: number;
      readonly blake3: Hash;
      readonly sha256: Uint8Array;
    }
    | undefined
  > {
    const b3 = new Blake3();
    const sha = new Sha256();
    let bytes = 0;
    for await (const chunk of this.#source.read(path, signal)) {
      throwIfAborted(signal);
      bytes += chunk.length;
      if (bytes > bytesMax) return undefined;
      b3.update(chunk);
      sha.update(chunk);
    }
    return { bytes, blake3: b3.digest(), sha256: sha.digest() };
  }

  #report(report: FileReport): void {
    this.reports.push(report);
    this.#onFile?.(report);
  }
}

/** A list with zeros for the digests of some paths. */
function blanked(list: Uint8Array, paths: ReadonlySet<string>): Uint8Array {
  if (paths.size === 0) return list;
  const lines = new TextDecoder().decode(list).split("\n");
  return utf8(
    lines.map((line) => {
      const [, path] = /^[0-9a-f]{64} {2}(.*)$/.exec(line) ?? [];
      return path !== undefined && paths.has(path)
        ? `${"0".repeat(2 * HASH_BYTES)}  ${path}`
        : line;
    }).join("\n"),
  );
}

function isHarmless({ path, status }: FileReport): boolean {
  return status === "ok" ||
    status === "unexpected" && !isOwnPath(path);
}
