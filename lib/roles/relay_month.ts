/** The volume of a relay's month, written down so that a restart does not forget it. */
import { encode, readFields } from "@tesseras/codec";
import { codeOf, type Runtime } from "@tesseras/core";
import { MonthVolume } from "@tesseras/nat";
import type { State } from "@tesseras/state";

/** Its name among the small things of a state. */
const NAME = "relay.month";
/** What one is, encoded: two numbers with their names. */
const LIMITS = { bytesMax: 64, depthMax: 1, itemsMax: 8 };
/** Months up to the year 9999. */
const MONTH_MAX = 8_030 * 12;

/**
 * Reads what was written last. What cannot be read counts for nothing: a ceiling is a bill, and no reason not to start.
 *
 * @param bytesMax bytes a month; `Infinity` for no ceiling
 * @throws as `State.value`
 */
export async function readMonth(
  state: State,
  bytesMax: number,
  { clock, log }: Runtime,
  signal: AbortSignal,
): Promise<MonthVolume> {
  const written = await state.value(NAME, signal);
  return new MonthVolume(bytesMax, used(), clock.nowMs());

  function used() {
    if (written === undefined) return undefined;
    try {
      const fields = readFields(written, LIMITS, "the volume of a month");
      return {
        month: fields.uint("month", MONTH_MAX),
        bytes: fields.uint("bytes", Number.MAX_SAFE_INTEGER),
      };
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      log.warn("relay.volume_unread");
      return undefined;
    }
  }
}

/** Writes the volume down. @throws as `State.putValue` */
export async function writeMonth(
  state: State,
  { used: { month, bytes } }: MonthVolume,
  signal: AbortSignal,
): Promise<void> {
  await state.putValue(NAME, encode({ month, bytes }), signal);
}
