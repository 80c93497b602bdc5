/** What a history comes to, in figures. */
import type { Options } from "./options.ts";
import { DAY_MS, YEAR_MS } from "./options.ts";
import type { History } from "./world.ts";

/** Days of a month as traffic is counted in. */
const MONTH_DAYS = 365.25 / 12;

/** The figures of one history. */
export type Figures = {
  readonly tesseras: number;
  readonly lost: number;
  readonly holdersLost: number;
  /** Killed by the disaster alone, and which share of all that was. */
  readonly holdersStruck: number;
  readonly holdersStruckShare: number;
  readonly bytesMovedPerByteLost: number;
  /** Bytes that repair moved for each byte of the tesseras themselves, in a month. */
  readonly repairTrafficPerStoredGbMonth: number;
  readonly expansionMean: number;
  readonly expansionMax: number;
  readonly repairs: number;
  readonly fragmentsMade: number;
  readonly fragmentsMadeTwice: number;
  readonly fragmentsReleased: number;
  /** Released though nobody else had them: there must be none. */
  readonly fragmentsReleasedLast: number;
  readonly looksPerTesseraDay: number;
  /** Fragments that could still have been lost, at the worst moment of the unluckiest tessera of each tier. */
  readonly worstMargin: Readonly<Record<string, number>>;
};

/** The figures of a history. */
export function figuresOf(options: Options, history: History): Figures {
  const { kept, tally, endedMs } = history;
  const ageMs = kept.map((one) => one.ageMs(endedMs));
  const tesseraDays = ageMs.reduce((sum, ms) => sum + ms, 0) / DAY_MS;
  const byteMonths = kept.reduce(
    (sum, { tier }, at) =>
      sum + tier.packBytes * ageMs[at]! / DAY_MS / MONTH_DAYS,
    0,
  );
  const movedBytes = tally.readBytes + tally.writtenBytes;
  const tiers = Map.groupBy(kept, ({ tier }) => tier.name);
  return {
    tesseras: kept.length,
    lost: kept.filter(({ isLost }) => isLost).length,
    holdersLost: history.holdersLost,
    holdersStruck: history.struck,
    holdersStruckShare: rounded(history.struck / options.holders),
    bytesMovedPerByteLost: rounded(movedBytes / tally.lostBytes),
    repairTrafficPerStoredGbMonth: rounded(movedBytes / byteMonths),
    expansionMean: rounded(history.expansionMean),
    expansionMax: rounded(history.expansionMax),
    repairs: tally.repairCount,
    fragmentsMade: tally.madeCount,
    fragmentsMadeTwice: tally.doubleCount,
    fragmentsReleased: tally.releasedCount,
    fragmentsReleasedLast: tally.releasedLastCount,
    looksPerTesseraDay: rounded(tally.lookCount / tesseraDays),
    worstMargin: Object.fromEntries(
      tiers.entries().map(([name, some]) => [
        name,
        some.reduce(
          (least, { worstSpareCount, tier }) =>
            Math.min(least, worstSpareCount, tier.parityCount),
          Infinity,
        ),
      ]),
    ),
  };
}

/** Tesseras lost in a year of one tessera's life, and how many lives and deaths that is from. */
export function lossRateOf(
  history: History,
): { readonly losses: number; readonly tesseraYears: number } {
  return {
    losses: history.kept.filter(({ isLost }) => isLost).length,
    tesseraYears: history.kept.reduce(
      (sum, one) => sum + one.ageMs(history.endedMs) / YEAR_MS,
      0,
    ),
  };
}

/** Four digits, or 0 for what is none. */
export function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : 0;
}
