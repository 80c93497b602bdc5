/**
 * Storing the records of many keys region by region: one systematic look at a region serves every key in it, and what is for one
 * keeper travels together. So the cost grows with the size of the network and not with the number of keys (the "Reprovide Sweep" of
 * IPFS, 2025, has the same idea).
 */
import { keyOf, keyOfTessera, mapBounded, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  PROVIDERS_PER_MESSAGE_MAX,
  REGION_PARALLEL,
} from "@tesseras/core/limits";
import {
  isWithin,
  keepersOf,
  placeOf,
  type Prefix,
  regionOf,
  type Surroundings,
} from "@tesseras/kad";
import type { NodeRecord } from "@tesseras/wire";
import { explore, type Explored, surroundingsOf } from "./explore.ts";
import type { Node } from "./node.ts";
import {
  isOurs,
  type Provider,
  storeAt,
  storeHere,
  storeProviders,
} from "./pointers.ts";

/** How long what was found in a region is good for: peers come and go, but a sweep that slices one region takes it slice by slice. */
const EXPLORED_TTL_MS = 10 * 60_000;
/** Keys for which a look at the region is not worth it: it takes about as many lookups as this many keys do one by one. */
const FEW_KEYS = 3;

/** Stores records region by region. Give it keys of one region at a time, and regions in order. */
export class Sweep {
  readonly #node: Node;
  #last: { readonly explored: Explored; readonly atMs: number } | undefined;

  constructor(node: Node) {
    this.#node = node;
  }

  /** The region whose keys should come together with this one; the whole space while nobody is known who would keep any. */
  async regionAt(key: NodeId, signal: AbortSignal): Promise<Prefix> {
    const last = this.#fresh();
    // What a look has shown already, and be it a larger region, is not looked at again.
    if (last !== undefined && this.#includes(last.region, key)) {
      return last.region;
    }
    return regionOf(key, await this.#surroundings(key, signal));
  }

  /**
   * Stores records whose keys are all of one region, as {@link regionAt} gave it.
   *
   * @returns those that nobody took
   */
  async store(
    region: Prefix,
    providers: readonly Provider[],
    signal: AbortSignal,
  ): Promise<readonly Provider[]> {
    const last = this.#fresh();
    const isKnown = last !== undefined && isInside(region, last.region);
    if (!isKnown && providers.length <= FEW_KEYS) {
      return await this.#storeEach(providers, signal);
    }
    const explored = isKnown ? last : await this.#explore(region, signal);
    return await this.#storeIn(explored, providers, signal);
  }

  async #explore(region: Prefix, signal: AbortSignal): Promise<Explored> {
    const surroundings = await this.#surroundings(region.bits, signal);
    const explored = await explore(
      this.#node,
      { region, surroundings },
      signal,
    );
    const atMs = this.#node.runtime.clock.monotonicMs();
    // Where nobody was found we were cut off, and may not be any more the next time.
    this.#last = explored.peers.length > 0 ? { explored, atMs } : undefined;
    return explored;
  }

  async #surroundings(
    key: NodeId,
    signal: AbortSignal,
  ): Promise<Surroundings> {
    const { powBits } = this.#node;
    return await surroundingsOf(this.#node, key, signal) ??
      { size: 1, powBits };
  }

  async #storeEach(
    providers: readonly Provider[],
    signal: AbortSignal,
  ): Promise<readonly Provider[]> {
    const unheard = await mapBounded(
      providers,
      LOOKUP_PARALLEL,
      async (provider, laneSignal) => {
        const { tesseraId } = provider.record;
        const { keeperCount } = await storeProviders(
          this.#node,
          tesseraId,
          [provider],
          laneSignal,
        );
        return keeperCount > 0 ? undefined : provider;
      },
      signal,
    );
    return unheard.filter((provider) => provider !== undefined);
  }

  async #storeIn(
    explored: Explored,
    providers: readonly Provider[],
    signal: AbortSignal,
  ): Promise<readonly Provider[]> {
    const loads = new Map<string, Load>();
    const own: Provider[] = [];
    for (const provider of providers) {
      const key = keyOfTessera(provider.record.tesseraId);
      const keepers = this.#keepersOf(key, explored);
      if (isOurs(this.#node, key, keepers)) own.push(provider);
      for (const peer of keepers) {
        const id = keyOf(peer.id);
        const load = loads.get(id);
        if (load === undefined) loads.set(id, { peer, providers: [provider] });
        else load.providers.push(provider);
      }
    }
    const unheard = new Set(providers);
    const heard = (part: readonly Provider[]): void =>
      part.forEach((provider) => unheard.delete(provider));
    await mapBounded(
      loads.values(),
      loads.size > 2 * BUCKET_PEERS_MAX ? REGION_PARALLEL : LOOKUP_PARALLEL,
      (load, laneSignal) => this.#deliver(load, heard, laneSignal),
      signal,
    );
    if (own.length > 0 && await storeHere(this.#node, own, signal) > 0) {
      heard(own);
    }
    return [...unheard];
  }

  #keepersOf(key: NodeId, explored: Explored): readonly NodeRecord[] {
    const { peers, surroundings } = explored;
    const { regionAware = true } = this.#node.traits;
    const keepers = keepersOf(key, peers, surroundings);
    if (keepers.length <= BUCKET_PEERS_MAX) return keepers;
    if (!regionAware) return keepers.slice(0, BUCKET_PEERS_MAX);
    this.#node.runtime.counters.add("region.crowded");
    return keepers;
  }

  /** Gives one keeper its records, message by message, until it takes none of one: the rest would fare no better. */
  async #deliver(
    { peer, providers }: Load,
    heard: (part: readonly Provider[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for (let at = 0; at < providers.length; at += PROVIDERS_PER_MESSAGE_MAX) {
      const part = providers.slice(at, at + PROVIDERS_PER_MESSAGE_MAX);
      if (await storeAt(this.#node, peer, part, signal) === 0) return;
      heard(part);
    }
  }

  #fresh(): Explored | undefined {
    if (this.#last === undefined) return undefined;
    const nowMs = this.#node.runtime.clock.monotonicMs();
    const { explored, atMs } = this.#last;
    return nowMs - atMs < EXPLORED_TTL_MS ? explored : undefined;
  }

  #includes(region: Prefix, key: NodeId): boolean {
    return isWithin(region, placeOf(key, this.#node.powBits));
  }
}

/** What one keeper is to be given. */
type Load = { readonly peer: NodeRecord; readonly providers: Provider[] };

function isInside(inner: Prefix, outer: Prefix): boolean {
  return inner.length >= outer.length && isWithin(outer, inner.bits);
}
