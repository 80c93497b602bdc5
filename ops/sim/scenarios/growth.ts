/** Scenarios of a network in peace: nodes join, look things up, and rest. */
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import { City } from "../city.ts";
import { lookUp, lookUpMany, quantile } from "../lookups.ts";
import {
  type Ask,
  type Outcome,
  outcomeOf,
  type Scenario,
} from "../scenario.ts";

/** Lookups of a run: a thousand, or one for each node of a small network. */
export function lookupsFor(nodes: number): number {
  return Math.min(1_000, nodes);
}

/** Newcomers find their neighbours, and are found. */
export const joinScenario: Scenario = {
  name: "join",
  about: "Everybody joins through three strangers and is found by everybody",
  fullNodes: 10_000,
  smallNodes: 80,
  run: runJoin,
};

async function runJoin(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City(ask);
  const grown = await city.grow(nodes);
  const neighbours = grown.map((one) => {
    const near = city.nearest(one.node.id, BUCKET_PEERS_MAX / 2 + 1);
    const known = near.filter(({ node }) =>
      node === one.node || one.node.table.get(node.id) !== undefined
    );
    return (known.length - 1) / (near.length - 1);
  });
  const found: boolean[] = [];
  for (let i = 0; i < lookupsFor(nodes); i++) {
    city.doing = `${i} of ${lookupsFor(nodes)} have been looked up`;
    const [asker, sought] = [city.one(), city.one()];
    if (asker === sought) continue;
    const { isRight } = await city.run(lookUp(city, asker, sought.node.id));
    found.push(isRight);
  }
  const success = found.filter((isFound) => isFound).length / found.length;
  const share = neighbours.reduce((sum, one) => sum + one, 0) / nodes;
  const { messageCount, handshakeCount, bytes } = city.net.traffic;
  return outcomeOf(city, [
    {
      what: "the share of nodes found by their id",
      value: success,
      atLeast: 0.999,
    },
    {
      what: "the share of its ten nearest a node knows",
      value: share,
      atLeast: 0.95,
    },
  ], {
    success,
    neighboursKnown: share,
    peersKnownMedian: quantile(grown.map(({ node }) => node.table.size), 0.5),
    messagesPerJoin: messageCount / nodes,
    handshakesPerJoin: handshakeCount / nodes,
    kilobytesPerJoin: bytes / nodes / 1e3,
  });
}

/** The figures that are asked of a lookup. */
export const lookupScenario: Scenario = {
  name: "lookup",
  about:
    "Lookups of random keys find the nearest node, in few hops and little time",
  fullNodes: 10_000,
  smallNodes: 120,
  run: runLookup,
};

async function runLookup(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City(ask);
  await city.grow(nodes);
  const roundTripMs = city.medianRoundTripMs();
  const sent = { ...city.net.traffic };
  const count = lookupsFor(nodes);
  const looked = await lookUpMany(city, { count, gapMs: 500 });
  const { messageCount, handshakeCount, bytes } = city.net.traffic;
  city.net.areConnectionsOpen = true;
  const open = await lookUpMany(city, { count, gapMs: 500 });
  return outcomeOf(city, [
    {
      what: "the share of lookups that find the nearest",
      value: Math.min(looked.success, open.success),
      atLeast: 0.999,
    },
    {
      what: "the median of hops",
      value: looked.medianHops,
      atMost: Math.log2(nodes) / 2,
    },
    {
      what:
        "the median time until the nearest answered, over open connections and in median round trips",
      value: open.medianNearestMs / roundTripMs,
      atMost: 3.5,
    },
  ], {
    ...looked,
    medianRoundTripMs: roundTripMs,
    roundTripsOpen: open.medianMs / roundTripMs,
    roundTripsNearestOpen: open.medianNearestMs / roundTripMs,
    roundTripsDialling: looked.medianMs / roundTripMs,
    roundTripsNearestDialling: looked.medianNearestMs / roundTripMs,
    messagesPerLookup: (messageCount - sent.messageCount) / count,
    handshakesPerLookup: (handshakeCount - sent.handshakeCount) / count,
    kilobytesPerLookup: (bytes - sent.bytes) / count / 1e3,
  });
}

/** What a node costs its owner while nobody wants anything. */
export const restScenario: Scenario = {
  name: "rest",
  about: "An hour in which nobody wants anything costs a node little",
  fullNodes: 1_000,
  smallNodes: 40,
  run: runRest,
};

const HOUR_MS = 3_600_000;
/** Until every node has looked round in all its buckets once, as it does soon after it joined. */
const SETTLE_MS = HOUR_MS / 2;
/** Headers of one packet: IPv4, UDP, QUIC's short header with its seal, a stream's frame, and half an acknowledgement. */
const PACKET_BYTES = 20 + 8 + 26 + 8 + 20;
const PACKET_CONTENT_BYTES = 1_200;

async function runRest(ask: Ask): Promise<Outcome> {
  const { nodes } = ask;
  await using city = new City({ ...ask, refreshes: true });
  await city.grow(nodes);
  city.doing = "nodes rest";
  await city.clock.advance(SETTLE_MS);
  const sent = { ...city.net.traffic };
  await city.clock.advance(HOUR_MS);
  const { messageCount, handshakeCount, bytes } = city.net.traffic;
  // Each is sent by one node and received by another, and a line pays for both.
  const perNode = (total: number): number => 2 * total / nodes;
  const messages = perNode(messageCount - sent.messageCount);
  const content = perNode(bytes - sent.bytes);
  const headers = PACKET_BYTES * (messages + content / PACKET_CONTENT_BYTES);
  return outcomeOf(city, [
    {
      what: "bytes per node and hour, headers included",
      value: content + headers,
      atMost: 2e6,
    },
  ], {
    messagesPerNodeHour: messages,
    handshakesPerNodeHour: perNode(handshakeCount - sent.handshakeCount),
    contentBytesPerNodeHour: content,
    bytesPerNodeHour: content + headers,
    peersKnownMedian: quantile(
      city.living.map(({ node }) => node.table.size),
      0.5,
    ),
  });
}
