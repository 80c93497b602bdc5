/** Composing a tessera: from memories that were hashed to every file of it but the memories themselves. */
import {
  blake3,
  type CreatorKeys,
  printPublicKeyPem,
  sha256,
} from "@tesseras/crypto";
import {
  compare,
  type Hash,
  hash,
  type TesseraId,
  tesseraId,
  TesserasError,
  toHex,
  utf8,
} from "@tesseras/core";
import { TESSERA_FILES_MAX } from "@tesseras/core/limits";
import { printChecksums } from "./checksums.ts";
import { decodeTexts } from "./decode_texts.ts";
import { type Manifest, printManifest } from "./manifest.ts";
import {
  type MemoryInput,
  printContext,
  printMeta,
  printSchema,
} from "./meta.ts";
import { packLayout } from "./pack.ts";
import {
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  comparePackOrder,
  comparePaths,
  ED25519_KEY_PATH,
  ED25519_SIGNATURE_PATH,
  MANIFEST_PATH,
  ML_DSA_KEY_PATH,
  ML_DSA_SIGNATURE_PATH,
  README_PATH,
  SCHEMA_PATH,
} from "./paths.ts";
import { printReadme } from "./readme.ts";

/** What a person says about a tessera, and the memories in it. */
export type TesseraInput = {
  /** In any order; the tessera does not depend on it. */
  readonly memories: readonly MemoryInput[];
  readonly title: string;
  /** Unix milliseconds; cut to the second. */
  readonly createdAtMs: number;
  /** BCP 47, like `pt-BR`. */
  readonly language: string;
  readonly tags: readonly string[];
  readonly location?: string;
  readonly visibility: "public";
};

/** A file of a tessera. */
export type Entry = {
  readonly path: string;
  readonly bytes: number;
  readonly blake3: Hash;
  /** The bytes of a file that was made here; a memory's own are where its person has them. */
  readonly content?: Uint8Array;
  /** The memory whose media this is. */
  readonly memory?: MemoryInput;
};

/** A whole tessera but for the contents of its memories. */
export type Composed = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  /** In pack order. */
  readonly entries: readonly Entry[];
  readonly packBytes: number;
};

/** An entry with all that the lists say about it. */
type Listed = Entry & { readonly sha256: Uint8Array; readonly mime: string };

const TEXT = "text/plain";

/**
 * Composes and signs a tessera. The same input and keys give the same bytes everywhere.
 *
 * @throws `unusable` without a memory, with more files or bytes than a tessera holds, or with a title, tag, location or
 *   language that does not fit
 */
export function composeTessera(
  input: TesseraInput,
  keys: CreatorKeys,
): Composed {
  const memories = placed(input.memories);
  const files = [
    ...memories.flatMap(memoryFiles),
    ...commonFiles(input, memories, keys),
  ].toSorted((a, b) => comparePaths(a.path, b.path));
  const manifest = manifestOf(input, files, keys);
  const manifestBytes = printManifest(manifest);
  const signatures = keys.sign(manifestBytes);
  const signed = [
    ...files,
    made(MANIFEST_PATH, TEXT, manifestBytes),
    made(ED25519_SIGNATURE_PATH, "", signatures.ed25519),
    made(ML_DSA_SIGNATURE_PATH, "", signatures.mlDsa),
  ];
  const entries: Entry[] = [...signed, ...checksumFiles(signed)]
    .toSorted((a, b) => comparePackOrder(a.path, b.path))
    .map(({ sha256: _, mime: __, ...entry }) => entry);
  return {
    id: tesseraId(blake3(manifestBytes)),
    manifest,
    manifestBytes,
    entries,
    packBytes: packLayout(entries).bytes,
  };
}

/** A memory and the folder it gets. */
export type PlacedMemory = {
  readonly folder: string;
  readonly memory: MemoryInput;
};

/** Gives every memory the folder of its hash; equal contents under other names get `-2`, `-3` and so on, by the bytes of the name. */
function placed(memories: readonly MemoryInput[]): readonly PlacedMemory[] {
  if (memories.length === 0) {
    throw new TesserasError(
      "unusable",
      "Cannot create tessera: there is no memory in it, wanted at least one .jpg, .png, .wav, .webm or .txt file",
    );
  }
  if (3 * memories.length > TESSERA_FILES_MAX) {
    throw new TesserasError(
      "unusable",
      `Cannot create tessera: ${memories.length} memories, allowed are ${
        Math.floor(TESSERA_FILES_MAX / 3) - 10
      }`,
    );
  }
  const named = memories.map((memory) => ({ memory, key: utf8(memory.name) }));
  const sorted = named.toSorted((a, b) => compare(a.key, b.key));
  const counts = new Map<string, number>();
  return sorted.map(({ memory }) => {
    const digest = toHex(memory.blake3);
    const count = (counts.get(digest) ?? 0) + 1;
    counts.set(digest, count);
    const suffix = count === 1 ? "" : `-${count}`;
    return { folder: `memories/${digest}${suffix}`, memory };
  });
}

function memoryFiles({ folder, memory }: PlacedMemory): readonly Listed[] {
  return [
    {
      path: `${folder}/media.${memory.kind.extension}`,
      bytes: memory.bytes,
      blake3: hash(memory.blake3),
      sha256: memory.sha256,
      mime: memory.kind.mime,
      memory,
    },
    made(`${folder}/context.txt`, TEXT, printContext(memory)),
    made(`${folder}/meta.json`, "application/json", printMeta(memory)),
  ];
}

/** What every tessera carries: keys, the way to read it, the schema. */
function commonFiles(
  input: TesseraInput,
  memories: readonly PlacedMemory[],
  keys: CreatorKeys,
): readonly Listed[] {
  const { ed25519, mlDsa } = keys.publicKeys;
  const pem = "application/x-pem-file";
  const kinds = new Set(memories.map(({ memory }) => memory.kind.name));
  return [
    made(ED25519_KEY_PATH, pem, printPublicKeyPem("ed25519", ed25519)),
    made(ML_DSA_KEY_PATH, pem, printPublicKeyPem("mlDsa65", mlDsa)),
    made(README_PATH, TEXT, printReadme(input, memories)),
    made(SCHEMA_PATH, "application/schema+json", printSchema()),
    ...decodeTexts(kinds).map(({ path, text }) => made(path, TEXT, utf8(text))),
  ];
}

function manifestOf(
  input: TesseraInput,
  files: readonly Listed[],
  keys: CreatorKeys,
): Manifest {
  const { ed25519, mlDsa } = keys.publicKeys;
  return {
    title: input.title.toWellFormed(),
    createdAtMs: Math.floor(input.createdAtMs / 1_000) * 1_000,
    language: input.language,
    tags: input.tags.map((tag) => tag.toWellFormed()),
    ...(input.location === undefined
      ? {}
      : { location: input.location.toWellFormed() }),
    visibility: input.visibility,
    creatorEd25519: ed25519,
    creatorMlDsa: blake3(mlDsa),
    extras: [],
    files: files.map(({ path, bytes, mime, blake3 }) => ({
      path,
      bytes,
      mime,
      blake3,
    })),
  };
}

/** The two lists, each of everything but the two. */
function checksumFiles(listed: readonly Listed[]): readonly Listed[] {
  const b3 = listed.map(({ path, blake3 }) => ({ path, digest: blake3 }));
  const sha = listed.map(({ path, sha256 }) => ({ path, digest: sha256 }));
  return [
    made(CHECKSUMS_B3_PATH, TEXT, printChecksums(b3)),
    made(CHECKSUMS_SHA256_PATH, TEXT, printChecksums(sha)),
  ];
}

function made(path: string, mime: string, content: Uint8Array): Listed {
  return {
    path,
    bytes: content.length,
    blake3: blake3(content),
    sha256: sha256(content),
    mime,
    content,
  };
}
