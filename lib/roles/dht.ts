/** The DHT role: keeps provider records near their key and hands them out. */
import {
  codeOf,
  compare,
  keyOf,
  keyOfTessera,
  type TesseraId,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  POINTERS_MAX,
  PROVIDERS_PER_HOLDER_MAX,
  PROVIDERS_PER_KEY_MAX,
} from "@tesseras/core/limits";
import { distance } from "@tesseras/kad";
import type { Reply } from "@tesseras/net";
import type { Node, Role } from "@tesseras/node";
import type { PointerKey, PointerRow, State } from "@tesseras/state";
import { CAPABILITIES, type NodeRecord, type Request } from "@tesseras/wire";

/** What the role needs. */
export type DhtOptions = {
  readonly state: State;
  /** Records kept in all; the farthest from us go first. */
  readonly pointersMax?: number;
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
      store: (_from, request, _bulk, signal) => dht.store(request, signal),
    },
    run: (signal) => dht.sweepForever(signal),
  };
}

class Dht {
  readonly #node: Node;
  readonly #state: State;
  readonly #pointersMax: number;
  /** Records by holder, so that none fills the table alone. */
  readonly #perHolder = new Map<string, number>();

  constructor(node: Node, options: DhtOptions) {
    this.#node = node;
    this.#state = options.state;
    this.#pointersMax = options.pointersMax ?? POINTERS_MAX;
  }

  async findValue(
    from: NodeRecord,
    request: Extract<Request, { readonly type: "find_value" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const nowMs = this.#node.runtime.clock.nowMs();
    const rows = (await this.#state.pointers(request.tessera, signal))
      .filter((row) => row.expiresAtMs > nowMs);
    const page = rows.slice(request.skip, request.skip + BUCKET_PEERS_MAX);
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
    request: Extract<Request, { readonly type: "store" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    let refused = 0;
    const rows: PointerRow[] = [];
    for (const entry of request.entries) {
      const row = this.#check(entry);
      if (row === undefined) refused++;
      else rows.push(row);
    }
    const kept = await this.#withinBounds(rows, signal);
    if (kept.length > 0) await this.#state.putPointers(kept, signal);
    await this.#evict(signal);
    this.#node.runtime.counters.add(
      "pointer.over_bound",
      rows.length - kept.length,
    );
    return {
      response: {
        type: "stored",
        accepted: kept.length,
        refused: refused + rows.length - kept.length,
      },
    };
  }

  async sweepForever(signal: AbortSignal): Promise<void> {
    const { clock, counters } = this.#node.runtime;
    for (;;) {
      await this.#recount(signal);
      await clock.sleep(SWEEP_MS, signal);
      const gone = await this.#state.expirePointers(clock.nowMs(), signal);
      counters.add("pointer.expired", gone);
    }
  }

  /** Anybody may bring a record; only the holder's own signature makes it one. */
  #check(
    entry: { readonly record: Uint8Array; readonly holder: Uint8Array },
  ): PointerRow | undefined {
    const { counters, clock } = this.#node.runtime;
    const { records } = this.#node;
    const nowMs = clock.nowMs();
    try {
      const record = records.provider(entry.record, nowMs);
      const holder = records.node(entry.holder, nowMs);
      if (keyOf(record.holder) !== keyOf(holder.id)) {
        counters.add("pointer.misfit");
        return undefined;
      }
      return {
        tesseraId: record.tesseraId,
        holder: record.holder,
        planHash: record.planHash,
        record: record.bytes,
        holderRecord: holder.bytes,
        sequence: record.sequence,
        // The address must be good for as long as the pointer is followed.
        expiresAtMs: Math.min(record.expiresAtMs, holder.expiresAtMs),
      };
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      counters.add("pointer.refused");
      return undefined;
    }
  }

  /** Leaves out what would exceed the bound of a key or of a holder, and what is older than what we have. */
  async #withinBounds(
    rows: readonly PointerRow[],
    signal: AbortSignal,
  ): Promise<PointerRow[]> {
    const kept: PointerRow[] = [];
    const perKey = new Map<string, Map<string, number>>();
    for (const row of rows) {
      const key = keyOf(row.tesseraId);
      let known = perKey.get(key);
      if (known === undefined) {
        known = await this.#sequences(row.tesseraId, signal);
        perKey.set(key, known);
      }
      const name = nameOf(row);
      const sequence = known.get(name);
      if (sequence === undefined) {
        if (known.size >= PROVIDERS_PER_KEY_MAX) continue;
        const holder = keyOf(row.holder);
        const held = this.#perHolder.get(holder) ?? 0;
        if (held >= PROVIDERS_PER_HOLDER_MAX) continue;
        this.#perHolder.set(holder, held + 1);
      } else if (sequence >= row.sequence) {
        // Brought again by somebody else: known, so neither news nor an offence.
        if (sequence === row.sequence) kept.push(row);
        continue;
      }
      known.set(name, row.sequence);
      kept.push(row);
    }
    return kept;
  }

  async #sequences(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<Map<string, number>> {
    const rows = await this.#state.pointers(tesseraId, signal);
    return new Map(rows.map((row) => [nameOf(row), row.sequence]));
  }

  /** Over the bound the farthest keys go: their own neighbourhood keeps them (Kademlia's responsibility by distance). */
  async #evict(signal: AbortSignal): Promise<void> {
    const count = await this.#state.pointerCount(signal);
    if (count <= this.#pointersMax) return;
    // A tenth more than must go, so that the next record does not cause the next walk.
    const excess = count - Math.floor(0.9 * this.#pointersMax);
    const far: { readonly key: PointerKey; readonly away: Uint8Array }[] = [];
    await this.#walk((row) => {
      far.push({
        key: row,
        away: distance(this.#node.id, keyOfTessera(row.tesseraId)),
      });
    }, signal);
    far.sort((a, b) => compare(b.away, a.away));
    const gone = far.slice(0, excess).map(({ key }) => key);
    await this.#state.removePointers(gone, signal);
    this.#node.runtime.counters.add("pointer.evicted", gone.length);
    await this.#recount(signal);
  }

  /** Counts records by holder anew: after a restart, a sweep or an eviction. */
  async #recount(signal: AbortSignal): Promise<void> {
    this.#perHolder.clear();
    await this.#walk((row) => {
      const holder = keyOf(row.holder);
      this.#perHolder.set(holder, (this.#perHolder.get(holder) ?? 0) + 1);
    }, signal);
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

function nameOf(row: PointerRow): string {
  return `${keyOf(row.holder)}/${keyOf(row.planHash)}`;
}
