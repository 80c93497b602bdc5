/** The DHT role: keeps provider records near their key and hands them out. */
import {
  codeOf,
  compare,
  equal,
  keyOfTessera,
  messageOf,
  Semaphore,
  subnetOf,
  type TesseraId,
  TesserasError,
} from "@tesseras/core";
import { POINTERS_MAX, PROVIDERS_PER_MESSAGE_MAX } from "@tesseras/core/limits";
import { distance } from "@tesseras/kad";
import type { Reply } from "@tesseras/net";
import type { Node, Provider, Role } from "@tesseras/node";
import type { PointerKey, PointerRow, State } from "@tesseras/state";
import { CAPABILITIES, type NodeRecord, type Request } from "@tesseras/wire";
import {
  BOUND_DEFAULTS,
  type BoundLimits,
  Bounds,
  isHearsay,
  originOf,
  Tally,
} from "./bounds.ts";

/** What the role needs. */
export type DhtOptions = {
  readonly state: State;
  /** Records kept in all; the farthest from us go first. */
  readonly pointersMax?: number;
  /** Records kept of one holder, and of one subnet; the latter are infinite where the node's rules on subnets are off. */
  readonly bounds?: Partial<BoundLimits>;
};

const SUBNETS_UNBOUNDED = {
  perSubnetMax: Infinity,
  perKeyAndSubnetMax: Infinity,
  perKeyAndBearerMax: Infinity,
};
/** Rows of one step when all records are walked. */
const WALK_ROWS = 1_000;
/** How often expired records are swept out (user guide: every 5 minutes). */
const SWEEP_MS = 300_000;

/** Builds the role. */
export function dhtRole(node: Node, options: DhtOptions): Role {
  const dht = new Dht(node, options);
  return {
    name: "dht",
    capabilities: CAPABILITIES.DHT,
    handlers: {
      find_value: (from, request, _bulk, signal) =>
        dht.findValue(from, request, signal),
      store: (from, request, _bulk, signal) => dht.store(from, request, signal),
    },
    run: (signal) => dht.sweepForever(signal),
  };
}

class Dht {
  readonly #node: Node;
  readonly #state: State;
  readonly #pointersMax: number;
  readonly #bounds: BoundLimits;
  #tally = new Tally();
  /** Bounds are checked and records written by one at a time: two that check at once would both find room. */
  readonly #turn = new Semaphore(1);

  constructor(node: Node, options: DhtOptions) {
    this.#node = node;
    this.#state = options.state;
    this.#pointersMax = options.pointersMax ?? POINTERS_MAX;
    this.#bounds = {
      ...BOUND_DEFAULTS,
      ...(node.traits.subnetPeersMax === undefined && SUBNETS_UNBOUNDED),
      ...options.bounds,
    };
  }

  async findValue(
    from: NodeRecord,
    request: Extract<Request, { readonly type: "find_value" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const rows = await this.#live(request.tessera, signal);
    const page = rows.slice(
      request.skip,
      request.skip + PROVIDERS_PER_MESSAGE_MAX,
    );
    const target = keyOfTessera(request.tessera);
    return {
      response: {
        type: "providers",
        providers: page.map((row) => ({
          record: row.record,
          holder: row.holderRecord,
        })),
        more: Math.max(0, rows.length - request.skip - page.length),
        nodes: this.#node.closestFor(from, target, CAPABILITIES.DHT),
      },
    };
  }

  async store(
    from: NodeRecord,
    { entries }: Extract<Request, { readonly type: "store" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const bearer = this.#bearerOf(from);
    const providers = entries.map((entry) => this.#check(entry))
      .filter((provider) => provider !== undefined);
    let accepted = 0;
    using _turn = await this.#turn.enter(signal);
    const bounds = new Bounds(
      this.#tally,
      this.#bounds,
      (row) => this.#check({ record: row.record, holder: row.holderRecord }),
    );
    for (const provider of providers) {
      const { tesseraId, holder } = provider.record;
      if (!bounds.knows(tesseraId)) {
        await this.#forgetExpired(tesseraId, signal);
        bounds.learn(tesseraId, await this.#live(tesseraId, signal));
      }
      const verdict = bounds.judge(provider, originOf(holder, bearer));
      if (verdict === "kept" || verdict === "known") accepted++;
      else this.#node.runtime.counters.add(`pointer.${verdict}`);
    }
    await this.#write(bounds, signal);
    const refused = entries.length - accepted;
    return { response: { type: "stored", accepted, refused } };
  }

  /** Who brings records, in the subnet its packets come from where subnets count. */
  #bearerOf({ id, subnet }: NodeRecord) {
    const node = this.#node;
    if (node.subnetPeersMax === undefined) return { id, subnet: undefined };
    if (equal(id, node.id)) return { id, subnet };
    const remote = node.peers.remoteOf(id);
    if (remote === undefined) {
      throw new TesserasError(
        "refused",
        "Cannot keep records: who brought them has hung up",
      );
    }
    return { id, subnet: subnetOf(remote.ip) };
  }

  async #write(
    { displaced, kept, changes }: Bounds,
    signal: AbortSignal,
  ): Promise<void> {
    if (kept.length === 0) return;
    if (displaced.length > 0) {
      await this.#state.removePointers(displaced, signal);
      this.#node.runtime.counters.add("pointer.displaced", displaced.length);
    }
    await this.#state.putPointers(kept, signal);
    // Counted once they are there: a full disk must not use up a holder's share.
    for (const { origin, change } of changes) this.#tally.add(origin, change);
    await this.#evict(signal);
  }

  async sweepForever(signal: AbortSignal): Promise<void> {
    for (let isFirst = true;; isFirst = false) {
      try {
        await this.#sweep({ isFirst }, signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        // A database that is busy now is not busy for ever; a keeper that stops over it would be.
        this.#node.runtime.counters.add("pointer.sweep_failed");
        this.#node.runtime.log.warn("pointer.sweep_failed", {
          reason: messageOf(error),
        });
      }
      await this.#node.runtime.clock.sleep(SWEEP_MS, signal);
    }
  }

  /** Removes what has run out, and counts anew by holder: when something went, and after a start. */
  async #sweep(
    { isFirst }: { readonly isFirst: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, counters } = this.#node.runtime;
    using _turn = await this.#turn.enter(signal);
    const gone = await this.#state.expirePointers(clock.nowMs(), signal);
    counters.add("pointer.expired", gone);
    if (isFirst || gone > 0) await this.#recount(signal);
  }

  /** Between two sweeps a record that has run out must not stand in the way of one that holds. */
  async #forgetExpired(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<void> {
    const nowMs = this.#node.runtime.clock.nowMs();
    const expired = (await this.#state.pointers(tesseraId, signal))
      .filter((row) => row.expiresAtMs <= nowMs);
    if (expired.length === 0) return;
    await this.#state.removePointers(expired, signal);
    for (const row of expired) this.#tally.add(row, -1);
    this.#node.runtime.counters.add("pointer.expired", expired.length);
  }

  /** The records of a tessera that have not run out. */
  async #live(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    const nowMs = this.#node.runtime.clock.nowMs();
    return (await this.#state.pointers(tesseraId, signal))
      .filter((row) => row.expiresAtMs > nowMs);
  }

  /** Anybody may bring a record; only the holder's own signature makes it one. */
  #check(
    entry: { readonly record: Uint8Array; readonly holder: Uint8Array },
  ): Provider | undefined {
    const { counters, clock } = this.#node.runtime;
    const { records } = this.#node;
    const nowMs = clock.nowMs();
    try {
      const record = records.provider(entry.record, nowMs);
      const holder = records.node(entry.holder, nowMs);
      if (equal(record.holder, holder.id)) return { record, holder };
      counters.add("pointer.misfit");
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      counters.add("pointer.refused");
    }
    return undefined;
  }

  /** Over the bound hearsay goes, then the farthest keys: their own neighbourhood keeps them (Kademlia's responsibility by distance). */
  async #evict(signal: AbortSignal): Promise<void> {
    const count = await this.#state.pointerCount(signal);
    if (count <= this.#pointersMax) return;
    // A tenth more than must go, so that the next record does not cause the next walk.
    const excess = count - Math.floor(0.9 * this.#pointersMax);
    let far: Away[] = [];
    await this.#walk((row) => {
      const { tesseraId, holder, planHash } = row;
      far.push({
        key: { tesseraId, holder, planHash },
        away: distance(this.#node.id, keyOfTessera(tesseraId)),
        isHearsay: isHearsay(row),
      });
      // Memory grows with what must go, not with what is kept.
      if (far.length >= 2 * excess) far = firstToGo(far, excess);
    }, signal);
    const gone = firstToGo(far, excess).map(({ key }) => key);
    await this.#state.removePointers(gone, signal);
    this.#node.runtime.counters.add("pointer.evicted", gone.length);
    await this.#recount(signal);
  }

  async #recount(signal: AbortSignal): Promise<void> {
    const counted = new Tally();
    await this.#walk((row) => counted.add(row, 1), signal);
    this.#tally = counted;
  }

  async #walk(
    visit: (row: PointerRow) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let after: PointerKey | undefined;
    for (;;) {
      const rows = await this.#state.allPointers(after, WALK_ROWS, signal);
      for (const row of rows) visit(row);
      after = rows.at(-1);
      if (after === undefined) return;
    }
  }
}

/** A record, how far its key is from us, and whether another than its holder brought it. */
type Away = {
  readonly key: PointerKey;
  readonly away: Uint8Array;
  readonly isHearsay: boolean;
};

/** Hearsay first: its holder says it again within the hour, and a flood of inventions must push out nothing but itself. */
function firstToGo(list: Away[], count: number): Away[] {
  return list.sort((a, b) =>
    Number(b.isHearsay) - Number(a.isHearsay) || compare(b.away, a.away)
  ).slice(0, count);
}
