/**
 * Ranges of content that verify against its BLAKE3 hash alone. Whoever has the content cuts a proof out of its tree: the
 * chaining values of the groups in the range and of the subtrees beside them. Whoever has the hash climbs from those to
 * the root, and from then on knows each group of the range by its value: bytes can arrive in any order, from anybody,
 * and are refused group by group.
 */
import { equal, type Hash, hash, TesserasError } from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import { blake3 } from "./blake3.ts";
import { VALUE_BYTES } from "./blake3_engine.ts";
import {
  type ByteRange,
  Climb,
  type ContentShape,
  type Division,
  divisionOf,
  frontierCount,
  frontierOf,
  type Groups,
  groupsOf,
  stretchOf,
  writeGroupValue,
} from "./blake3_groups.ts";

/** The smallest range of whole groups around a range: what is sent to verify it. @throws `malformed` as {@link proofBytes} */
export function wholeGroups(shape: ContentShape, range: ByteRange): ByteRange {
  const division = divisionOf(shape);
  return stretchOf(division, groupsOf(division, range));
}

/**
 * Bytes of the proof of a range: 32 for each group in it and each subtree beside them, none where there is one group.
 *
 * @throws `malformed` for a shape that cannot be, or a range that is empty or not within the content
 */
export function proofBytes(shape: ContentShape, range: ByteRange): number {
  const division = divisionOf(shape);
  return VALUE_BYTES * valueCount(division, groupsOf(division, range));
}

/** The values of all groups of some content: enough to prove any range of it without reading it again. */
export class HashTree {
  readonly #division: Division;
  readonly #values: Uint8Array;
  readonly hash: Hash;

  /**
   * A tree whose {@link values} were kept. Keeps them. What they are worth shows in {@link hash}: where that is the one
   * of the content, they are those of its groups.
   *
   * @throws `malformed` unless there are 32 bytes for each group
   */
  constructor(shape: ContentShape, values: Uint8Array) {
    this.#division = divisionOf(shape);
    const { groupCount } = this.#division;
    if (values.length !== groupCount * VALUE_BYTES) {
      throw new TesserasError(
        "malformed",
        `Cannot read a hash tree: ${values.length} bytes, wanted ${VALUE_BYTES} for each of ${groupCount} groups`,
      );
    }
    this.#values = values;
    const all = allOf(this.#division);
    this.hash = groupCount === 1
      ? hash(values.slice())
      : new Climb(values).root(all, all);
  }

  /** One chaining value for each group, in order, 32 bytes each; of a single group the hash itself. Borrowed. */
  get values(): Uint8Array {
    return this.#values;
  }

  /** The proof of a range. @throws `malformed` as {@link proofBytes} */
  prove(range: ByteRange): Uint8Array {
    const division = this.#division;
    const proven = groupsOf(division, range);
    const proof = new Uint8Array(VALUE_BYTES * valueCount(division, proven));
    if (division.groupCount === 1) return proof;
    let at = 0;
    for (const groups of frontierOf(allOf(division), proven)) {
      const values = this.#values.subarray(
        groups.from * VALUE_BYTES,
        groups.to * VALUE_BYTES,
      );
      proof.set(new Climb(values).value(groups, groups), at);
      at += VALUE_BYTES;
    }
    return proof;
  }
}

/** Makes a {@link HashTree}, and so the hash, of bytes that come in pieces of any size. Memory: the values and a group. */
export class HashTreeBuilder {
  readonly #division: Division;
  readonly #values: Uint8Array;
  readonly #group: Uint8Array;
  #groupLength = 0;
  #groupsDone = 0;
  #taken = 0;

  /** @throws `malformed` for a shape that cannot be */
  constructor(shape: ContentShape) {
    this.#division = divisionOf(shape);
    const { groupCount, groupBytes, totalBytes } = this.#division;
    this.#values = new Uint8Array(groupCount * VALUE_BYTES);
    this.#group = new Uint8Array(Math.min(groupBytes, totalBytes));
  }

  /** Takes the next bytes; borrows them only during the call. @throws `malformed` when they are more than the shape has */
  update(bytes: Uint8Array): this {
    this.#taken += bytes.length;
    if (this.#taken > this.#division.totalBytes) throw this.#wrongLength();
    for (let rest = bytes; rest.length > 0;) {
      const wanted = this.#bytesOfGroup();
      if (this.#groupLength === 0 && rest.length >= wanted) {
        this.#take(rest.subarray(0, wanted));
        rest = rest.subarray(wanted);
        continue;
      }
      const part = rest.subarray(0, wanted - this.#groupLength);
      this.#group.set(part, this.#groupLength);
      this.#groupLength += part.length;
      rest = rest.subarray(part.length);
      if (this.#groupLength < wanted) return this;
      this.#take(this.#group.subarray(0, wanted));
      this.#groupLength = 0;
    }
    return this;
  }

  /** The tree of all bytes. Nothing may follow. @throws `malformed` when they are fewer than the shape has */
  finish(): HashTree {
    if (this.#taken !== this.#division.totalBytes) throw this.#wrongLength();
    if (this.#taken === 0) this.#values.set(blake3(new Uint8Array()));
    return new HashTree(this.#division, this.#values);
  }

  #bytesOfGroup(): number {
    const group = this.#groupsDone;
    return stretchOf(this.#division, { from: group, to: group + 1 }).bytes;
  }

  #take(bytes: Uint8Array): void {
    const group = this.#groupsDone++;
    if (this.#division.groupCount === 1) {
      this.#values.set(blake3(bytes));
      return;
    }
    const place = { group, values: this.#values, at: group * VALUE_BYTES };
    writeGroupValue(bytes, this.#division, place);
  }

  #wrongLength(): TesserasError {
    return new TesserasError(
      "malformed",
      `Cannot make a hash tree: ${this.#taken} bytes came, wanted ${this.#division.totalBytes}`,
    );
  }
}

/** What is to be verified. */
export type RangeClaim = {
  /** Of the whole content. */
  readonly hash: Hash;
  readonly shape: ContentShape;
  readonly range: ByteRange;
  /** What {@link HashTree.prove} gave somebody. */
  readonly proof: Uint8Array;
};

/**
 * A range whose proof leads to the hash.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * const content = new Uint8Array(100_000).fill(7);
 * const shape = { totalBytes: content.length };
 * const tree = new HashTreeBuilder(shape).update(content).finish();
 * const range = { offset: 50_000, bytes: 10 };
 * // Somebody who has only the hash:
 * const claim = { hash: tree.hash, shape, range, proof: tree.prove(range) };
 * const verified = new VerifiedRange(claim);
 * assertEquals(verified.range, { offset: 49_152, bytes: 16_384 });
 * verified.check(49_152, content.subarray(49_152, 65_536));
 * ```
 */
export class VerifiedRange {
  readonly #division: Division;
  readonly #groups: Groups;
  /** The values of the groups in the range. */
  readonly #values: Uint8Array;
  readonly #seen = new Uint8Array(VALUE_BYTES);
  /** The whole groups around the range that was claimed. */
  readonly range: ByteRange;
  /** Bytes of a group. */
  readonly groupBytes: number;

  /**
   * Borrows the claim; copies what it needs of the proof.
   *
   * @throws `malformed` for a shape or range that cannot be, or a proof of another length than they want; `forged` when
   * the proof does not lead to the hash
   */
  constructor(claim: RangeClaim) {
    const { shape, range, proof } = claim;
    this.#division = divisionOf(shape);
    this.groupBytes = this.#division.groupBytes;
    this.#groups = groupsOf(this.#division, range);
    this.range = stretchOf(this.#division, this.#groups);
    const { groupCount } = this.#division;
    const wanted = VALUE_BYTES * valueCount(this.#division, this.#groups);
    if (proof.length !== wanted) {
      throw new TesserasError(
        "malformed",
        `Cannot verify a range: its proof has ${proof.length} bytes, wanted ${wanted}`,
      );
    }
    if (groupCount === 1) {
      this.#values = claim.hash.slice();
      return;
    }
    const all = allOf(this.#division);
    if (!equal(new Climb(proof).root(all, this.#groups), claim.hash)) {
      throw new TesserasError(
        "forged",
        "Cannot verify a range: its proof leads to another hash",
      );
    }
    // The groups follow what is on their left, of which there may be nothing.
    const left = leftOf(all, this.#groups);
    const count = this.#groups.to - this.#groups.from;
    this.#values = proof.slice(
      left * VALUE_BYTES,
      (left + count) * VALUE_BYTES,
    );
  }

  /**
   * Verifies one or more whole groups of the range, which lie at `offset` of the content. Borrows the bytes.
   *
   * @throws `malformed` unless they are whole groups of the range, `corrupt` when they are not those of the content
   */
  check(offset: number, bytes: Uint8Array): void {
    const { groupBytes } = this.#division;
    const { offset: begin, bytes: length } = this.range;
    const end = offset + bytes.length;
    const whole = Number.isSafeInteger(offset) && offset % groupBytes === 0 &&
      offset >= begin && end <= begin + length &&
      (end % groupBytes === 0 || end === begin + length) &&
      (bytes.length > 0 || length === 0);
    if (!whole) {
      throw new TesserasError(
        "malformed",
        `Cannot verify ${bytes.length} bytes at ${offset}: ` +
          `wanted whole groups of ${groupBytes} of the ${length} at ${begin}`,
      );
    }
    let at = 0;
    do {
      this.#checkGroup(offset + at, bytes.subarray(at, at + groupBytes));
      at += groupBytes;
    } while (at < bytes.length);
  }

  #checkGroup(offset: number, bytes: Uint8Array): void {
    const { groupBytes, groupCount } = this.#division;
    const group = offset / groupBytes;
    if (groupCount === 1) this.#seen.set(blake3(bytes));
    else {
      const place = { group, values: this.#seen, at: 0 };
      writeGroupValue(bytes, this.#division, place);
    }
    const at = (group - this.#groups.from) * VALUE_BYTES;
    const wanted = this.#values.subarray(at, at + HASH_BYTES);
    if (equal(this.#seen, wanted)) return;
    throw new TesserasError(
      "corrupt",
      `Cannot verify ${bytes.length} bytes at ${offset}: they are not those of the hash`,
    );
  }
}

const allOf = ({ groupCount }: Division): Groups => ({
  from: 0,
  to: groupCount,
});

function valueCount(division: Division, proven: Groups): number {
  return division.groupCount === 1 ? 0 : frontierCount(allOf(division), proven);
}

/** How many values of a proof lie left of the groups it proves. */
function leftOf(all: Groups, proven: Groups): number {
  if (proven.from === 0) return 0;
  // Everything from the first of them on is one range too, whose values are as many as its groups.
  const rest = { from: proven.from, to: all.to };
  return frontierCount(all, rest) - (all.to - proven.from);
}
