/** Storing provider records in the DHT, at the nodes that keep them for their key. */
import {
  assert,
  codeOf,
  keyOfTessera,
  mapBounded,
  type NodeId,
  type TesseraId,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  PROVIDERS_PER_MESSAGE_MAX,
  QUERY_TIMEOUT_MS,
  REGION_PARALLEL,
} from "@tesseras/core/limits";
import { closer } from "@tesseras/kad";
import {
  CAPABILITIES,
  hasCapabilities,
  type NodeRecord,
  type ProviderRecord,
} from "@tesseras/wire";
import { keepersAround } from "./explore.ts";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";

/** A holder's own word that it keeps fragments, and the record that says where it is. */
export type Provider = {
  readonly record: ProviderRecord;
  readonly holder: NodeRecord;
};

/** Of two words of one holder on one plan: the newer, and the newer of its addresses, for whoever hands them on may mix old with new. */
export function newestOf(known: Provider, other: Provider): Provider {
  const isNewer = other.record.sequence > known.record.sequence;
  const hasMoved = other.holder.sequence > known.holder.sequence;
  if (!isNewer && !hasMoved) return known;
  return {
    record: isNewer ? other.record : known.record,
    holder: hasMoved ? other.holder : known.holder,
  };
}

/** How many nodes keep what was stored. */
export type StoreReport = {
  /** Nodes that took at least one of the records. */
  readonly keeperCount: number;
  readonly askedCount: number;
};

/**
 * Stores provider records at the nodes closest to the tessera's key that keep pointers; and where these sit closer together than
 * chance allows, at those of the whole region.
 */
export async function storeProviders(
  node: Node,
  tesseraId: TesseraId,
  providers: readonly Provider[],
  signal: AbortSignal,
): Promise<StoreReport> {
  const key = keyOfTessera(tesseraId);
  const { closest } = await findNodes(
    node,
    key,
    { want: CAPABILITIES.DHT, isThorough: true },
    signal,
  );
  const keepers = await keepersAround(
    node,
    { key, closest },
    { reason: false },
    signal,
  );
  const taken = await mapBounded(
    keepers,
    parallelFor(keepers),
    (peer, laneSignal) => storeAt(node, peer, providers, laneSignal),
    signal,
  );
  const ours = isOurs(node, key, keepers) &&
    await storeHere(node, providers, signal) > 0;
  return {
    keeperCount: taken.filter((count) => count > 0).length + (ours ? 1 : 0),
    askedCount: keepers.length + (ours ? 1 : 0),
  };
}

/** Nodes told at once: in a whole region many may be silent, and must not make each other wait. */
export function parallelFor(keepers: readonly NodeRecord[]): number {
  return keepers.length > BUCKET_PEERS_MAX ? REGION_PARALLEL : LOOKUP_PARALLEL;
}

/** Whether we keep pointers ourselves. */
export function keepsPointers(node: Node): boolean {
  return hasCapabilities(node.record().capabilities, CAPABILITIES.DHT);
}

/** Whether we are one of those who keep the records of a key: nearer to it than the farthest of them. */
export function isOurs(
  node: Node,
  key: NodeId,
  keepers: readonly NodeRecord[],
): boolean {
  if (!keepsPointers(node)) return false;
  if (keepers.length < BUCKET_PEERS_MAX) return true;
  return keepers.some(({ id }) => closer(key, node.id, id) < 0);
}

/** Stores at ourselves. Gives how many records were taken. */
export async function storeHere(
  node: Node,
  providers: readonly Provider[],
  signal: AbortSignal,
): Promise<number> {
  let accepted = 0;
  try {
    for (const entries of pages(providers)) {
      const { response } = await node.askSelf(
        { type: "store", entries },
        signal,
      );
      assert(response.type === "stored", "our own role answers in kind");
      accepted += response.accepted;
    }
  } catch (error) {
    // A full disk of ours must not undo what others took.
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.counters.add("store.unanswered");
  }
  return accepted;
}

/** Stores at a peer, in as many messages as it takes. Gives how many records it took, by its own word. */
export async function storeAt(
  node: Node,
  peer: NodeRecord,
  providers: readonly Provider[],
  signal: AbortSignal,
): Promise<number> {
  let accepted = 0;
  try {
    for (const entries of pages(providers)) {
      using deadline = node.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
      const { response } = await node.ask(
        peer,
        { type: "store", entries },
        {},
        deadline.signal,
      );
      accepted += Math.min(response.accepted, entries.length);
    }
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.counters.add("store.unanswered");
  }
  return accepted;
}

/** Entries of as many messages as it takes. */
function* pages(
  providers: readonly Provider[],
): Generator<{ readonly record: Uint8Array; readonly holder: Uint8Array }[]> {
  for (let at = 0; at < providers.length; at += PROVIDERS_PER_MESSAGE_MAX) {
    yield providers.slice(at, at + PROVIDERS_PER_MESSAGE_MAX).map((one) => ({
      record: one.record.bytes,
      holder: one.holder.bytes,
    }));
  }
}
