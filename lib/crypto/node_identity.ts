/** A node's identity: an Ed25519 key and a nonce whose hash is the node id, which costs work to make. */
import {
  type Clock,
  concat,
  equal,
  equalConstantTime,
  type NodeId,
  nodeId,
  TesserasError,
  throwIfAborted,
  u64be,
  utf8,
} from "@tesseras/core";
import {
  ED25519_KEY_BYTES,
  NODE_ID_BYTES,
  SEED_BYTES,
} from "@tesseras/core/limits";
import { blake3 } from "./blake3.ts";
import { ed25519KeyFromSeed } from "./ed25519.ts";
import { deriveSeed } from "./key_contexts.ts";
import { findNonce, leadingZeroBits } from "./pow.ts";

/** A node that can sign: what the transport, the hello and every signed record need of it. */
export interface NodeSigner {
  readonly id: NodeId;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The number that makes the id begin with zero bits. */
  readonly powNonce: bigint;
  /** Ed25519 over the message, 64 bytes. Borrows the message. */
  sign(message: Uint8Array): Uint8Array;
}

/** What a key file holds: everything that makes a node itself. The seed is secret. */
export type NodeKey = {
  /** 32 bytes, from which the node's keys derive. */
  readonly seed: Uint8Array;
  readonly powNonce: bigint;
};

/** How to search for a nonce. */
export type MintOptions = {
  /** Leading zero bits the id must have. */
  readonly powBits: number;
  /** Lets other work run between two slices of the search. */
  readonly clock: Clock;
  /** Called between two slices with the number of hashes tried so far. */
  readonly onProgress?: (attempts: number) => void;
};

/** First bytes of a key file; the digit is its version. */
const KEY_FILE_TAG = utf8("TESNODE1");
/** Bytes of BLAKE3 at the end of a key file: enough to notice rot, which is all they are for. */
const KEY_FILE_CHECK_BYTES = 8;
const KEY_FILE_BODY_BYTES = KEY_FILE_TAG.length + SEED_BYTES +
  ED25519_KEY_BYTES + 8;
/** Hashes between two breaths: about 10 ms with the SIMD kernel, so that timers and sockets stay awake. */
const SLICE_ATTEMPTS = 1 << 18;

/** The id of a key and nonce: first 20 bytes of BLAKE3(public key || 8-byte big-endian nonce). */
export function nodeIdOf(publicKey: Uint8Array, powNonce: bigint): NodeId {
  const digest = blake3(concat([publicKey, u64be(powNonce)]));
  return nodeId(digest.slice(0, NODE_ID_BYTES));
}

/**
 * Searches a nonce for the seed's public key: 2^powBits hashes on average. Copies the seed.
 *
 * @throws `malformed` unless the seed is 32 bytes; `cancelled` when the signal aborts
 */
export async function mintNode(
  seed: Uint8Array,
  options: MintOptions,
  signal: AbortSignal,
): Promise<NodeSigner> {
  const { powBits, clock } = options;
  const { publicKey } = nodeSigningKey(seed);
  for (let from = 0n;; from += BigInt(SLICE_ATTEMPTS)) {
    throwIfAborted(signal);
    const found = findNonce(publicKey, powBits, {
      from,
      attempts: SLICE_ATTEMPTS,
    });
    if (found !== undefined) return nodeFromSeed(seed, found, powBits);
    options.onProgress?.(Number(from) + SLICE_ATTEMPTS);
    await clock.sleep(0, signal);
  }
}

/**
 * The signer of a seed and a nonce that was found before. Copies the seed.
 *
 * @throws `malformed` unless the seed is 32 bytes; `forged` when the id has fewer than `powBits` leading zero bits
 */
export function nodeFromSeed(
  seed: Uint8Array,
  powNonce: bigint,
  powBits: number,
): NodeSigner {
  const { publicKey, sign } = nodeSigningKey(seed);
  const id = nodeIdOf(publicKey, powNonce);
  const bits = leadingZeroBits(id);
  if (bits < powBits) {
    throw new TesserasError(
      "forged",
      `Cannot use node identity: its id has ${bits} leading zero bits, the network wants ${powBits}`,
    );
  }
  return { id, publicKey, powNonce, sign };
}

/**
 * The bytes of `identity.key`, 88 in all: `TESNODE1`, seed, public key, nonce (8 bytes, big-endian), and the first
 * 8 bytes of BLAKE3 over what stands before them. Secret.
 */
export function printNodeKey(key: NodeKey): Uint8Array {
  const { publicKey } = nodeSigningKey(key.seed);
  const body = concat([
    KEY_FILE_TAG,
    key.seed,
    publicKey,
    u64be(key.powNonce),
  ]);
  return concat([body, blake3(body).subarray(0, KEY_FILE_CHECK_BYTES)]);
}

/**
 * Reads the bytes of `identity.key`. The work is not judged here: {@link nodeFromSeed} does that.
 *
 * @throws `malformed` when it is no key file of version 1; `corrupt` when its checksum or its public key does not fit
 */
export function parseNodeKey(bytes: Uint8Array): NodeKey {
  const wanted = KEY_FILE_BODY_BYTES + KEY_FILE_CHECK_BYTES;
  if (
    bytes.length !== wanted ||
    !equal(bytes.subarray(0, KEY_FILE_TAG.length), KEY_FILE_TAG)
  ) {
    throw new TesserasError(
      "malformed",
      `Cannot read node key: ${bytes.length} bytes, wanted ${wanted} that begin with TESNODE1`,
    );
  }
  const body = bytes.subarray(0, KEY_FILE_BODY_BYTES);
  const check = blake3(body).subarray(0, KEY_FILE_CHECK_BYTES);
  if (!equalConstantTime(check, bytes.subarray(KEY_FILE_BODY_BYTES))) {
    throw new TesserasError(
      "corrupt",
      "Cannot read node key: its checksum does not fit; restore it from a copy",
    );
  }
  const seedEnd = KEY_FILE_TAG.length + SEED_BYTES;
  const seed = body.slice(KEY_FILE_TAG.length, seedEnd);
  const { publicKey } = nodeSigningKey(seed);
  if (
    !equal(publicKey, body.subarray(seedEnd, seedEnd + ED25519_KEY_BYTES))
  ) {
    throw new TesserasError(
      "corrupt",
      "Cannot read node key: its public key is not that of its seed; restore it from a copy",
    );
  }
  const nonce = new DataView(body.buffer, body.byteOffset + body.length - 8, 8);
  return { seed, powNonce: nonce.getBigUint64(0) };
}

function nodeSigningKey(seed: Uint8Array) {
  return ed25519KeyFromSeed(deriveSeed(seed, "nodeEd25519"));
}
