/** A network in which most nodes sit behind NATs, as people's do. */
import { type Citizen, City } from "../city.ts";
import { lookUp, lookUpMany } from "../lookups.ts";
import { anywhere } from "../liars.ts";
import { publishFrom, shareFound } from "../published.ts";
import {
  type Ask,
  type Outcome,
  outcomeOf,
  type Scenario,
} from "../scenario.ts";
import { lookupsFor } from "./growth.ts";

/** The shares of nodes that anybody can reach, that sit behind one port for everybody, and behind a port for each peer. */
const PUBLIC_SHARE = 0.4;
const CONE_SHARE = 0.4;
/** Of the nodes behind NATs, those that name an address all the same: it leads nowhere. */
const MISTAKEN_SHARE = 0.1;

/** Nodes behind NATs join, look up and publish, and burden nobody's lookups. */
export const natScenario: Scenario = {
  name: "nat-mix",
  about:
    "Six nodes of ten sit behind NATs, some of them naming addresses nobody can reach",
  fullNodes: 1_000,
  smallNodes: 60,
  run: runNat,
};

async function runNat(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City({ ...ask, refreshes: true });
  const random = city.random.fork();
  const founders = Math.max(10, Math.floor(nodes / 10));
  await city.grow(founders);
  const hidden: Citizen[] = [];
  for (let i = founders; i < nodes; i++) {
    const draw = random.below(1_000) / 1_000;
    const nat = draw < PUBLIC_SHARE
      ? "public"
      : draw < PUBLIC_SHARE + CONE_SHARE
      ? "cone"
      : "symmetric";
    const address = city.address();
    const isMistaken = random.below(1_000) / 1_000 < MISTAKEN_SHARE;
    const named = nat === "public" || isMistaken ? [address] : [];
    const [one] = await city.grow(1, {
      host: { address, nat },
      traits: { addresses: named },
    });
    if (nat !== "public") hidden.push(one!);
  }
  await city.clock.advance(45 * 60_000);
  const published = [];
  for (const holder of hidden.slice(0, 10)) {
    published.push(await city.run(publishFrom(city, holder)));
  }
  let right = 0;
  const asked = hidden.slice(0, lookupsFor(nodes) / 2);
  for (const asker of asked) {
    const looked = await city.run(lookUp(city, asker, anywhere(random)));
    if (looked.isRight) right++;
  }
  const looked = await lookUpMany(city, {
    count: lookupsFor(nodes) / 2,
    gapMs: 200,
  });
  const found = await shareFound(city, published, 10);
  return outcomeOf(city, [
    {
      what:
        "the share of hidden nodes' lookups that find the nearest that can be reached",
      value: right / asked.length,
      atLeast: 0.99,
    },
    { what: "the share of everybody's", value: looked.success, atLeast: 0.99 },
    {
      what: "the share of hidden nodes' records found",
      value: found,
      atLeast: 0.99,
    },
  ], {
    ...looked,
    hiddenSuccess: right / asked.length,
    recordsFound: found,
    hiddenShare: hidden.length / nodes,
  });
}
