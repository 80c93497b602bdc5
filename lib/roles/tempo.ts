/** How fast everything about repair goes: all its waits are in proportion to the time between two looks. */
import {
  type Pace,
  type Patience,
  PATIENCE_DEFAULTS,
  RETRY_UNPROVED_MS,
  TURN_DEFAULTS,
  type TurnLimits,
} from "@tesseras/preservation";
import { REPAIR_INTERVAL_MS } from "@tesseras/core/limits";

/** The waits of a caretaker. */
export type Tempo = {
  readonly pace: Pace;
  readonly patience: Patience;
  readonly turns: TurnLimits;
  /** How soon whoever is silent is asked again. */
  readonly retryMs: number;
  /** How often it is looked whether something is due. */
  readonly tickMs: number;
  /** How often it is looked what there is to care for. */
  readonly walkMs: number;
};

/** A turn must not be shorter than two honest clocks on one machine, and a message between them, need. */
const TURN_MS_MIN = 1_000;
const TICK_MS_MIN = 100;
/** Every two minutes of a day: a tenth of a turn. */
const TICKS_PER_INTERVAL = 720;
const WALKS_PER_INTERVAL = 24;

/**
 * The waits of a network that looks every `intervalMs`. Longer than a day stretches nothing but the looks: how long somebody may
 * be silent follows from how people live.
 */
export function tempoOf({ intervalMs, jitterMs }: Pace): Tempo {
  const share = Math.min(1, intervalMs / REPAIR_INTERVAL_MS);
  const scaled = (ms: number): number => Math.ceil(share * ms);
  const of = PATIENCE_DEFAULTS;
  return {
    pace: { intervalMs, jitterMs: Math.min(jitterMs, intervalMs) },
    patience: {
      ...of,
      calmGraceMs: scaled(of.calmGraceMs),
      graceMs: scaled(of.graceMs),
      alarmGraceMs: scaled(of.alarmGraceMs),
      trySpacingMs: scaled(of.trySpacingMs),
    },
    turns: {
      ...TURN_DEFAULTS,
      turnBaseMs: Math.max(TURN_MS_MIN, scaled(TURN_DEFAULTS.turnBaseMs)),
      turnJitterMs: scaled(TURN_DEFAULTS.turnJitterMs),
    },
    retryMs: scaled(RETRY_UNPROVED_MS),
    tickMs: Math.max(
      TICK_MS_MIN,
      scaled(REPAIR_INTERVAL_MS / TICKS_PER_INTERVAL),
    ),
    walkMs: Math.max(
      TICK_MS_MIN,
      scaled(REPAIR_INTERVAL_MS / WALKS_PER_INTERVAL),
    ),
  };
}
