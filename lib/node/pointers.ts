/** Provider records in the DHT: storing them near their key, and gathering them from everybody who keeps some. */
import {
  assert,
  codeOf,
  keyOf,
  keyOfTessera,
  mapBounded,
  type TesseraId,
} from "@tesseras/core";
import {
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
  for (const entries of pages(providers)) {
    await node.askSelf({ type: "store", entries }, signal);
  }
  return true;
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
      const first = await readPages(async (skip) => {
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
    await readPages(async (skip) => {
      const request = { type: "find_value", tessera: tesseraId, skip } as const;
      const { response } = await node.askSelf(request, signal);
      assert(response.type === "providers", "our own role answers in kind");
      return response;
    }, take);
  }
  return [...merged.values()];
}

/** Reads the pages of one keeper, as many as one key may fill. @returns the first */
async function readPages(
  ask: (skip: number) => Promise<Providers>,
  take: (entries: Providers["providers"]) => void,
): Promise<Providers> {
  const first = await ask(0);
  take(first.providers);
  let page = first;
  let skip = page.providers.length;
  while (
    page.more > 0 && page.providers.length > 0 && skip < PROVIDERS_PER_KEY_MAX
  ) {
    page = await ask(skip);
    take(page.providers);
    skip += page.providers.length;
  }
  return first;
}

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
    if (known === undefined && merged.size >= 4 * PROVIDERS_PER_KEY_MAX) {
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
      accepted += response.accepted;
    }
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.counters.add("store.unanswered");
  }
  return accepted;
}
