/**
 * The hash trees that proofs are made from: each costs a pass over its fragment, so the latest are kept, passes are made one
 * at a time, and the disk rests between them.
 */
import { type Blobs, readAhead } from "@tesseras/blobs";
import {
  equal,
  type Hash,
  keyOf,
  type Runtime,
  Semaphore,
  TesserasError,
} from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import {
  type ContentShape,
  GROUP_BYTES_MAX,
  type HashTree,
  HashTreeBuilder,
} from "@tesseras/crypto";

/**
 * Bytes of trees kept. A tree is 1/2048 of its fragment, so these are those of 27 GB in fragments of 5 MiB. All who look at a
 * tessera do so within two hours, so a store of twelve times that makes one pass a day over what six ask for.
 */
const TREES_BYTES_MAX = 16 * MIB;
/** What a tree takes beside its values. */
const TREE_OVERHEAD_BYTES = 512;
/**
 * How many times as long as a pass the disk and the processor are left to others after it: whoever asks for pass after pass gets
 * half of one core and of the disk at most, wherever it asks from.
 */
const REST_TIMES = 1;

/** What {@link ProofTrees} works with. */
export type ProofTreesParts = {
  readonly blobs: Blobs;
  readonly runtime: Runtime;
  /** Bytes of trees kept. */
  readonly bytesMax?: number;
};

/** How a fragment is divided in its tree: as coarsely as can be, for a proof climbs from every group. */
export function proofShape(bytes: number): ContentShape {
  return { totalBytes: bytes, groupBytes: GROUP_BYTES_MAX };
}

/** A fragment as it lies on the disk. */
export type KeptBytes = { readonly blob: Hash; readonly bytes: number };

/** Makes trees, and remembers the latest. */
export class ProofTrees {
  readonly #parts: ProofTreesParts;
  /** By hash, the one used last behind. */
  readonly #trees = new Map<string, HashTree>();
  #bytes = 0;
  readonly #pass = new Semaphore(1);
  #restUntilMs = 0;

  constructor(parts: ProofTreesParts) {
    this.#parts = parts;
  }

  /** Bytes that the trees in memory take. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The tree of a fragment, whose hash was seen to be right when it was made; `undefined` when its bytes are gone.
   *
   * @throws `corrupt` when its bytes are not what they were, and as {@link Blobs.open}
   */
  async of(
    kept: KeptBytes,
    signal: AbortSignal,
  ): Promise<HashTree | undefined> {
    const known = this.#known(kept.blob);
    if (known !== undefined) return known;
    using _pass = await this.#pass.enter(signal);
    // Whoever was before us may have made it.
    const made = this.#known(kept.blob);
    if (made !== undefined) return made;
    const { clock, counters } = this.#parts.runtime;
    const restMs = this.#restUntilMs - clock.monotonicMs();
    if (restMs > 0) await clock.sleep(restMs, signal);
    const beginMs = clock.monotonicMs();
    try {
      return await this.#make(kept, signal);
    } finally {
      const endMs = clock.monotonicMs();
      this.#restUntilMs = endMs + REST_TIMES * (endMs - beginMs);
      counters.add("audit.passes");
    }
  }

  /** One pass, in pieces, so that others are answered between them. */
  async #make(
    { blob, bytes }: KeptBytes,
    signal: AbortSignal,
  ): Promise<HashTree | undefined> {
    await using reader = await this.#parts.blobs.open(blob, signal, "cold");
    if (reader === undefined) return undefined;
    const builder = new HashTreeBuilder(proofShape(bytes));
    let readBytes = 0;
    const all = { offset: 0, length: bytes };
    for await (const piece of readAhead(reader, all, signal)) {
      readBytes += piece.length;
      builder.update(piece);
    }
    const tree = readBytes === bytes ? builder.finish() : undefined;
    if (tree === undefined || !equal(tree.hash, blob)) {
      throw new TesserasError(
        "corrupt",
        "Cannot prove a fragment: its bytes are not what was kept",
      );
    }
    this.#remember(tree);
    return tree;
  }

  #known(blob: Hash): HashTree | undefined {
    const key = keyOf(blob);
    const tree = this.#trees.get(key);
    if (tree === undefined) return undefined;
    this.#trees.delete(key);
    this.#trees.set(key, tree);
    return tree;
  }

  #remember(tree: HashTree): void {
    const { bytesMax = TREES_BYTES_MAX } = this.#parts;
    this.#trees.set(keyOf(tree.hash), tree);
    this.#bytes += costOf(tree);
    for (const [key, oldest] of this.#trees) {
      if (this.#bytes <= bytesMax) return;
      this.#trees.delete(key);
      this.#bytes -= costOf(oldest);
    }
  }
}

function costOf({ values }: HashTree): number {
  return values.length + TREE_OVERHEAD_BYTES;
}
