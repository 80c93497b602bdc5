/** Scenarios of peers that lie or shout: wrong answers to lookups, and more questions than anybody needs. */
import { codeOf } from "@tesseras/core";
import { anywhere, liars } from "../liars.ts";
import { type Citizen, City, IDENTITIES_METERED, never } from "../city.ts";
import { lookUpMany } from "../lookups.ts";
import { publishFrom, shareFound } from "../published.ts";
import { type Rogue, rogue } from "../rogues.ts";
import {
  type Ask,
  type Outcome,
  outcomeOf,
  type Scenario,
} from "../scenario.ts";
import { lookupsFor } from "./growth.ts";

/** One identity in this many lies. */
const LIARS_ONE_IN = 5;

/** Liars among those asked have no effect on what is found. */
export const poisonScenario: Scenario = {
  name: "poison",
  about:
    "A fifth of all nodes name themselves, nobody, thousands, forged records, rubbish, or never answer",
  fullNodes: 1_000,
  smallNodes: 60,
  run: runPoison,
};

async function runPoison(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  const traits = { subnetPeersMax: { bucket: 2, table: 10 } };
  await using city = new City({ ...ask, traits });
  const lyingCount = Math.floor(nodes / LIARS_ONE_IN);
  await city.grow(nodes - lyingCount);
  const lying = await liars(city, lyingCount);
  await mingle(city, lying);
  const published = [];
  for (let i = 0; i < 10; i++) {
    published.push(await city.run(publishFrom(city, city.one())));
  }
  const looked = await lookUpMany(city, {
    count: lookupsFor(nodes),
    gapMs: 200,
  });
  const found = await shareFound(city, published, 10);
  const counted = (name: string): number =>
    city.living.reduce(
      (sum, { runtime }) => sum + runtime.counters.get(name),
      0,
    );
  return outcomeOf(city, [
    {
      what: "the share of lookups that find the nearest honest node",
      value: looked.success,
      atLeast: 0.99,
    },
    { what: "the share of records found", value: found, atLeast: 0.99 },
    {
      what: "forged records that were counted",
      value: counted("record.refused"),
      atLeast: 1,
    },
  ], {
    ...looked,
    recordsFound: found,
    liarCount: lyingCount,
    recordsRefused: counted("record.refused"),
    providersRefused: counted("provider.refused"),
    questionsFailed: counted("lookup.question_failed"),
  });
}

/** Each liar makes itself known to many, so that it is asked. */
async function mingle(city: City, lying: readonly Rogue[]): Promise<void> {
  const greetings: Promise<unknown>[] = [];
  for (const { peers, record } of lying) {
    const near = city.nearest(record.id, 20);
    const others = Array.from({ length: 20 }, () => city.one());
    for (const { node } of [...near, ...others]) {
      const ping = peers.ask(node.record(), { type: "ping" }, {}, never);
      greetings.push(ping.catch(() => {}));
    }
    await city.clock.advance(50);
  }
  await city.run(Promise.all(greetings));
}

/** A node that is shouted at goes on answering everybody else. */
export const floodScenario: Scenario = {
  name: "flood",
  about:
    "One address with many identities asks one node as fast as it can, and honest nodes are still answered",
  fullNodes: 500,
  smallNodes: 40,
  run: runFlood,
};

const FLOODERS = 32;
const FLOOD_MS = 3_000;
/** Questions a second of each flooder: twice what one identity is granted. */
const FLOOD_RATE = 400;
const TICK_MS = 20;

async function runFlood(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City(ask);
  await city.grow(nodes);
  const victim = city.one();
  const heard = await shout(city, victim, await flooders(city));
  return outcomeOf(city, [
    {
      what: "the share of honest questions answered",
      value: heard.honestAnswered / heard.honestAsked,
      atLeast: 0.99,
    },
    {
      what: "the share of the flood that was shed",
      value: heard.shed / heard.asked,
      atLeast: 0.7,
    },
    {
      what: "rates the victim remembers",
      value: victim.admission.bucketCount,
      atMost: 5 * IDENTITIES_METERED,
    },
  ], heard);
}

/** Many identities at one address. */
async function flooders(city: City): Promise<readonly Rogue[]> {
  const made: Rogue[] = [];
  for (let i = 0; i < FLOODERS; i++) {
    made.push(
      await rogue(city, {
        handler: () => () =>
          Promise.resolve({
            response: { type: "error", code: "refused", text: "No" },
          }),
        address: { ip: "14.0.0.1", port: 5_000 + i },
      }),
    );
  }
  return made;
}

/** Has all of them ask one node, while honest nodes ask it now and then. */
async function shout(
  city: City,
  victim: Citizen,
  rogues: readonly Rogue[],
) {
  const record = victim.node.record();
  const heard = { asked: 0, shed: 0, honestAsked: 0, honestAnswered: 0 };
  const under: Promise<void>[] = [];
  const askers = city.living.filter((one) => one !== victim);
  const refused = (error: unknown, note: () => void): void => {
    if (codeOf(error) === undefined) throw error;
    note();
  };
  for (let atMs = 0; atMs < FLOOD_MS; atMs += TICK_MS) {
    for (const { peers } of rogues) {
      for (let i = 0; i < FLOOD_RATE * TICK_MS / 1_000; i++) {
        heard.asked++;
        const target = anywhere(city.random);
        const question = { type: "find_node", target, want: 0 } as const;
        under.push(
          peers.ask(record, question, {}, never)
            .then(() => {}, (error) => refused(error, () => heard.shed++)),
        );
      }
    }
    if (atMs % 200 === 0) {
      heard.honestAsked++;
      const { node } = askers[city.random.below(askers.length)]!;
      under.push(
        node.ask(record, { type: "ping" }, {}, never)
          .then(() => void heard.honestAnswered++, (e) => refused(e, () => {})),
      );
    }
    await city.clock.advance(TICK_MS);
  }
  await city.run(Promise.all(under));
  return heard;
}
