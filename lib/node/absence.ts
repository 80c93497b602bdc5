/** When this node was last away for so long that others had reason to replace what it keeps. */
import { encode, readFields } from "@tesseras/codec";
import { type Clock, codeOf } from "@tesseras/core";
import type { State } from "@tesseras/state";

/** Its name among the small things of a state. */
const NAME = "care.absence";
/** What one is, encoded: two times with their names. */
const LIMITS = { bytesMax: 64, depthMax: 1, itemsMax: 8 };

/** How often a node notes that it is there. */
export const PRESENCE_MS = 3_600_000;

type Presence = {
  /** When it was there last, Unix milliseconds. */
  readonly aliveMs: number;
  /** When it came back from the latest long absence; 0 when there was none. */
  readonly returnedMs: number;
};

/**
 * Notes that the node is there, and that it came back if it was away for longer than `graceMs`. Call it every {@link PRESENCE_MS}.
 *
 * @throws as the state
 */
export async function notePresence(
  state: State,
  clock: Clock,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = clock.nowMs();
  const before = await presence(state, signal);
  const isBack = before !== undefined && nowMs - before.aliveMs > graceMs;
  const returnedMs = isBack ? nowMs : before?.returnedMs ?? 0;
  const fields = { aliveMs: nowMs, returnedMs };
  await state.putValue(NAME, encode(fields), signal);
}

/** When the node came back from its latest long absence, Unix milliseconds; 0 when it knows of none. @throws as the state */
export async function returnedMs(
  state: State,
  signal: AbortSignal,
): Promise<number> {
  return (await presence(state, signal))?.returnedMs ?? 0;
}

async function presence(
  state: State,
  signal: AbortSignal,
): Promise<Presence | undefined> {
  const written = await state.value(NAME, signal);
  if (written === undefined) return undefined;
  try {
    const fields = readFields(written, LIMITS, "the presence of a node");
    const time = (name: string): number =>
      fields.uint(name, Number.MAX_SAFE_INTEGER);
    return { aliveMs: time("aliveMs"), returnedMs: time("returnedMs") };
  } catch (error) {
    // It only ever lets something go; who cannot read it keeps everything.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
