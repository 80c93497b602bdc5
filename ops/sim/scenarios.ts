/** Every scenario there is. */
import type { Scenario } from "./scenario.ts";
import {
  joinScenario,
  lookupScenario,
  restScenario,
} from "./scenarios/growth.ts";
import { floodScenario, poisonScenario } from "./scenarios/lies.ts";
import { natScenario } from "./scenarios/nat.ts";
import { eclipseScenario, sybilScenario } from "./scenarios/rings.ts";
import {
  churnScenario,
  partitionScenario,
  restartScenario,
} from "./scenarios/weather.ts";

/** By name, in the order a person would read them. */
export const SCENARIOS: readonly Scenario[] = [
  joinScenario,
  lookupScenario,
  churnScenario,
  partitionScenario,
  eclipseScenario,
  sybilScenario,
  poisonScenario,
  floodScenario,
  restartScenario,
  natScenario,
  restScenario,
];
