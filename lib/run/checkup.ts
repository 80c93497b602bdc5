/** How others see a running node: at which address, and by which clock. Asks, and changes nothing. */
import { codeOf, formatAddress, mapBounded, type NodeId } from "@tesseras/core";
import { QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import type { Node } from "@tesseras/node";
import type { NodeRecord } from "@tesseras/wire";
import type { JsonObject } from "./control_frames.ts";

/** Peers asked: enough that one that lies is outvoted. */
const ASKED_MAX = 6;
/** Peers they are chosen from. */
const CANDIDATES_MAX = 60;
const ASKED_PARALLEL = 3;

/** What one peer said. */
type Sight = {
  /** Where our packets come from, as it sees them. */
  readonly observed: string;
  /** Whether its own record counts by our clock. */
  readonly isInTime: boolean;
};

/** Pings a few peers of different networks. @throws the signal's error */
export async function checkup(
  node: Node,
  signal: AbortSignal,
): Promise<JsonObject> {
  const asked = chosen(node.table.closest(node.id, CANDIDATES_MAX));
  const sights = await mapBounded(
    asked,
    ASKED_PARALLEL,
    (peer, laneSignal) => sightOf(node, peer, laneSignal),
    signal,
  );
  const answers = sights.filter((sight) => sight !== undefined);
  return {
    askedCount: asked.length,
    answeredCount: answers.length,
    outOfTimeCount: answers.filter(({ isInTime }) => !isInTime).length,
    observed: answers.map(({ observed }) => observed),
    advertised: node.record().addresses.map(formatAddress),
  };
}

/** One of each network first, then whoever is left. */
function chosen<
  P extends { readonly id: NodeId; readonly subnet?: string | undefined },
>(
  peers: readonly P[],
): readonly P[] {
  const first = [
    ...new Map(peers.toReversed().map((one) => [one.subnet, one])).values(),
  ];
  const rest = peers.filter((one) => !first.includes(one));
  return [...first.toReversed(), ...rest].slice(0, ASKED_MAX);
}

async function sightOf(
  node: Node,
  peer: NodeRecord,
  signal: AbortSignal,
): Promise<Sight | undefined> {
  try {
    const { clock } = node.runtime;
    using deadline = clock.deadline(QUERY_TIMEOUT_MS, signal);
    const { response } = await node.ask(
      peer,
      { type: "ping" },
      {},
      deadline.signal,
    );
    return {
      observed: formatAddress(response.observed),
      isInTime: isInTime(node, response.record),
    };
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** @throws `forged`, `malformed` */
function isInTime(node: Node, record: Uint8Array): boolean {
  try {
    node.records.node(record, node.runtime.clock.nowMs());
    return true;
  } catch (error) {
    if (codeOf(error) !== "refused") throw error;
    return false;
  }
}
