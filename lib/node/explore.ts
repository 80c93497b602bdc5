/** Looks at regions of the space of ids: the decisions are `lib/kad`'s, this shell runs the lookups. */
import { codeOf, mapBounded, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  REGION_PEERS_MAX,
  REGION_TIMEOUT_MS,
} from "@tesseras/core/limits";
import {
  isCrowded,
  keepersOf,
  type Prefix,
  regionOf,
  type Surroundings,
  Survey,
} from "@tesseras/kad";
import { CAPABILITIES, type NodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";

/** The keepers of a region, as far as a systematic look found them. */
export type Explored = {
  readonly region: Prefix;
  /** In no order. */
  readonly peers: readonly NodeRecord[];
  readonly lookupCount: number;
  /** What the region was cut by. */
  readonly surroundings: Surroundings;
};

/** A key and those nearest to it that answered, closest first. */
export type Neighbourhood = {
  readonly key: NodeId;
  readonly closest: readonly NodeRecord[];
};

/** What a node knows of the network around a key; `undefined` when it has seen none of it. */
export async function surroundingsOf(
  node: Node,
  key: NodeId,
  signal: AbortSignal,
): Promise<Surroundings | undefined> {
  const lookUp = (target: NodeId, lookUpSignal: AbortSignal) =>
    findNodes(node, target, { want: CAPABILITIES.DHT }, lookUpSignal);
  const size = await node.size.besides(key, lookUp, signal);
  return size === undefined ? undefined : { size, powBits: node.powBits };
}

/** Finds the keepers of a region; after `REGION_TIMEOUT_MS` it gives those it has. */
export async function explore(
  node: Node,
  start: {
    readonly region: Prefix;
    readonly surroundings: Surroundings;
    readonly neighbourhood?: Neighbourhood;
  },
  signal: AbortSignal,
): Promise<Explored> {
  const { clock, counters, random } = node.runtime;
  const { region, surroundings, neighbourhood } = start;
  const survey = new Survey<NodeRecord>({
    ...surroundings,
    region,
    random,
    ...(neighbourhood && {
      known: { target: neighbourhood.key, closest: neighbourhood.closest },
    }),
  });
  using deadline = clock.deadline(REGION_TIMEOUT_MS, signal);
  try {
    for (;;) {
      const wave = waveOf(survey);
      if (wave.length === 0) break;
      await mapBounded(wave, LOOKUP_PARALLEL, async (target, laneSignal) => {
        const options = {
          want: CAPABILITIES.DHT,
          exclude: (id: NodeId) => survey.isSuspect(id),
          isThorough: true,
        };
        const { closest } = await findNodes(node, target, options, laneSignal);
        survey.answered(target, closest);
      }, deadline.signal);
    }
  } catch (error) {
    if (signal.aborted || codeOf(error) !== "timeout") throw error;
    counters.add("region.timeout");
  }
  counters.add("region.explored");
  return {
    region: survey.region,
    peers: survey.peers(),
    lookupCount: survey.lookupCount,
    surroundings,
  };
}

function waveOf(survey: Survey<NodeRecord>): NodeId[] {
  const wave: NodeId[] = [];
  while (wave.length < LOOKUP_PARALLEL) {
    const target = survey.next();
    if (target === undefined) break;
    wave.push(target);
  }
  return wave;
}

/**
 * Who keeps the records of a key: the closest that were found, and where these are crowded beyond chance the nodes of its region,
 * too. A look at the region costs as much as ten lookups, so it is taken where chance does not explain what is seen, or
 * where the caller has a reason of its own.
 *
 * @param reason whether to look at the region in any case
 */
export async function keepersAround(
  node: Node,
  { key, closest }: Neighbourhood,
  { reason }: { readonly reason: boolean },
  signal: AbortSignal,
): Promise<readonly NodeRecord[]> {
  const { regionAware = true } = node.traits;
  if (!regionAware) return closest;
  if (closest.length < BUCKET_PEERS_MAX) {
    // They are everybody there is; or so many have died that a lookup found nobody else.
    const isEverybody = (node.size.now() ?? 0) < 2 * BUCKET_PEERS_MAX;
    if (isEverybody || !reason) return closest;
  }
  const surroundings = await surroundingsOf(node, key, signal);
  if (surroundings === undefined) return closest;
  const crowded = isCrowded(key, closest.map(({ id }) => id), surroundings);
  if (crowded) node.runtime.counters.add("region.crowded");
  if (!crowded && !reason) return closest;
  const region = regionOf(key, surroundings);
  // Where too few were found, that says nothing about who else is there.
  const isKnown = closest.length >= BUCKET_PEERS_MAX;
  const start = isKnown ? { neighbourhood: { key, closest } } : {};
  const { peers } = await explore(
    node,
    { region, surroundings, ...start },
    signal,
  );
  if (crowded) return keepersOf(key, peers, surroundings);
  return peers.length > closest.length
    ? peers.slice(0, REGION_PEERS_MAX)
    : closest;
}
