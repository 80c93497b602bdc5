/** How many shards a code has. */
import { TesserasError } from "@tesseras/core";

/** Data shards at most: inverting a matrix of this size takes milliseconds, and no tier comes near it. */
export const DATA_SHARDS_MAX = 128;
/** Shards at most: one row of the matrix for every element of the field. */
export const SHARDS_MAX = 256;

/** How many shards there are of each kind. Shards are numbered from 0, data first. */
export type Shape = {
  readonly dataCount: number;
  readonly parityCount: number;
};

/** @throws `unusable` unless there are 1 to 128 data shards and at most 256 shards in all */
export function requireShape({ dataCount, parityCount }: Shape): void {
  const valid = Number.isInteger(dataCount) && Number.isInteger(parityCount) &&
    dataCount >= 1 && dataCount <= DATA_SHARDS_MAX && parityCount >= 0 &&
    dataCount + parityCount <= SHARDS_MAX;
  if (!valid) {
    throw new TesserasError(
      "unusable",
      `Cannot code ${dataCount} + ${parityCount} shards: ` +
        `wanted 1 to ${DATA_SHARDS_MAX} of data and at most ${SHARDS_MAX} in all`,
    );
  }
}
