/** Scenarios of attackers who sit next to a key: they deny it, or forget what they were given. */
import { keyOfTessera, tesseraId } from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import { City, type CityOptions } from "../city.ts";
import { findsHolder, type Published, publishFrom } from "../published.ts";
import { Ring } from "../rogues.ts";
import {
  type Ask,
  joined,
  type Outcome,
  outcomeOf,
  rounded,
  type Scenario,
} from "../scenario.ts";

/** What a node of the public network is opened with, and what it was before there were defences. */
const DEFENCES = {
  on: { subnetPeersMax: { bucket: 2, table: 10 } },
  off: { regionAware: false, lookupPathsMax: 1 },
} as const;

/** Nodes near the key that a ring makes itself known to, and others for each identity. */
const NEAR_COUNT = 60;
const OTHERS_COUNT = 10;
/** Lookups of the key by nodes drawn from all: enough to tell one in a hundred; and where nothing defends them, half from all. */
const ASKERS_MAX = { defended: 1_000, undefended: 200 };
/** A ring this small sits next to a key without standing out. */
const FEW = 20;

type Siege = {
  /** The share of lookups that did not find the record. */
  readonly denied: number;
  readonly keeperCount: number;
  readonly outcome: Outcome;
};

/** An attacker has ground identities next to a key before its record is published. */
export const eclipseScenario: Scenario = {
  name: "eclipse",
  about:
    "A tenth of all identities, then twenty, are ground to sit next to one key; with the defences on and off",
  fullNodes: 10_000,
  smallNodes: 100,
  run: runEclipse,
};

async function runEclipse(ask: Ask): Promise<Outcome> {
  const tenth = Math.max(FEW, Math.floor(ask.nodes / 10));
  const few = FEW;
  const sieges = {
    tenth: await siege(ask, { count: tenth, isDefended: true, isLate: false }),
    few: await siege(ask, { count: few, isDefended: true, isLate: false }),
    tenthOff: await siege(ask, {
      count: tenth,
      isDefended: false,
      isLate: false,
    }),
    fewOff: await siege(ask, { count: few, isDefended: false, isLate: false }),
  };
  const outcomes = Object.values(sieges).map(({ outcome }) => outcome);
  return joined(outcomes, [
    {
      what: "the share of lookups denied by a tenth of all identities",
      value: sieges.tenth.denied,
      atMost: 0.01,
    },
    {
      what: "the share of lookups denied by twenty neighbours",
      value: sieges.few.denied,
      atMost: 0.05,
    },
  ], {
    deniedByTenth: sieges.tenth.denied,
    deniedByFew: sieges.few.denied,
    deniedByTenthUndefended: sieges.tenthOff.denied,
    deniedByFewUndefended: sieges.fewOff.denied,
    keepersUnderTenth: sieges.tenth.keeperCount,
    keepersUnderFew: sieges.few.keeperCount,
  });
}

/** An attacker comes when the record is there, and takes what is told again. */
export const sybilScenario: Scenario = {
  name: "sybil-censor",
  about:
    "Identities ground next to a key after its record was published take every repetition and forget it",
  fullNodes: 2_000,
  smallNodes: 100,
  run: runSybil,
};

async function runSybil(ask: Ask): Promise<Outcome> {
  const count = Math.max(FEW, Math.floor(ask.nodes / 20));
  const on = await siege(ask, { count, isDefended: true, isLate: true });
  const off = await siege(ask, { count, isDefended: false, isLate: true });
  return joined([on.outcome, off.outcome], [
    {
      what: "the share of lookups denied",
      value: on.denied,
      atMost: 0.05,
    },
  ], {
    ringSize: count,
    denied: on.denied,
    deniedUndefended: off.denied,
    keepers: on.keeperCount,
    keepersUndefended: off.keeperCount,
  });
}

/** How a siege goes. */
type SiegeOptions = {
  readonly count: number;
  readonly isDefended: boolean;
  /** Whether the ring comes after the record was published, which then is told again twice. */
  readonly isLate: boolean;
};

async function siege(
  ask: Ask,
  { count, isDefended, isLate }: SiegeOptions,
): Promise<Siege> {
  const { nodes } = ask;
  const traits: CityOptions["traits"] = isDefended ? DEFENCES.on : DEFENCES.off;
  await using city = new City({ ...ask, traits });
  await city.grow(nodes - count);
  const id = tesseraId(city.random.bytes(HASH_BYTES));
  const holder = city.one();
  let published: Published | undefined;
  if (isLate) published = await city.run(publishFrom(city, holder, id));
  await surround(city, id, count);
  const times = isLate ? 2 : 1;
  for (let i = 0; i < times; i++) {
    // The attack is under way: whoever looks for anything near the key meets the ring.
    await city.clock.advance(60_000);
    published = await city.run(publishFrom(city, holder, id));
  }
  const { defended, undefended } = ASKERS_MAX;
  const askersMax = isDefended ? defended : undefended;
  const denied = await shareDenied(city, published!, askersMax);
  ask.tell?.(
    `${count} ground identities of ${nodes} ${
      isLate ? "came late and " : ""
    }denied ${rounded(denied)} of lookups with the defences ${
      isDefended ? "on" : "off"
    }`,
  );
  return {
    denied,
    keeperCount: published!.keeperCount,
    outcome: outcomeOf(city, [], {}),
  };
}

/** A ring of identities, each in a /24 of its own, ground for the key, known to all around it. */
async function surround(
  city: City,
  id: Published["id"],
  count: number,
): Promise<void> {
  city.doing = `a ring of ${count} closes in`;
  const key = keyOfTessera(id);
  const ring = await Ring.open(city, { count, key, subnetCount: count });
  await ring.mingle(city, city.nearest(key, NEAR_COUNT), OTHERS_COUNT);
}

async function shareDenied(
  city: City,
  published: Published,
  askersMax: number,
): Promise<number> {
  const askers = Math.min(askersMax, city.size);
  const answers: Promise<boolean>[] = [];
  for (let i = 0; i < askers; i++) {
    city.doing = `${i} of ${askers} have looked for the record`;
    answers.push(findsHolder(city.one(), published));
    await city.clock.advance(200);
  }
  const found = await city.run(Promise.all(answers));
  return found.filter((isFound) => !isFound).length / askers;
}
