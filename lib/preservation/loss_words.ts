/** What the model of loss says, in sentences a person reads. Never a number without what it rests on. */
import { repairAfterLosses } from "./coding.ts";
import { type LossEstimate, lossInDisaster } from "./loss_model.ts";

/** The chances of loss, a sentence for each time. */
export function lossSentences(estimate: LossEstimate): readonly string[] {
  return estimate.within.map(({ years, probability }) =>
    `Chance of loss within ${countOf(years, "year")}: ${chanceOf(probability)}.`
  );
}

/** What the chances rest on. */
export function assumptionSentences(
  { question, assumptions }: LossEstimate,
): readonly string[] {
  const { dataCount, parityCount } = question;
  const count = dataCount + parityCount;
  const peers = Math.min(question.peerCount ?? count, count);
  const monthly = -Math.expm1(-assumptions.holderLossesPerYear / 12);
  const after = repairAfterLosses(question);
  return [
    dataCount === 1
      ? `Any 1 of ${count} copies on ${countOf(peers, "peer")} is enough.`
      : `Any ${dataCount} of ${count} fragments on ${
        countOf(peers, "peer")
      } are enough.`,
    `Each peer is lost for good with ${
      percent(monthly)
    } a month, whatever happens to others.`,
    `Somebody looks within ${
      daysOf(assumptions.lookDays)
    } on average; who has been silent for ${
      daysOf(assumptions.graceDays)
    } from there counts as gone, or for ${
      daysOf(assumptions.calmGraceDays)
    } while at least half of the spare ones are there.`,
    `Once ${
      after === 1 ? "one is" : `${after} are`
    } gone, all are made anew within ${
      daysOf(assumptions.repairDays)
    } on average.`,
    `Every network (/24 or /48) has up to ${
      countOf(assumptions.peersPerSubnet, "peer")
    } of it and is lost as a whole with ${
      percent(-Math.expm1(-assumptions.subnetLossesPerYear))
    } a year.`,
    `There are always new peers to take its place, and they repair as they should.`,
    `What no model knows, such as an error in every copy of this software, is counted as ${
      chanceOf(-Math.expm1(-assumptions.unknownLossesPerYear))
    } a year.`,
    `Not counted: many peers that vanish in one moment. If a fifth of all did, the chance of loss would be ${
      chanceOf(lossInDisaster(question, 0.2))
    }.`,
  ];
}

/** `3 %` from one in a hundred on, `1 in 12,000` below, in two digits that claim no more than they know. */
export function chanceOf(probability: number): string {
  if (!(probability > 0)) return "none";
  if (probability >= 0.995) return "almost certain";
  if (probability >= 0.01) return percent(probability);
  const odds = 1 / probability;
  if (odds >= 1e15) return "less than 1 in 1,000,000,000,000,000";
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(odds)) - 1);
  return `1 in ${(Math.round(odds / unit) * unit).toLocaleString("en-US")}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function daysOf(days: number): string {
  return days < 3
    ? countOf(Math.max(1, Math.round(days * 24)), "hour")
    : countOf(Number(days.toPrecision(2)), "day");
}

function countOf(count: number, what: string): string {
  return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
}
