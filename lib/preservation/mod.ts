/**
 * What keeps a tessera alive, as decisions: how it is, whose turn it is to repair, when to look, what to ask in an audit,
 * whom to give to, and how likely it is lost all the same. Nothing here waits, asks or reads a clock.
 *
 * @module
 */
export { type Coding, repairAfterLosses } from "./coding.ts";
export {
  type Census,
  type Health,
  HEALTH_DEFAULTS,
  type HealthOptions,
  type Holder,
  isNewcomer,
  judge,
  type Keeping,
  type PlanView,
  type State,
  type Urgency,
} from "./health.ts";
export {
  DAYS_PER_YEAR,
  estimateLoss,
  LOSS_DEFAULTS,
  LOSS_YEARS,
  type LossAssumptions,
  type LossEstimate,
  lossInDisaster,
  type LossQuestion,
  type LossWithin,
  perYearOfMonthly,
} from "./loss_model.ts";
export { assumptionSentences, chanceOf, lossSentences } from "./loss_words.ts";
export {
  type Acceptance,
  type Account,
  balanceBytes,
  mayAccept,
  rankOf,
  RECIPROCITY_DEFAULTS,
  type ReciprocityLimits,
  type ReciprocityRank,
  type RepairJob,
  repairOrder,
} from "./reciprocity.ts";
export {
  auditBytesMax,
  caughtProbability,
  drawRanges,
  type Range,
  RANGE_BYTES,
  rangesPerAudit,
  SAMPLING_DEFAULTS,
  type SamplingGoal,
} from "./sampling.ts";
export {
  dueBetween,
  gridPointMs,
  lookAtMs,
  looksIn,
  OTHERS_LOOK_EVERY_ROUNDS,
  type Pace,
  PACE_DEFAULTS,
  phaseMs,
  roundAt,
  roundBeginsMs,
  WATCHERS,
} from "./schedule.ts";
export {
  type LostWhy,
  type Observation,
  observe,
  type Patience,
  PATIENCE_DEFAULTS,
  type Presence,
  presenceOf,
  PROOF_FRESH_MS,
  RETRY_UNPROVED_MS,
  type Standing,
} from "./standing.ts";
export { type Surplus, surplusOf, type SurplusView } from "./surplus.ts";
export {
  actAtMs,
  isTurn,
  type Turn,
  TURN_DEFAULTS,
  type TurnLimits,
  turnMs,
  turnOf,
  turnPlace,
  type TurnQuestion,
} from "./turns.ts";
