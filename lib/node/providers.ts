/** Gathering provider records from everybody who keeps some, checked and merged. */
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
  PROVIDERS_PER_KEY_MAX,
  PROVIDERS_PER_MESSAGE_MAX,
  QUERY_TIMEOUT_MS,
  REGION_PARALLEL,
  REGION_PEERS_MAX,
  REGION_TIMEOUT_MS,
} from "@tesseras/core/limits";
import {
  CAPABILITIES,
  type FindValue,
  type NodeRecord,
  type Providers,
} from "@tesseras/wire";
import { keepersAround } from "./explore.ts";
import { find } from "./find.ts";
import type { Node } from "./node.ts";
import { keepsPointers, newestOf, type Provider } from "./pointers.ts";

/**
 * Everybody who says, signed, that they keep fragments of the tessera: from all keepers the lookup reaches, merged. Where the nearest
 * sit closer together than chance allows, or know of nobody, the nodes of the key's whole region are asked, too.
 */
export async function findProviders(
  node: Node,
  tesseraId: TesseraId,
  signal: AbortSignal,
): Promise<readonly Provider[]> {
  const key = keyOfTessera(tesseraId);
  const merged = new Merged(node, tesseraId, NEAREST_MAX);
  const asked = new Set<string>();
  const { closest } = await find(
    node,
    key,
    { want: CAPABILITIES.DHT },
    async (peer, askSignal) => {
      asked.add(keyOf(peer.id));
      const share = merged.share(PROVIDERS_PER_KEY_MAX);
      const first = await readPages(
        node,
        share,
        pagesOf(
          node,
          peer,
          tesseraId,
          askSignal,
        ),
      );
      return node.readRecords(first.nodes);
    },
    signal,
  );
  if (keepsPointers(node)) await askOurselves(node, merged, signal);
  const reason = merged.count === 0;
  const keepers = await keepersAround(
    node,
    { key, closest },
    { reason },
    signal,
  );
  const unasked = keepers.filter(({ id }) => !asked.has(keyOf(id)));
  if (unasked.length > 0) await askRegion(node, unasked, merged, signal);
  throwIfAborted(signal);
  return merged.all();
}

/** What we keep of the key ourselves. A database of ours that is busy must not hide what others know. */
async function askOurselves(
  node: Node,
  merged: Merged,
  signal: AbortSignal,
): Promise<void> {
  try {
    const share = merged.share(PROVIDERS_PER_KEY_MAX);
    await readPages(node, share, async (skip) => {
      const question = questionOf(merged.tesseraId, skip);
      const { response } = await node.askSelf(question, signal);
      assert(response.type === "providers", "our own role answers in kind");
      return response;
    });
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.counters.add("lookup.question_failed");
  }
}

/** Asks the rest of a region; after `REGION_TIMEOUT_MS` what came is enough. */
async function askRegion(
  node: Node,
  peers: readonly NodeRecord[],
  merged: Merged,
  signal: AbortSignal,
): Promise<void> {
  const { clock, counters } = node.runtime;
  merged.admit(REGION_MAX);
  using deadline = clock.deadline(REGION_TIMEOUT_MS, signal);
  try {
    await mapBounded(peers, REGION_PARALLEL, async (peer, laneSignal) => {
      try {
        using patience = clock.deadline(QUERY_TIMEOUT_MS, laneSignal);
        await readPages(
          node,
          merged.share(REGION_SHARE_MAX),
          pagesOf(node, peer, merged.tesseraId, patience.signal),
        );
      } catch (error) {
        if (laneSignal.aborted || codeOf(error) === undefined) throw error;
        counters.add("lookup.question_failed");
      }
    }, deadline.signal);
  } catch (error) {
    if (signal.aborted || codeOf(error) !== "timeout") throw error;
    counters.add("region.timeout");
  }
}

/** Providers one lookup gathers, about 2 KB each: one keeper's fill from each of as many as answer, so that a few that lie crowd out nobody. */
const NEAREST_MAX = (BUCKET_PEERS_MAX + 1) * PROVIDERS_PER_KEY_MAX;
/**
 * New providers heard from one node of a crowded region: among hundreds that lie, the honest few together still name all they
 * know, and what the others invent stays within 32 MB.
 */
const REGION_SHARE_MAX = 32;
/** Providers gathered from the nodes of a crowded region: the share of each. */
const REGION_MAX = REGION_PEERS_MAX * REGION_SHARE_MAX;

/** Pages an honest keeper needs for all it may keep of one key. */
const PAGES_MAX = Math.ceil(PROVIDERS_PER_KEY_MAX / PROVIDERS_PER_MESSAGE_MAX);

type Page = (skip: number) => Promise<Providers>;

function questionOf(tessera: TesseraId, skip: number): FindValue {
  return { type: "find_value", tessera, skip };
}

function pagesOf(
  node: Node,
  peer: NodeRecord,
  tesseraId: TesseraId,
  signal: AbortSignal,
): Page {
  return async (skip) => {
    const question = questionOf(tesseraId, skip);
    const { response } = await node.ask(peer, question, {}, signal);
    return response;
  };
}

/** Reads the pages of one keeper. One that falls silent after the first has still answered. @returns the first */
async function readPages(
  node: Node,
  share: Share,
  ask: Page,
): Promise<Providers> {
  const first = await ask(0);
  share.take(first.providers);
  try {
    let page = first;
    let skip = page.providers.length;
    for (let count = 1; count < PAGES_MAX && !share.isFull; count++) {
      if (page.more === 0 || page.providers.length === 0) break;
      page = await ask(skip);
      share.take(page.providers);
      skip += page.providers.length;
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    node.runtime.counters.add("provider.page_missing");
  }
  return first;
}

/** What one keeper adds to what is gathered. */
type Share = {
  take(entries: Providers["providers"]): void;
  /** Whether it named as many that nobody had named before as one may. */
  readonly isFull: boolean;
};

/** Checks what keepers hand over, and keeps the newest word of each holder on each plan, and on where it is. */
class Merged {
  readonly tesseraId: TesseraId;
  readonly #node: Node;
  readonly #providers = new Map<string, Provider>();
  #countMax: number;

  constructor(node: Node, tesseraId: TesseraId, countMax: number) {
    this.tesseraId = tesseraId;
    this.#node = node;
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#providers.size;
  }

  /** Makes room for so many more. */
  admit(count: number): void {
    this.#countMax = this.count + count;
  }

  /** A place for what one keeper names, at most so many that are new. */
  share(newMax: number): Share {
    let newCount = 0;
    return {
      take: (entries) => {
        for (const entry of entries) {
          if (this.#take(entry, newCount < newMax)) newCount++;
        }
      },
      get isFull() {
        return newCount >= newMax;
      },
    };
  }

  /** The newest of everything. A fresh list. */
  all(): readonly Provider[] {
    return [...this.#providers.values()];
  }

  /** @returns whether nobody had named it before */
  #take(entry: Providers["providers"][number], mayAdd: boolean): boolean {
    const { counters, clock } = this.#node.runtime;
    const nowMs = clock.nowMs();
    try {
      const record = this.#node.records.provider(entry.record, nowMs);
      const holder = this.#node.records.node(entry.holder, nowMs);
      if (
        keyOf(record.tesseraId) !== keyOf(this.tesseraId) ||
        keyOf(record.holder) !== keyOf(holder.id)
      ) {
        counters.add("provider.misfit");
        return false;
      }
      return this.#keep({ record, holder }, mayAdd);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      counters.add("provider.refused");
      return false;
    }
  }

  #keep(provider: Provider, mayAdd: boolean): boolean {
    const { record } = provider;
    const key = `${keyOf(record.holder)}/${keyOf(record.planHash)}`;
    const known = this.#providers.get(key);
    if (known !== undefined) {
      this.#providers.set(key, newestOf(known, provider));
      return false;
    }
    if (!mayAdd || this.count >= this.#countMax) {
      this.#node.runtime.counters.add("provider.too_many");
      return false;
    }
    this.#providers.set(key, provider);
    return true;
  }
}
