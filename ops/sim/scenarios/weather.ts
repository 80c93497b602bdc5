/** Scenarios of a network in bad weather: nodes come and go, the network breaks in two, everything stops at once. */
import { nodeId } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";
import { savedPeers, savePeers } from "@tesseras/node";
import { Churn } from "../churn.ts";
import { type Citizen, City, never } from "../city.ts";
import { lookUp, lookUpMany } from "../lookups.ts";
import { publishFrom, shareFound } from "../published.ts";
import {
  type Ask,
  type Outcome,
  outcomeOf,
  type Scenario,
} from "../scenario.ts";
import { lookupsFor } from "./growth.ts";

const MINUTE_MS = 60_000;

/** Half of new peers gone within two hours. */
export const churnScenario: Scenario = {
  name: "churn",
  about:
    "Nodes come and go, half of the new ones within two hours, and lookups stay right",
  fullNodes: 10_000,
  smallNodes: 60,
  run: runChurn,
};

async function runChurn(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City({ ...ask, refreshes: true });
  await city.grow(nodes);
  const published = [];
  for (let i = 0; i < 20; i++) {
    published.push(await city.run(publishFrom(city, city.one())));
  }
  const churn = new Churn(city);
  city.doing = "nodes come and go";
  // Long enough for a few in a hundred to have been replaced before anybody looks.
  await city.clock.advance(15 * MINUTE_MS);
  const count = lookupsFor(nodes);
  const looked = await lookUpMany(city, {
    count,
    gapMs: 30 * MINUTE_MS / count,
  });
  const found = await shareFound(city, published, 5);
  churn.stop();
  return outcomeOf(city, [
    {
      what: "the share of lookups that find the nearest",
      value: looked.success,
      atLeast: 0.99,
    },
    {
      what: "the share of records found after 45 minutes",
      value: found,
      atLeast: 0.99,
    },
  ], {
    ...looked,
    recordsFound: found,
    goneShare: churn.goneCount / nodes,
    medianRoundTrips: looked.medianMs / city.medianRoundTripMs(),
  });
}

/** The network breaks in two, and grows together. */
export const partitionScenario: Scenario = {
  name: "partition",
  about: "The network is cut in two for an hour and grows together again",
  fullNodes: 1_000,
  smallNodes: 40,
  run: runPartition,
};

async function runPartition(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City({ ...ask, refreshes: true });
  const all = await city.grow(nodes);
  const halves = [all.slice(0, nodes / 2), all.slice(nodes / 2)] as const;
  const [west, east] = halves.map((half) =>
    half.map(({ host }) => host.address)
  ) as [Citizen["host"]["address"][], Citizen["host"]["address"][]];
  city.net.partition(west, east);
  city.doing = "the halves live apart";
  await city.clock.advance(60 * MINUTE_MS);
  const published = [];
  for (const half of halves) {
    for (let i = 0; i < 5; i++) {
      const holder = half[city.random.below(half.length)]!;
      published.push(await city.run(publishFrom(city, holder)));
    }
  }
  const apart = await shareFound(city, published, 10);
  city.net.heal();
  // Whoever looks at the directory again, as newcomers and restarted nodes do: one node in fifty.
  const bridges = Math.max(1, Math.floor(nodes / 50));
  for (let i = 0; i < bridges; i++) {
    const entries = west.slice(3 * i, 3 * i + 3);
    await city.run(city.join(halves[1][i]!, entries));
  }
  city.doing = "the halves grow together";
  await city.clock.advance(70 * MINUTE_MS);
  const together = await shareFound(city, published, 10);
  const looked = await lookUpMany(city, {
    count: lookupsFor(nodes) / 2,
    gapMs: 100,
  });
  return outcomeOf(city, [
    {
      what: "the share of records of both halves found by all",
      value: together,
      atLeast: 0.99,
    },
    {
      what: "the share of lookups that find the nearest",
      value: looked.success,
      atLeast: 0.99,
    },
  ], { foundApart: apart, foundTogether: together, bridges, ...looked });
}

/** Nodes come back from their own peers. */
export const restartScenario: Scenario = {
  name: "restart",
  about:
    "A fifth of all nodes lose power with every entry dead, then everybody does, and all come back from the peers they had saved",
  fullNodes: 1_000,
  smallNodes: 50,
  run: runRestart,
};

async function runRestart(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City(ask);
  const all = await city.grow(nodes);
  const published = [];
  for (let i = 0; i < 5; i++) {
    published.push(await city.run(publishFrom(city, city.one())));
  }
  for (const { node, state } of all) await savePeers(node, state, never);
  const fifth = all.slice(0, nodes / 5);
  for (const one of fifth) city.crash(one);
  await city.clock.advance(10 * MINUTE_MS);
  const back = await comeBack(city, fifth);
  const afterFifth = await oneLookupEach(city, back.citizens);
  const everybody = city.living;
  for (const { node, state } of everybody) await savePeers(node, state, never);
  for (const one of everybody) city.crash(one);
  await city.clock.advance(10 * MINUTE_MS);
  const again = await comeBack(city, everybody);
  // Those who came first found only the dead: they try again, as a node without peers does every minute or so.
  await city.clock.advance(5 * MINUTE_MS);
  for (const one of again.alone) await rejoin(city, one);
  const afterAll = await lookUpMany(city, {
    count: lookupsFor(nodes),
    gapMs: 100,
  });
  const found = await shareFound(city, published, 10);
  return outcomeOf(city, [
    {
      what: "the share of a fifth that rejoined",
      value: back.share,
      atLeast: 1,
    },
    {
      what: "the share of their lookups that find the nearest",
      value: afterFifth,
      atLeast: 0.99,
    },
    {
      what: "the share of lookups that find the nearest after all were gone",
      value: afterAll.success,
      atLeast: 0.99,
    },
    {
      what: "the share of records found after all were gone",
      value: found,
      atLeast: 0.99,
    },
  ], {
    rejoined: back.share,
    success: afterFifth,
    successAfterAll: afterAll.success,
    recordsFound: found,
    aloneAtFirst: again.alone.length,
  });
}

/** Starts nodes anew with what they kept; each joins through the peers it had saved and nobody else. */
async function comeBack(
  city: City,
  gone: readonly Citizen[],
): Promise<{
  readonly citizens: readonly Citizen[];
  readonly alone: readonly Citizen[];
  readonly share: number;
}> {
  const citizens: Citizen[] = [];
  const joining: Promise<boolean>[] = [];
  for (const { node, host, state } of gone) {
    const { identity } = node;
    const citizen = await city.settle({ identity, host, state });
    citizens.push(citizen);
    city.doing = `${citizens.length} of ${gone.length} have come back`;
    joining.push(rejoinFrom(city, citizen));
    await city.clock.advance(50);
  }
  const joined = await city.run(Promise.all(joining));
  const alone = citizens.filter((_, index) => joined[index] === false);
  return { citizens, alone, share: 1 - alone.length / citizens.length };
}

async function rejoinFrom(city: City, citizen: Citizen): Promise<boolean> {
  const entries = await savedPeers(citizen.node, citizen.state, never);
  // As many as a real node tries of those it had saved.
  return await city.join(citizen, entries.slice(0, 20));
}

async function rejoin(city: City, citizen: Citizen): Promise<void> {
  await city.run(rejoinFrom(city, citizen));
}

async function oneLookupEach(
  city: City,
  askers: readonly Citizen[],
): Promise<number> {
  let right = 0;
  for (const asker of askers) {
    const target = nodeId(city.random.bytes(NODE_ID_BYTES));
    const { isRight } = await city.run(lookUp(city, asker, target));
    if (isRight) right++;
  }
  return right / askers.length;
}
