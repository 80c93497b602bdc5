/** Provider records in the DHT: storing them near their key, and gathering them from everybody who keeps some. */
import {
  assert,
  codeOf,
  keyOf,
  keyOfTessera,
  mapBounded,
  type TesseraId,
  throwIfAborted,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  PROVIDERS_PER_KEY_MAX,
  PROVIDERS_PER_MESSAGE_MAX,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import {
  CAPABILITIES,
  hasCapabilities,
  type NodeRecord,
  type ProviderRecord,
  type Providers,
} from "@tesseras/wire";
import { find, findNodes } from "./find.ts";
import type { Node } from "./node.ts";

/** A holder's own word that it keeps fragments, and the record that says where it is. */
export type Provider = {
  readonly record: ProviderRecord;
  readonly holder: NodeRecord;
};

/** How many nodes keep what was stored. */
export type StoreReport = {
  /** Nodes that took at least one of the records. */
  readonly keeperCount: number;
  readonly askedCount: number;
};

/** Stores provider records at the nodes closest to the tessera's key that keep pointers. */
export async function storeProviders(
  node: Node,
  tesseraId: TesseraId,
  providers: readonly Provider[],
  signal: AbortSignal,
): Promise<StoreReport> {
  const found = await findNodes(
    node,
    keyOfTessera(tesseraId),
    { want: CAPABILITIES.DHT },
    signal,
  );
  const taken = await mapBounded(
    found.closest,
    LOOKUP_PARALLEL,
    (peer, laneSignal) => storeAt(node, peer, providers, laneSignal),
    signal,
  );
  const ours = await storeHere(node, providers, signal);
  return {
    keeperCount: taken.filter((count) => count > 0).length + (ours ? 1 : 0),
    askedCount: found.closest.length + (ours ? 1 : 0),
  };
}

/** Whether we keep pointers ourselves. */
function keepsPointers(node: Node): boolean {
  return hasCapabilities(node.record().capabilities, CAPABILITIES.DHT);
}

/** Stores at ourselves, when we keep pointers: our own neighbourhood may be the key's. Farthest-first eviction judges. */
async function storeHere(
  node: Node,
  providers: readonly Provider[],
  signal: AbortSignal,
): Promise<boolean> {
  if (!keepsPointers(node)) return false;
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
  return accepted > 0;
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

/** Everybody who says, signed, that they keep fragments of the tessera; from all keepers the lookup reaches, merged. */
export async function findProviders(
  node: Node,
  tesseraId: TesseraId,
  signal: AbortSignal,
): Promise<readonly Provider[]> {
  const merged = new Map<string, Provider>();
  const take = (entries: Providers["providers"]): void => {
    for (const entry of entries) merge(node, merged, tesseraId, entry);
  };
  await find(
    node,
    keyOfTessera(tesseraId),
    { want: CAPABILITIES.DHT },
    async (peer, askSignal) => {
      const first = await readPages(node, async (skip) => {
        const request = {
          type: "find_value",
          tessera: tesseraId,
          skip,
        } as const;
        const { response } = await node.ask(peer, request, {}, askSignal);
        return response;
      }, take);
      return node.readRecords(first.nodes);
    },
    signal,
  );
  if (keepsPointers(node)) {
    await readPages(node, async (skip) => {
      const request = { type: "find_value", tessera: tesseraId, skip } as const;
      const { response } = await node.askSelf(request, signal);
      assert(response.type === "providers", "our own role answers in kind");
      return response;
    }, take);
  }
  throwIfAborted(signal);
  return [...merged.values()];
}

/** Pages an honest keeper needs for all it may keep of one key. */
const PAGES_MAX = Math.ceil(PROVIDERS_PER_KEY_MAX / PROVIDERS_PER_MESSAGE_MAX);

/** Reads the pages of one keeper. One that falls silent after the first has still answered. @returns the first */
async function readPages(
  node: Node,
  ask: (skip: number) => Promise<Providers>,
  take: (entries: Providers["providers"]) => void,
): Promise<Providers> {
  const first = await ask(0);
  take(first.providers);
  try {
    let page = first;
    let skip = page.providers.length;
    for (let count = 1; count < PAGES_MAX; count++) {
      if (page.more === 0 || page.providers.length === 0) break;
      page = await ask(skip);
      take(page.providers);
      skip += page.providers.length;
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    node.runtime.counters.add("provider.page_missing");
  }
  return first;
}

/** Providers one lookup gathers, about 2 KB each: one keeper's fill from each of as many as answer, so that a few that lie crowd out nobody. */
const PROVIDERS_MERGED_MAX = (BUCKET_PEERS_MAX + 1) * PROVIDERS_PER_KEY_MAX;

/** Checks what a keeper handed over and keeps the newest word of each holder on each plan. */
function merge(
  node: Node,
  merged: Map<string, Provider>,
  tesseraId: TesseraId,
  entry: { readonly record: Uint8Array; readonly holder: Uint8Array },
): void {
  const nowMs = node.runtime.clock.nowMs();
  try {
    const record = node.records.provider(entry.record, nowMs);
    const holder = node.records.node(entry.holder, nowMs);
    if (
      keyOf(record.tesseraId) !== keyOf(tesseraId) ||
      keyOf(record.holder) !== keyOf(holder.id)
    ) {
      return node.runtime.counters.add("provider.misfit");
    }
    const key = `${keyOf(record.holder)}/${keyOf(record.planHash)}`;
    const known = merged.get(key);
    if (known !== undefined && known.record.sequence >= record.sequence) return;
    if (known === undefined && merged.size >= PROVIDERS_MERGED_MAX) {
      return node.runtime.counters.add("provider.too_many");
    }
    merged.set(key, { record, holder });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    node.runtime.counters.add("provider.refused");
  }
}

async function storeAt(
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
