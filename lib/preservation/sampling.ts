/**
 * Which ranges of a fragment an audit asks for, and how many. A holder cannot know them before, so what it has thrown away is
 * asked for as often as it is large; enough ranges a week find it.
 */
import { assert, type Random } from "@tesseras/core";

/** The smallest range that the BLAKE3 tree proves by itself: its chunk (BLAKE3 paper, 2.4). Larger ones would only cost more: what is missing may as well lie together. */
export const RANGE_BYTES = 1_024;
/** Bytes of one node on the way from a chunk to the root: two chaining values of 32 bytes, of which one is computed. */
const PATH_NODE_BYTES = 32;

/** Bytes asked for. */
export type Range = { readonly offset: number; readonly bytes: number };

/** What audits shall find. */
export type SamplingGoal = {
  /** The share of a fragment that the cheat keeps. */
  readonly keptShare: number;
  /** How likely it shall be caught at least. */
  readonly caughtProbability: number;
  /** Audits of one verifier within the time in which it shall be caught. */
  readonly auditCount: number;
};

/**
 * A holder that keeps nine tenths is caught within a week with 99 %, by one verifier alone, although two audits of the seven do
 * not come about, as with a laptop over the weekend.
 */
export const SAMPLING_DEFAULTS: SamplingGoal = {
  keptShare: 0.9,
  caughtProbability: 0.99,
  auditCount: 5,
};

/**
 * Ranges per audit: the fewest `r` with `keptShare ^ (r * auditCount) <= 1 - caughtProbability`. Nine by default: 0.9^45 is 0.87 %.
 *
 * That every range has the same chance to be missing, whatever was asked before, makes it an upper bound: drawing without
 * repetition, as {@link drawRanges} does, finds more.
 */
export function rangesPerAudit(goal: SamplingGoal = SAMPLING_DEFAULTS): number {
  const { keptShare, caughtProbability, auditCount } = goal;
  assert(keptShare > 0 && keptShare < 1, `${keptShare} is a share`);
  assert(
    caughtProbability > 0 && caughtProbability < 1,
    `${caughtProbability} is a probability short of certainty`,
  );
  const ranges = Math.log1p(-caughtProbability) / Math.log(keptShare);
  // Rounded up a hair too late rather than once too often for a product that fits exactly.
  return Math.max(1, Math.ceil(ranges / auditCount - 1e-9));
}

/**
 * How likely a cheat is caught that keeps a share of the chunks of one fragment: one minus, for each audit, the chance that all
 * ranges of it fall among the kept ones, drawn without repetition.
 */
export function caughtProbability(
  { fragmentBytes, keptShare, rangeCount, auditCount }: {
    readonly fragmentBytes: number;
    readonly keptShare: number;
    readonly rangeCount: number;
    readonly auditCount: number;
  },
): number {
  const chunks = chunksOf(fragmentBytes);
  const kept = Math.floor(chunks * keptShare);
  const drawn = Math.min(rangeCount, chunks);
  let lnMissed = 0;
  for (let i = 0; i < drawn; i++) {
    if (i >= kept) return 1;
    lnMissed += Math.log((kept - i) / (chunks - i));
  }
  return -Math.expm1(lnMissed * auditCount);
}

/** Draws the ranges of one audit: distinct chunks, in ascending order; all of them where there are no more. The random source must be one the holder cannot foresee. */
export function drawRanges(
  fragmentBytes: number,
  rangeCount: number,
  random: Random,
): readonly Range[] {
  const chunks = chunksOf(fragmentBytes);
  const count = Math.min(rangeCount, chunks);
  const drawn = new Set<number>();
  // Floyd's way (Bentley, "Programming pearls: a sample of brilliance", 1987): every set is equally likely, in `count` draws.
  for (let last = chunks - count; last < chunks; last++) {
    const chunk = random.below(last + 1);
    drawn.add(drawn.has(chunk) ? last : chunk);
  }
  return [...drawn].sort((a, b) => a - b).map((chunk) => {
    const offset = chunk * RANGE_BYTES;
    return { offset, bytes: Math.min(RANGE_BYTES, fragmentBytes - offset) };
  });
}

/** Bytes that the proofs of one audit take at most: each range and its way to the root. */
export function auditBytesMax(
  fragmentBytes: number,
  rangeCount: number,
): number {
  const chunks = chunksOf(fragmentBytes);
  const levels = Math.ceil(Math.log2(chunks));
  return Math.min(rangeCount, chunks) *
    (RANGE_BYTES + levels * PATH_NODE_BYTES);
}

function chunksOf(fragmentBytes: number): number {
  assert(fragmentBytes > 0, "a fragment has bytes");
  return Math.ceil(fragmentBytes / RANGE_BYTES);
}
