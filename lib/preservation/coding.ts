/** How a tessera is cut, and at how many losses its repair begins. */

/** How many fragments carry a tessera, and how many more there are. Whole copies are one of data and the rest parity. */
export type Coding = {
  readonly dataCount: number;
  readonly parityCount: number;
};

/** The share of the margin that may be lost before coded fragments are made anew. */
export const LAZY_SHARE = 1 / 4;

/**
 * Fragments that must be missing before repair begins.
 *
 * Making one fragment of a coded tessera moves as many bytes as making a quarter of them, because the whole pack has to be read;
 * so it waits until more than a quarter of the margin is gone: 3 of 8, 7 of 24. A copy is made from a copy: waiting would save
 * nothing, and begins at the first.
 */
export function repairAfterLosses({ dataCount, parityCount }: Coding): number {
  if (dataCount === 1) return 1;
  return Math.floor(parityCount * LAZY_SHARE) + 1;
}

/** The spare fragments at which repair goes before everything else: a quarter of the margin, and never none. */
export function urgentSpareMax({ parityCount }: Coding): number {
  return Math.max(1, Math.floor(parityCount / 4));
}

/** Whether so many losses leave at least half of the margin: then whoever is silent is given time to come back. */
export function isCalm({ parityCount }: Coding, lossCount: number): boolean {
  return lossCount <= parityCount / 2;
}
