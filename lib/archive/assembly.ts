/** Puts a pack together from whichever fragments arrive. */
import {
  assert,
  equal,
  type Hash,
  keyOf,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { type Blobs, type Scratch, WriteBehind } from "@tesseras/blobs";
import { Blake3 } from "@tesseras/crypto";
import { codeHere } from "@tesseras/erasure";
import type { ByteSource, Plan } from "@tesseras/tessera";
import { type FragmentReader, readExactly } from "./fragment_reader.ts";
import { joined } from "./joined.ts";
import { CODING_WINDOW_BYTES } from "./staging.ts";

/**
 * Takes one fragment as it arrives, by one owner, one call at a time. Disposing it before {@link finish} forgets what
 * came.
 */
export interface FragmentSink extends AsyncDisposable {
  /**
   * Appends; the chunk is borrowed until the promise settles.
   *
   * @throws `corrupt` when more comes than a fragment has
   */
  write(chunk: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Counts the fragment as there. @throws `corrupt` when it is short or its hash is not the plan's */
  finish(signal: AbortSignal): Promise<void>;
}

/**
 * Room for the fragments of one plan, and the arithmetic that makes a pack of any `dataCount` of them. It lies on disk:
 * memory stays at `dataCount` windows. Dispose it to free the room.
 */
export class Assembly implements AsyncDisposable {
  readonly #plan: Plan;
  readonly #scratch: Scratch;
  readonly #have = new Set<number>();
  readonly #arriving = new Set<number>();
  /** By data fragment: settled when it is there and verified. */
  readonly #there: readonly PromiseWithResolvers<void>[];

  private constructor(plan: Plan, scratch: Scratch) {
    this.#plan = plan;
    this.#scratch = scratch;
    this.#there = Array.from(
      { length: plan.dataCount },
      () => Promise.withResolvers<void>(),
    );
  }

  /** Makes room for every fragment of a plan; a disk is filled only by those that come. @throws as `Blobs.scratch` */
  static async open(
    blobs: Blobs,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<Assembly> {
    const bytes = plan.fragments.length * plan.shardBytes;
    return new Assembly(plan, await blobs.scratch(bytes, signal));
  }

  /** How many fragments are there and verified. */
  get haveCount(): number {
    return this.#have.size;
  }

  /** Whether the pack can be put together. */
  get complete(): boolean {
    return this.#have.size >= this.#plan.dataCount;
  }

  /** Whether a fragment is there and verified. */
  has(index: number): boolean {
    return this.#have.has(index);
  }

  /**
   * Begins to take a fragment; several may arrive at once. Dispose the sink in any case. The signal is for all its writes.
   *
   * @throws `unusable` for an index that the plan does not have, `inUse` for one that is there or on its way
   */
  begin(index: number, signal: AbortSignal): Promise<FragmentSink> {
    return Promise.try(() => {
      throwIfAborted(signal);
      this.#checkIndex(index);
      if (this.#have.has(index) || this.#arriving.has(index)) {
        throw new TesserasError(
          "inUse",
          `Cannot take fragment ${index}: it is here or on its way`,
        );
      }
      this.#arriving.add(index);
      return new SlotSink({
        index,
        slot: this.#slot(index),
        scratch: this.#scratch,
        expected: this.#hashOf(index),
        settle: (whole) => {
          this.#arriving.delete(index);
          if (whole) this.#add(index);
        },
      }, signal);
    });
  }

  /**
   * Computes the data fragments that are missing and gives the pack, which lives as long as the assembly.
   *
   * @throws `tooFew` before enough fragments are there, `corrupt` when they do not give the fragments the plan has
   */
  async finish(signal: AbortSignal): Promise<ByteSource> {
    const { dataCount, packBytes } = this.#plan;
    const missing = Array.from({ length: dataCount }, (_, index) => index)
      .filter((index) => !this.#have.has(index));
    await this.#recover(missing, signal);
    return part(this.#scratch, 0, packBytes);
  }

  /** The pack while it arrives: a read waits until all that it asks for is there and verified. Lives as long as the assembly. */
  growing(): ByteSource {
    const { packBytes, shardBytes } = this.#plan;
    const pack = part(this.#scratch, 0, packBytes);
    return {
      bytes: packBytes,
      read: async (offset, into, signal) => {
        const end = Math.min(packBytes, offset + into.length);
        let index = Math.floor(offset / shardBytes);
        for (; index * shardBytes < end; index++) {
          await orAbort(this.#there[index]!.promise, signal);
        }
        return await pack.read(offset, into, signal);
      },
    };
  }

  /**
   * Computes fragments of the plan that are missing, all in one pass; those that are there already are passed over.
   *
   * @throws as {@link recreate}
   */
  async recreateAll(
    indices: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const index of indices) this.#checkIndex(index);
    await this.#recover(indices.filter((index) => !this.has(index)), signal);
  }

  /**
   * Gives a fragment of the plan, computed from others when it is missing. It lives as long as the assembly.
   *
   * @throws as {@link finish}, and `unusable` for an index that the plan does not have
   */
  async recreate(index: number, signal: AbortSignal): Promise<FragmentReader> {
    this.#checkIndex(index);
    if (!this.#have.has(index)) await this.#recover([index], signal);
    return {
      ...this.#reader(index),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scratch[Symbol.asyncDispose]();
  }

  async #recover(
    wanted: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    const { dataCount, parityCount, shardBytes } = this.#plan;
    if (this.#have.size < dataCount) {
      throw new TesserasError(
        "tooFew",
        `Cannot rebuild: have ${this.#have.size} of ${dataCount} fragments`,
      );
    }
    if (wanted.length === 0) return;
    const arriving = wanted.find((index) => this.#arriving.has(index));
    if (arriving !== undefined) {
      throw new TesserasError(
        "inUse",
        `Cannot rebuild: fragment ${arriving} is still on its way`,
      );
    }
    const present = [...this.#have].sort((a, b) => a - b).slice(0, dataCount);
    const hashers = wanted.map(() => new Blake3());
    const rows = codeHere.code({
      shape: { dataCount, parityCount },
      plan: { present, wanted },
      shardBytes,
      windowBytes: CODING_WINDOW_BYTES,
      fill: ({ offset, inputs }, signal) =>
        joined(
          inputs.map((into, at) =>
            readExactly(this.#reader(present[at]!), offset, into, signal)
          ),
        ),
    }, signal);
    for await (const { offset, outputs } of rows) {
      const writing = wanted.map((index, i) =>
        this.#scratch.write(index * shardBytes + offset, outputs[i]!, signal)
      );
      outputs.forEach((window, i) => hashers[i]!.update(window));
      await joined(writing);
    }
    wanted.forEach((index, i) =>
      checkFragment(index, hashers[i]!.digest(), this.#hashOf(index))
    );
    for (const index of wanted) this.#add(index);
  }

  #add(index: number): void {
    this.#have.add(index);
    this.#there[index]?.resolve();
  }

  #checkIndex(index: number): void {
    const count = this.#plan.fragments.length;
    if (Number.isInteger(index) && index >= 0 && index < count) return;
    throw new TesserasError(
      "unusable",
      `Cannot use fragment ${index}: the plan has ${count}`,
    );
  }

  #hashOf(index: number): Hash {
    const hash = this.#plan.fragments[index];
    assert(hash !== undefined, "a checked index has a hash in the plan");
    return hash;
  }

  #reader(index: number): ByteSource {
    const { start, bytes } = this.#slot(index);
    return part(this.#scratch, start, bytes);
  }

  #slot(index: number): Slot {
    const bytes = this.#plan.shardBytes;
    return { start: index * bytes, bytes };
  }
}

/** Where a fragment lies in the scratch file. */
type Slot = { readonly start: number; readonly bytes: number };

type SinkParts = {
  readonly index: number;
  readonly slot: Slot;
  readonly scratch: Scratch;
  readonly expected: Hash;
  /** Told once: whether the fragment is there, or its place is free again. */
  readonly settle: (whole: boolean) => void;
};

class SlotSink implements FragmentSink {
  readonly #parts: SinkParts;
  readonly #hasher = new Blake3();
  readonly #behind: WriteBehind;
  #takenBytes = 0;
  #open = true;

  constructor(parts: SinkParts, signal: AbortSignal) {
    this.#parts = parts;
    const { scratch, slot } = parts;
    let at = slot.start;
    this.#behind = new WriteBehind(async (piece) => {
      const start = at;
      at += piece.length;
      await scratch.write(start, piece, signal);
    }, at);
  }

  async write(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    assert(this.#open, "a fragment is written before it is finished");
    const { index, slot } = this.#parts;
    if (this.#takenBytes + chunk.length > slot.bytes) {
      throw new TesserasError(
        "corrupt",
        `Cannot take fragment ${index}: more than its ${slot.bytes} bytes came`,
      );
    }
    throwIfAborted(signal);
    this.#takenBytes += chunk.length;
    const writing = this.#behind.push(chunk);
    // The disk works while we hash.
    this.#hasher.update(chunk);
    await writing;
  }

  async finish(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    assert(this.#open, "a fragment is finished once");
    const { index, slot, expected } = this.#parts;
    if (this.#takenBytes !== slot.bytes) {
      throw new TesserasError(
        "corrupt",
        `Cannot take fragment ${index}: ${this.#takenBytes} bytes came, wanted ${slot.bytes}`,
      );
    }
    checkFragment(index, this.#hasher.digest(), expected);
    await this.#behind.flush();
    this.#open = false;
    this.#parts.settle(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Until nothing is being written into it, the place is not free for another try.
    await this.#behind.settled();
    if (this.#open) this.#parts.settle(false);
    this.#open = false;
  }
}

function checkFragment(index: number, seen: Hash, expected: Hash): void {
  if (equal(seen, expected)) return;
  throw new TesserasError(
    "corrupt",
    `Cannot use fragment ${index}: its hash is ${keyOf(seen)}, the plan has ${
      keyOf(expected)
    }`,
  );
}

/** A part of the scratch file as a reader of its own. */
function part(scratch: Scratch, start: number, bytes: number): ByteSource {
  return {
    bytes,
    read: (offset, into, signal) => {
      const count = Math.min(into.length, Math.max(0, bytes - offset));
      return scratch.read(start + offset, into.subarray(0, count), signal);
    },
  };
}
