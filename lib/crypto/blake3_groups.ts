/**
 * How content is divided into groups of chunks, and what of its BLAKE3 tree proves a range of them. Section numbers are
 * those of the BLAKE3 paper.
 */
import { type Hash, hash, TesserasError } from "@tesseras/core";
import { HASH_BYTES, KIB } from "@tesseras/core/limits";
import {
  CHUNK_BYTES,
  engine,
  PLAIN,
  VALUE_BYTES,
  WINDOW_BYTES,
} from "./blake3_engine.ts";

/**
 * Bytes of a group unless told. The smallest piece that can be verified: the values of all groups are 1/512 of the
 * content, and a proof of one group has one value for each doubling of the rest.
 */
export const GROUP_BYTES_DEFAULT = 16 * KIB;
/** Bytes of a group at most: hashed in one go. */
export const GROUP_BYTES_MAX = WINDOW_BYTES;

/** Content and how it is divided. The last group may be shorter; empty content is one empty group. */
export type ContentShape = {
  /** Must come from whoever gave the hash: a proof shows it only when its range reaches the end. */
  readonly totalBytes: number;
  /** A power of two from 1 to 64 KiB; {@link GROUP_BYTES_DEFAULT} unless told. */
  readonly groupBytes?: number;
};

/** A stretch of content. Empty only where the content is. */
export type ByteRange = { readonly offset: number; readonly bytes: number };

/** Groups by number, from the first to before the last. */
export type Groups = { readonly from: number; readonly to: number };

/** A shape that was checked. */
export type Division = {
  readonly totalBytes: number;
  readonly groupBytes: number;
  readonly groupCount: number;
};

/** Checks a shape. @throws `malformed` unless its numbers can be */
export function divisionOf(
  { totalBytes, groupBytes = GROUP_BYTES_DEFAULT }: ContentShape,
): Division {
  const chunks = groupBytes / CHUNK_BYTES;
  const valid = Number.isInteger(Math.log2(chunks)) && chunks >= 1 &&
    groupBytes <= GROUP_BYTES_MAX;
  if (!valid || !Number.isSafeInteger(totalBytes) || totalBytes < 0) {
    throw new TesserasError(
      "malformed",
      `Cannot divide ${totalBytes} bytes by ${groupBytes}: ` +
        `wanted groups of a power of two from ${CHUNK_BYTES} to ${GROUP_BYTES_MAX}`,
    );
  }
  const groupCount = Math.max(1, Math.ceil(totalBytes / groupBytes));
  return { totalBytes, groupBytes, groupCount };
}

/** The groups that a range touches. @throws `malformed` unless the range lies in the content */
export function groupsOf(division: Division, range: ByteRange): Groups {
  const { totalBytes, groupBytes } = division;
  const { offset, bytes } = range;
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) &&
    offset >= 0 && offset + bytes <= totalBytes &&
    (bytes > 0 || bytes === 0 && totalBytes === 0);
  if (!valid) {
    throw new TesserasError(
      "malformed",
      `Cannot prove ${bytes} bytes at ${offset}: wanted some of ${totalBytes}`,
    );
  }
  return {
    from: Math.floor(offset / groupBytes),
    to: Math.max(1, Math.ceil((offset + bytes) / groupBytes)),
  };
}

/** Where groups begin and how many bytes they have. */
export function stretchOf(
  { totalBytes, groupBytes }: Division,
  { from, to }: Groups,
): ByteRange {
  const offset = from * groupBytes;
  return { offset, bytes: Math.min(totalBytes, to * groupBytes) - offset };
}

/** The chaining value of one of several groups, written where it belongs. */
export function writeGroupValue(
  bytes: Uint8Array,
  { groupBytes }: Division,
  place: {
    readonly group: number;
    readonly values: Uint8Array;
    readonly at: number;
  },
): void {
  const firstChunk = place.group * groupBytes / CHUNK_BYTES;
  engine().subtree(bytes, PLAIN, {
    firstChunk,
    keep: 1,
    values: place.values,
    at: place.at,
  });
}

/**
 * The values that prove some groups, from left to right: of each of those groups, and of every largest subtree without
 * any of them. `Groups` of one number is a group, of several a subtree.
 */
export function* frontierOf(
  groups: Groups,
  proven: Groups,
): Generator<Groups, void, undefined> {
  const { from, to } = groups;
  if (to - from === 1 || to <= proven.from || from >= proven.to) {
    yield groups;
    return;
  }
  const middle = from + leftCount(to - from);
  yield* frontierOf({ from, to: middle }, proven);
  yield* frontierOf({ from: middle, to }, proven);
}

/** How many values prove some groups; counted without walking through them. */
export function frontierCount(groups: Groups, proven: Groups): number {
  const { from, to } = groups;
  if (to <= proven.from || from >= proven.to) return 1;
  if (proven.from <= from && to <= proven.to) return to - from;
  const middle = from + leftCount(to - from);
  return frontierCount({ from, to: middle }, proven) +
    frontierCount({ from: middle, to }, proven);
}

/** Climbs from values to the one above all of them: what {@link frontierOf} gives, in its order, into a tree. */
export class Climb {
  readonly #values: Uint8Array;
  #taken = 0;
  /** Subtrees that wait for their right neighbours; one for every level at most, and the two being joined. */
  readonly #waiting = new Uint8Array(64 * VALUE_BYTES);
  #waitingCount = 0;

  /** Takes the values in order; borrows them. */
  constructor(values: Uint8Array) {
    this.#values = values;
  }

  /** The hash of content of several groups. */
  root(groups: Groups, proven: Groups): Hash {
    const middle = groups.from + leftCount(groups.to - groups.from);
    this.#climb({ from: groups.from, to: middle }, proven);
    this.#climb({ from: middle, to: groups.to }, proven);
    return hash(engine().rootOfPair(this.#waiting, PLAIN, HASH_BYTES));
  }

  /** The chaining value of a subtree. */
  value(groups: Groups, proven: Groups): Uint8Array {
    this.#climb(groups, proven);
    return this.#waiting.slice(0, VALUE_BYTES);
  }

  #climb(groups: Groups, proven: Groups): void {
    const { from, to } = groups;
    const isValue = to - from === 1 || to <= proven.from || from >= proven.to;
    if (isValue) {
      const at = this.#taken++ * VALUE_BYTES;
      const value = this.#values.subarray(at, at + VALUE_BYTES);
      this.#waiting.set(value, this.#waitingCount++ * VALUE_BYTES);
      return;
    }
    const middle = from + leftCount(to - from);
    this.#climb({ from, to: middle }, proven);
    this.#climb({ from: middle, to }, proven);
    this.#waitingCount--;
    const at = (this.#waitingCount - 1) * VALUE_BYTES;
    engine().parent(this.#waiting, at, PLAIN);
  }
}

/** Leaves of the left side of a tree: the largest power of two that leaves something for the right (2.1). */
function leftCount(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count)) - 1);
}
