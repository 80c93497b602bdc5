/**
 * The simulator: thousands of real nodes in one process, from one seed. See docs/SIMULATOR.md.
 *
 * @module
 */
export { type Citizen, City, type CityOptions } from "./city.ts";
export {
  failing,
  type Outcome,
  replay,
  type Scenario,
  verdict,
} from "./scenario.ts";
export { SCENARIOS } from "./scenarios.ts";
