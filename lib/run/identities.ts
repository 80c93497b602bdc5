/** The two identities on a machine: the node's, made by itself, and the creator's, made by `tes init`. */
import { join } from "node:path";
import {
  codeOf,
  equalConstantTime,
  fromHex,
  fromUtf8,
  messageOf,
  type Runtime,
  TesserasError,
  toHex,
  utf8,
} from "@tesseras/core";
import { SEED_BYTES } from "@tesseras/core/limits";
import {
  blake3,
  type CreatorKeys,
  creatorKeysFromSeed,
  mintNode,
  nodeFromSeed,
  type NodeSigner,
  parseNodeKey,
  printNodeKey,
} from "@tesseras/crypto";
import type { DataPaths } from "./paths.ts";
import {
  clearLeftovers,
  makePrivateFolder,
  readSecret,
  writeNewSecret,
} from "./secret_files.ts";

/** More than any of our key files has. */
const KEY_FILE_BYTES_MAX = 4096;
const SEED_FILE_HEAD = "TESSERAS MASTER SEED v1";

/**
 * The node's identity, made and written down when there is none.
 *
 * @throws `malformed`, `corrupt` or `forged` with a sentence that names the file when it cannot be used; it is never replaced
 */
export async function loadOrMintNode(
  paths: DataPaths,
  powBits: number,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<NodeSigner> {
  const known = await readSecret(paths.nodeKey, KEY_FILE_BYTES_MAX);
  if (known === undefined) {
    await makePrivateFolder(paths.dataDir);
    const seed = runtime.random.bytes(SEED_BYTES);
    const { clock } = runtime;
    const signer = await mintNode(seed, { powBits, clock }, signal);
    const file = printNodeKey({ seed, powNonce: signer.powNonce });
    await writeNewSecret(paths.nodeKey, file);
    runtime.log.info("identity.minted", { id: toHex(signer.id), powBits });
  }
  await clearLeftovers(paths.nodeKey);
  // Read back also when it was just made: what counts is what the next start will find.
  const file = known ?? await readSecret(paths.nodeKey, KEY_FILE_BYTES_MAX);
  return nodeInFile(paths, file ?? new Uint8Array(0), powBits);
}

/** The node's identity by what its file has. @throws as {@link loadOrMintNode} */
export function nodeInFile(
  paths: DataPaths,
  file: Uint8Array,
  powBits: number,
): NodeSigner {
  return inFile(paths.nodeKey, () => {
    const { seed, powNonce } = parseNodeKey(file);
    return nodeFromSeed(seed, powNonce, powBits);
  });
}

/** Where the creator's master seed lies. */
export function seedPath(paths: DataPaths): string {
  return join(paths.identity, "master.seed");
}

/**
 * The creator's keys.
 *
 * @throws `missing` when there is no identity yet, `malformed` or `corrupt` when its file cannot be used
 */
export async function loadCreator(paths: DataPaths): Promise<CreatorKeys> {
  const path = seedPath(paths);
  const file = await readSecret(path, KEY_FILE_BYTES_MAX);
  if (file === undefined) {
    throw new TesserasError(
      "missing",
      `Cannot sign: there is no identity in ${paths.identity}; run "tes init" first`,
    );
  }
  return creatorInFile(paths, file);
}

/** The creator's keys by what their file has. @throws as {@link loadCreator} */
export function creatorInFile(
  paths: DataPaths,
  file: Uint8Array,
): CreatorKeys {
  const seed = inFile(seedPath(paths), () => parseSeedFile(file));
  return creatorKeysFromSeed(seed);
}

/**
 * Makes the creator's identity unless there is one. Two at once agree on one.
 *
 * @returns whether it was made
 * @throws as {@link loadCreator} when there is one that cannot be used
 */
export async function initCreator(
  paths: DataPaths,
  runtime: Runtime,
): Promise<boolean> {
  const path = seedPath(paths);
  await clearLeftovers(path);
  if (await readSecret(path, KEY_FILE_BYTES_MAX) === undefined) {
    await makePrivateFolder(paths.dataDir);
    await makePrivateFolder(paths.identity);
    const file = printSeedFile(runtime.random.bytes(SEED_BYTES));
    try {
      await writeNewSecret(path, file);
      return true;
    } catch (error) {
      // Somebody else was first: theirs is as good as ours.
      const theirs = await readSecret(path, KEY_FILE_BYTES_MAX);
      if (theirs === undefined) throw error;
    }
  }
  await loadCreator(paths);
  return false;
}

/** Text, so that it can be copied by hand if it must; the check tells a copying error. */
function printSeedFile(seed: Uint8Array): Uint8Array {
  return utf8(
    `${SEED_FILE_HEAD}\nseed: ${toHex(seed)}\ncheck: ${toHex(checkOf(seed))}\n`,
  );
}

function parseSeedFile(bytes: Uint8Array): Uint8Array {
  const [head, seedLine, checkLine] = fromUtf8(bytes).split(/\r?\n/);
  const seed = /^seed: ([0-9a-f]{64})$/.exec(seedLine ?? "")?.[1];
  const check = /^check: ([0-9a-f]{16})$/.exec(checkLine ?? "")?.[1];
  if (head !== SEED_FILE_HEAD || seed === undefined || check === undefined) {
    throw new TesserasError(
      "malformed",
      "Cannot read master seed: it is no master seed of version 1; restore it from a copy",
    );
  }
  const value = fromHex(seed);
  if (!equalConstantTime(checkOf(value), fromHex(check))) {
    throw new TesserasError(
      "corrupt",
      "Cannot read master seed: its check does not fit its seed; restore it from a copy",
    );
  }
  return value;
}

/** Reads the content of a file, naming the file in what is thrown: several hold keys. */
function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === undefined) throw cause;
    const reason = messageOf(cause).replace(/^Cannot [\w ]+: /, "");
    throw new TesserasError(code, `Cannot use ${path}: ${reason}`, { cause });
  }
}

/** 8 bytes: enough to tell a slip of the hand. */
function checkOf(seed: Uint8Array): Uint8Array {
  return blake3(utf8(`${SEED_FILE_HEAD} check ${toHex(seed)}`)).slice(0, 8);
}
