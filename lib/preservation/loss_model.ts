/**
 * How likely a tessera is lost: a Markov chain over the fragments that are gone, noticed and unnoticed. docs/DURABILITY.md
 * explains it and what it leaves out; `deno task decay` checks it against holders that really come and go.
 */
import { TesserasError } from "@tesseras/core";
import {
  FRAGMENTS_MAX,
  PEERS_PER_SUBNET_MAX,
  REPAIR_INTERVAL_MS,
  REPAIR_JITTER_MS,
} from "@tesseras/core/limits";
import { absorb, type Flow } from "./chain.ts";
import { type Coding, isCalm, repairAfterLosses } from "./coding.ts";
import { PATIENCE_DEFAULTS } from "./standing.ts";

/** What is assumed. It comes with every result, so that nobody reads a number without it. */
export type LossAssumptions = {
  /** How often one holder is lost for good, by itself. */
  readonly holderLossesPerYear: number;
  /** Mean time until somebody looks. */
  readonly lookDays: number;
  /** How long silence is forgiven from there: usually, and while at least half of the margin is left. */
  readonly graceDays: number;
  readonly calmGraceDays: number;
  /** Mean time from the decision to repair until it is done. */
  readonly repairDays: number;
  /** How often one /24 or /48 is lost with all holders in it. */
  readonly subnetLossesPerYear: number;
  /** Holders of one tessera in one subnet; as many as allowed are assumed in each. */
  readonly peersPerSubnet: number;
  /** What a model cannot know, counted as one more way to lose everything. */
  readonly unknownLossesPerYear: number;
};

const DAY_MS = 24 * 3_600_000;

/** The rate of what is lost with a probability a month: 5 % a month are 0.616 a year. */
export function perYearOfMonthly(monthlyLoss: number): number {
  return -12 * Math.log1p(-monthlyLoss);
}

/** What we assume of the public network until it has been measured. */
export const LOSS_DEFAULTS: LossAssumptions = {
  /** A twentieth of all holders gives up every month, so that half are gone after 14: assumed, and far worse than disks are. */
  holderLossesPerYear: perYearOfMonthly(0.05),
  /** The longest wait for the next look, 26 h, though half as long is the mean. */
  lookDays: (REPAIR_INTERVAL_MS + REPAIR_JITTER_MS) / DAY_MS,
  graceDays: PATIENCE_DEFAULTS.graceMs / DAY_MS,
  calmGraceDays: PATIENCE_DEFAULTS.calmGraceMs / DAY_MS,
  /** The longest wait for the first turn, several turns of holders that do not act, and the transfers. */
  repairDays: 0.5,
  /** A house, or the machines of one owner in one room, once in 50 years: assumed, nobody has measured it for us. */
  subnetLossesPerYear: 1 / 50,
  peersPerSubnet: PEERS_PER_SUBNET_MAX,
  /** An error in every copy of this software, an attack nobody thought of, the end of the network: no figure is known; nobody should claim less. */
  unknownLossesPerYear: 1e-6,
};

/** A tessera as the model sees it. */
export type LossQuestion = Coding & {
  /** Distinct peers that keep it when it is whole; as many as fragments unless said. */
  readonly peerCount?: number;
  /** Fragments missing now. */
  readonly missingCount?: number;
};

/** The chance of loss within a time. */
export type LossWithin = {
  readonly years: number;
  /** With what a model cannot know. */
  readonly probability: number;
  /** What the chain alone says. */
  readonly modelProbability: number;
};

/** What the model says, and under which assumptions. */
export type LossEstimate = {
  readonly question: LossQuestion;
  readonly assumptions: LossAssumptions;
  /** Losses a year of such a tessera once it is whole, by the chain alone. */
  readonly modelLossesPerYear: number;
  /** The chance that it is lost before it is whole again, by the chain alone; 0 when nothing is missing. */
  readonly lossBeforeWhole: number;
  readonly within: readonly LossWithin[];
};

/** The times a person is told of, in years. */
export const LOSS_YEARS: readonly number[] = [1, 10, 100];

/**
 * Estimates how likely a tessera is lost.
 *
 * @throws `unusable` when the coding or an assumption is not one the model can take
 */
export function estimateLoss(
  question: LossQuestion,
  assumptions: LossAssumptions = LOSS_DEFAULTS,
  years: readonly number[] = LOSS_YEARS,
): LossEstimate {
  require(question, assumptions);
  const units = unitsOf(question);
  const states = new States(units.tolerated);
  const flows = states.all.map((state) =>
    flowsFrom(state, { units, assumptions, states })
  );
  const missing = Math.ceil((question.missingCount ?? 0) / units.fragments);
  const isLost = missing > units.tolerated;
  const { perYear, beforeHome } = absorb(
    flows,
    isLost ? 0 : states.numberOf({ unnoticed: 0, noticed: missing }),
  );
  const lossBeforeWhole = isLost ? 1 : beforeHome;
  const chance = (hazardPerYear: number, time: number): number =>
    lossBeforeWhole -
    (1 - lossBeforeWhole) * Math.expm1(-hazardPerYear * time);
  return {
    question,
    assumptions,
    modelLossesPerYear: perYear,
    lossBeforeWhole,
    within: years.map((time) => ({
      years: time,
      modelProbability: chance(perYear, time),
      probability: chance(perYear + assumptions.unknownLossesPerYear, time),
    })),
  };
}

/** The chance that a tessera is lost in a moment in which every holder is lost with the same probability: a large provider, a country. */
export function lossInDisaster(
  { dataCount, parityCount }: Coding,
  holderShare: number,
): number {
  const count = dataCount + parityCount;
  if (holderShare >= 1) return 1;
  if (holderShare <= 0) return 0;
  let sum = 0, lnChoose = 0;
  for (let gone = 1; gone <= count; gone++) {
    lnChoose += Math.log((count - gone + 1) / gone);
    if (gone <= parityCount) continue;
    sum += Math.exp(
      lnChoose + gone * Math.log(holderShare) +
        (count - gone) * Math.log1p(-holderShare),
    );
  }
  return Math.min(1, sum);
}

/** Peers that are lost as one, each with the same number of fragments. */
type Units = {
  readonly coding: Coding;
  readonly count: number;
  /** Fragments of each at most. */
  readonly fragments: number;
  /** Units that may be gone at once. */
  readonly tolerated: number;
  /** Known losses at which repair begins. */
  readonly repairAfter: number;
};

/** Where peers keep several fragments, each is counted with as many as the most laden. */
function unitsOf(question: LossQuestion): Units {
  const fragmentCount = question.dataCount + question.parityCount;
  const count = Math.min(question.peerCount ?? fragmentCount, fragmentCount);
  const fragments = Math.ceil(fragmentCount / count);
  return {
    coding: question,
    count,
    fragments,
    // Of copies the last peer with any is enough.
    tolerated: Math.min(
      count - 1,
      Math.floor(question.parityCount / fragments),
    ),
    repairAfter: Math.ceil(repairAfterLosses(question) / fragments),
  };
}

/** Units gone: those nobody has noticed, and those that wait for repair. */
type Gone = { readonly unnoticed: number; readonly noticed: number };

/** The states in which a tessera lives, numbered; 0 is the one with nothing gone. */
class States {
  readonly all: readonly Gone[];
  readonly #tolerated: number;

  constructor(tolerated: number) {
    this.#tolerated = tolerated;
    const all: Gone[] = [];
    for (let noticed = 0; noticed <= tolerated; noticed++) {
      for (let unnoticed = 0; unnoticed <= tolerated - noticed; unnoticed++) {
        all.push({ unnoticed, noticed });
      }
    }
    this.all = all;
  }

  /** `undefined` for a state in which it is lost. */
  find(gone: Gone): number | undefined {
    return gone.unnoticed + gone.noticed > this.#tolerated
      ? undefined
      : this.numberOf(gone);
  }

  numberOf({ unnoticed, noticed }: Gone): number {
    // Rows of one state less each.
    return noticed * (this.#tolerated + 1) - noticed * (noticed - 1) / 2 +
      unnoticed;
  }
}

function flowsFrom(
  gone: Gone,
  { units, assumptions, states }: {
    readonly units: Units;
    readonly assumptions: LossAssumptions;
    readonly states: States;
  },
): Flow[] {
  const { unnoticed, noticed } = gone;
  const alive = units.count - unnoticed - noticed;
  const lose = (lost: number, perYear: number): Flow => ({
    to: states.find({ unnoticed: unnoticed + lost, noticed }),
    perYear,
  });
  const perSubnet = assumptions.peersPerSubnet;
  const fullSubnets = Math.floor(alive / perSubnet);
  const rest = alive % perSubnet;
  const { subnetLossesPerYear } = assumptions;
  const flows = [
    lose(1, alive * assumptions.holderLossesPerYear),
    lose(perSubnet, fullSubnets * subnetLossesPerYear),
  ];
  if (rest > 0) flows.push(lose(rest, subnetLossesPerYear));
  if (unnoticed > 0) {
    flows.push({
      to: states.find({ unnoticed: unnoticed - 1, noticed: noticed + 1 }),
      perYear: unnoticed * DAYS_PER_YEAR /
        (assumptions.lookDays + assumptions.graceDays),
    });
  }
  if (noticed >= units.repairAfter) {
    flows.push(repairFrom(gone, { units, assumptions, states }));
  }
  return flows;
}

/**
 * Repair makes good what is known. While half of the margin is left it waits until as many have aged as it begins with; each
 * ages for itself, so that the time until the first of several has is the shorter the more there are.
 */
function repairFrom(
  { unnoticed, noticed }: Gone,
  { units, assumptions, states }: {
    readonly units: Units;
    readonly assumptions: LossAssumptions;
    readonly states: States;
  },
): Flow {
  const { coding, fragments, repairAfter, tolerated } = units;
  const { lookDays, graceDays, calmGraceDays, repairDays } = assumptions;
  const isUneasy = !isCalm(coding, noticed * fragments);
  // Where those who answer are only just enough, nobody waits, either, once somebody has looked.
  if (isUneasy || unnoticed + noticed >= tolerated) {
    const days = isUneasy ? repairDays : lookDays + repairDays;
    return {
      to: states.find({ unnoticed, noticed: 0 }),
      perYear: DAYS_PER_YEAR / days,
    };
  }
  return {
    to: states.find({ unnoticed, noticed: noticed - repairAfter }),
    perYear: (noticed - repairAfter + 1) * DAYS_PER_YEAR /
      (calmGraceDays - graceDays + repairDays),
  };
}

/** Days of a mean year. */
export const DAYS_PER_YEAR = 365.25;

function require(question: LossQuestion, assumptions: LossAssumptions): void {
  const { dataCount, parityCount, peerCount = 1, missingCount = 0 } = question;
  const isCoding = isWhole(dataCount, 1) && isWhole(parityCount, 0) &&
    dataCount + parityCount <= FRAGMENTS_MAX && parityCount <= PARITY_MAX &&
    isWhole(peerCount, 1) && isWhole(missingCount, 0);
  if (!isCoding) {
    throw new TesserasError(
      "unusable",
      `Cannot estimate a loss: ${dataCount} + ${parityCount} fragments on ${peerCount} peers with ${missingCount} missing, ` +
        `wanted at most ${FRAGMENTS_MAX}, ${PARITY_MAX} of them parity, on at least one`,
    );
  }
  const { holderLossesPerYear, lookDays, graceDays, calmGraceDays } =
    assumptions;
  const { subnetLossesPerYear, peersPerSubnet, unknownLossesPerYear } =
    assumptions;
  const isUsable = holderLossesPerYear > 0 && lookDays > 0 && graceDays >= 0 &&
    assumptions.repairDays > 0 && calmGraceDays >= graceDays &&
    isWhole(peersPerSubnet, 1) &&
    subnetLossesPerYear >= 0 && unknownLossesPerYear >= 0 &&
    Object.values(assumptions).every(Number.isFinite);
  if (!isUsable) {
    throw new TesserasError(
      "unusable",
      `Cannot estimate a loss: assumptions are ${
        JSON.stringify(assumptions)
      }, wanted rates and times above 0`,
    );
  }
}

/** Parity fragments at most: the chain has half as many states as their square, and solving it takes the cube of that. */
const PARITY_MAX = FRAGMENTS_MAX / 2;

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}
