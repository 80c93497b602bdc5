/** Holders that throw a tenth away, and how many of them a week of audits finds. */
import { SeededRandom } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import {
  auditBytesMax,
  caughtProbability,
  drawRanges,
  rangesPerAudit,
  SAMPLING_DEFAULTS,
} from "@tesseras/preservation";
import { rounded } from "./figures.ts";

/** What audits find of one kind of cheat. */
export type Caught = {
  readonly cheat: string;
  readonly fragmentBytes: number;
  readonly keptShare: number;
  readonly auditsPerWeek: number;
  readonly rangesPerAudit: number;
  /** What a holder sends for one audit at most. */
  readonly auditBytesMax: number;
  readonly caughtForetold: number;
  readonly caughtMeasured: number;
  readonly trials: number;
};

type Cheat = {
  readonly name: string;
  readonly isKept: (offset: number, fragmentBytes: number) => boolean;
};

const { keptShare, auditCount } = SAMPLING_DEFAULTS;

const CHEATS: readonly Cheat[] = [
  {
    name: "throws the end away",
    isKept: (offset, bytes) => offset < bytes * keptShare,
  },
  {
    name: "throws every tenth kilobyte away",
    isKept: (offset) => offset / 1024 % 10 !== 9,
  },
];

/** Tries every cheat so often, on fragments of the medium tier. */
export function audits(trials: number, seed: number): readonly Caught[] {
  const fragmentBytes = 4 * MIB;
  const rangeCount = rangesPerAudit();
  return CHEATS.map(({ name, isKept }) => {
    const random = new SeededRandom(seed);
    let caught = 0;
    for (let trial = 0; trial < trials; trial++) {
      let isCaught = false;
      for (let audit = 0; audit < auditCount && !isCaught; audit++) {
        isCaught = drawRanges(fragmentBytes, rangeCount, random)
          .some(({ offset }) => !isKept(offset, fragmentBytes));
      }
      if (isCaught) caught++;
    }
    return {
      cheat: name,
      fragmentBytes,
      keptShare,
      auditsPerWeek: auditCount,
      rangesPerAudit: rangeCount,
      auditBytesMax: auditBytesMax(fragmentBytes, rangeCount),
      caughtForetold: rounded(caughtProbability({
        fragmentBytes,
        keptShare,
        rangeCount,
        auditCount,
      })),
      caughtMeasured: rounded(caught / trials),
      trials,
    };
  });
}
