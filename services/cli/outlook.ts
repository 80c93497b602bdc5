/** The chance that a tessera is lost, as a model sees it: never a number without what it rests on. */
import {
  assumptionSentences,
  chanceOf,
  estimateLoss,
  LOSS_DEFAULTS,
  type LossEstimate,
} from "@tesseras/preservation";
import type { Reach } from "./reach.ts";

/** Where the model is explained. */
const EXPLAINED = "docs/DURABILITY.md";

/**
 * Asks the model about what is out there, this disk left out; `undefined` where too little is for anybody to rebuild it. More
 * peers in one network than placement allows, as on a cluster of one machine, are taken as they are.
 */
export function outlookOf(reach: Reach): LossEstimate | undefined {
  const { plan, aliveCount, peerCount } = reach;
  if (plan === undefined || aliveCount < plan.dataCount) return undefined;
  const peersPerSubnet = Math.max(
    LOSS_DEFAULTS.peersPerSubnet,
    reach.peersInOneSubnet,
  );
  return estimateLoss(
    {
      dataCount: plan.dataCount,
      parityCount: plan.parityCount,
      peerCount,
      missingCount: plan.fragments.length - aliveCount,
    },
    { ...LOSS_DEFAULTS, peersPerSubnet },
  );
}

/** `1 in 1,000,000 within 1 year, ...`, and that it is a model. */
export function outlookLine({ within }: LossEstimate): string {
  const chances = within.map(({ years, probability }) =>
    `${chanceOf(probability)} within ${years} ${years === 1 ? "year" : "years"}`
  );
  return `${chances.join(", ")}, by a model (${EXPLAINED})`;
}

/** For machines: the chances with all that was assumed. */
export function outlookJson(estimate: LossEstimate) {
  const { within, assumptions } = estimate;
  return {
    isModel: true,
    explainedIn: EXPLAINED,
    within: within.map((one) => ({ ...one })),
    assumptions: { ...assumptions },
    assumptionsInWords: assumptionSentences(estimate),
  };
}
