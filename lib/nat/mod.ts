/**
 * NAT traversal without a server, decided and not done: what a node looks like from outside, which way to a peer is tried, when a
 * punch sends, what is refused, and what a relay grants. Nothing here waits, sends or reads a clock; time is an argument.
 *
 * @module
 */
export {
  Allowance,
  monthOf,
  type MonthUsed,
  MonthVolume,
} from "./allowance.ts";
export {
  FirstDial,
  supersedes,
  type Twin,
  type TwinRules,
} from "./duplicates.ts";
export {
  type Introduction,
  Introductions,
  type IntroductionVerdict,
  isFresh,
  type PunchPlace,
  PunchPlaces,
  punchTargets,
  type Refusal,
  Replays,
  type Sighting,
} from "./introductions.ts";
export { NAT_KINDS, type NatKind } from "./kind.ts";
export {
  ladder,
  type Prospects,
  type Rung,
  type RungReason,
  type Step,
} from "./ladder.ts";
export { type Family, familyOf, isPlausible, type Realm } from "./plausible.ts";
export { askerWaitMs, Punch, type PunchStep, targetWaitMs } from "./punch.ts";
export {
  kindOf,
  type Outlook,
  ReflexiveReports,
  type Report,
  type ReportVerdict,
} from "./reflexive.ts";
export {
  chooseRelays,
  type RelayCandidate,
  type RelayWish,
} from "./relay_choice.ts";
export {
  type EndedSession,
  RELAY_DEFAULTS,
  type RelayAnswer,
  type RelayAsk,
  RelayBook,
  type RelayLimits,
  type RelayRefusal,
} from "./relay_book.ts";
export {
  otherSide,
  type PacketVerdict,
  RelaySession,
  type SessionEnd,
  type SessionTerms,
  type Side,
} from "./relay_session.ts";
export { PunchRetries } from "./retry.ts";
export {
  interfacesChanged,
  type LostPeer,
  type Moment,
  type NetworkChanged,
  reconnectOrder,
  ROAM_ENDS_MS,
  type RoamCause,
  Roaming,
  type RoamPhase,
  type RoamStep,
  sleptMs,
} from "./roaming.ts";
