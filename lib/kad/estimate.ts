/**
 * How many nodes there are, from how close together they lie (Manku, Bawa and Raghavan, "Symphony", USITS 2003, 3.1). Ids
 * are uniform, so `m` nodes within a share `s` of the space mean about `m / s` nodes in all.
 */
import { assert, type NodeId, nodeId } from "@tesseras/core";
import { BUCKET_REFRESH_MS, NODE_ID_BYTES } from "@tesseras/core/limits";

/**
 * The share of all ids that are nearer to a target than this one is: 0 to 1.
 *
 * Work gives every id `powBits` leading zeros, while a key may begin with anything; so those bits say nothing, and the
 * space that nodes share is what is behind them.
 */
export function shareWithin(
  target: NodeId,
  id: NodeId,
  powBits: number,
): number {
  let share = 0;
  let weight = 2 ** powBits;
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    weight /= 256;
    const idleBits = Math.min(8, Math.max(0, powBits - 8 * i));
    share += ((target[i]! ^ id[i]!) & (255 >> idleBits)) * weight;
  }
  return share;
}

/** Where a key lies among nodes, 0 to 1, in the order of their ids. */
export function shareOf(key: NodeId, powBits: number): number {
  return shareWithin(ORIGIN, key, powBits);
}

const ORIGIN = nodeId(new Uint8Array(NODE_ID_BYTES));

/** What a lookup found, for a {@link SizeEstimate}. */
export type Sighting = {
  /** What was looked for. */
  readonly target: NodeId;
  /** Everybody who answered near it, nearest first. */
  readonly ids: readonly NodeId[];
  /** Whether that is everybody there is, since fewer were found than were looked for. */
  readonly isEverybody: boolean;
  /** Of a monotonic clock. */
  readonly nowMs: number;
};

/** Parts of the space of which each has one voice. A power of two. */
const CELLS = 64;
const CELL_BITS = 6;
/** Fewer peers near a target say too little: the error of one sighting is about `1 / sqrt(m)`. */
const SIGHTED_MIN = 5;
/** Sightings older than this are of another network. */
const SIGHTING_TTL_MS = 2 * BUCKET_REFRESH_MS;

type Voice = { readonly size: number; readonly seenMs: number };

/**
 * The median of what was seen in different parts of the space.
 *
 * Each part has one voice, the latest. So identities ground to lie near one key, however many, and however often they make
 * us look there, change one voice; and when that very key is judged, its part is not asked at all. To move the
 * median somebody has to crowd half of all the parts we look into, which takes a large share of all nodes.
 */
export class SizeEstimate {
  readonly #powBits: number;
  readonly #voices = new Map<number, Voice>();

  /** @param powBits leading zero bits of every id */
  constructor(powBits: number) {
    assert(powBits >= 0 && powBits <= 64, `${powBits} bits of work`);
    this.#powBits = powBits;
  }

  /** Takes in what a lookup found. */
  observe({ target, ids, isEverybody, nowMs }: Sighting): void {
    const last = ids.at(-1);
    if (last === undefined) return;
    if (!isEverybody && ids.length < SIGHTED_MIN) return;
    const share = shareWithin(target, last, this.#powBits);
    // The place of the last was chosen by its rank, so one less is the unbiased numerator.
    const size = isEverybody
      ? ids.length
      : (ids.length - 1) / Math.max(share, Number.MIN_VALUE);
    this.#voices.set(this.#cellOf(target), {
      size: Math.min(size, Number.MAX_SAFE_INTEGER),
      seenMs: nowMs,
    });
  }

  /** Parts of the space heard of lately, without the part a key lies in. */
  voiceCount(nowMs: number, except?: NodeId): number {
    return this.#sizes(nowMs, except).length;
  }

  /** About how many nodes there are; `undefined` before anything was seen outside the part a key lies in. */
  size(nowMs: number, except?: NodeId): number | undefined {
    const sizes = this.#sizes(nowMs, except).sort((a, b) => a - b);
    const middle = sizes.length >> 1;
    if (sizes.length % 2 === 1) return sizes[middle];
    const [low, high] = [sizes[middle - 1], sizes[middle]];
    return low === undefined || high === undefined
      ? undefined
      : (low + high) / 2;
  }

  #sizes(nowMs: number, except: NodeId | undefined): number[] {
    const silent = except && this.#cellOf(except);
    const sizes: number[] = [];
    for (const [cell, { size, seenMs }] of this.#voices) {
      if (cell !== silent && nowMs - seenMs < SIGHTING_TTL_MS) sizes.push(size);
    }
    return sizes;
  }

  /** The first bits in which nodes can differ. */
  #cellOf(id: NodeId): number {
    let cell = 0;
    for (let bit = this.#powBits; bit < this.#powBits + CELL_BITS; bit++) {
      cell = 2 * cell + (id[bit >> 3]! >> (7 - (bit & 7)) & 1);
    }
    assert(cell < CELLS, "a part has a number of six bits");
    return cell;
  }
}
