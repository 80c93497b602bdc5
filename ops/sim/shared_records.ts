/** Records checked once for all nodes of a process: a signature is true or false for everybody. */
import { keyOf, type NodeId } from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import type { RecordReader } from "@tesseras/node";
import {
  checkNodeRecordFresh,
  checkProviderRecordFresh,
  type NodeRecord,
  type ProviderRecord,
  RecordCache,
} from "@tesseras/wire";

/** Records of each kind found by their content, when their bytes are not the very ones seen before. */
const RECORDS_REMEMBERED = 200_000;

/**
 * What every simulated node reads records with. The checks are the real ones, made once for each distinct record instead of
 * once for each node that meets it; freshness is judged every time.
 *
 * An attacker who grinds its keys until their ids lie beside a victim's needs more hashes than a simulation can spend. What
 * such work would buy is granted instead: {@link SharedRecords.assign} gives a key the id it would have been ground for. Only
 * simulations read records through this.
 */
export class SharedRecords implements RecordReader {
  readonly #checked = new RecordCache(POW_BITS_MIN, RECORDS_REMEMBERED);
  readonly #nodes = new WeakMap<Uint8Array, NodeRecord>();
  readonly #providers = new WeakMap<Uint8Array, ProviderRecord>();
  readonly #assigned = new Map<string, NodeId>();

  /** Grants a key the id its owner would have ground it for. */
  assign(publicKey: Uint8Array, id: NodeId): void {
    this.#assigned.set(keyOf(publicKey), id);
  }

  node(bytes: Uint8Array, nowMs: number): NodeRecord {
    const known = this.#nodes.get(bytes);
    if (known !== undefined) {
      checkNodeRecordFresh(known, nowMs);
      return known;
    }
    const checked = this.#checked.node(bytes, nowMs);
    const id = this.#granted(checked.publicKey);
    const record = id === undefined
      ? checked
      : this.#nodes.get(checked.bytes) ??
        { ...checked, id };
    this.#nodes.set(bytes, record);
    this.#nodes.set(checked.bytes, record);
    return record;
  }

  provider(bytes: Uint8Array, nowMs: number): ProviderRecord {
    const known = this.#providers.get(bytes);
    if (known !== undefined) {
      checkProviderRecordFresh(known, nowMs);
      return known;
    }
    const checked = this.#checked.provider(bytes, nowMs);
    const holder = this.#granted(checked.publicKey);
    const record = holder === undefined ? checked : { ...checked, holder };
    this.#providers.set(bytes, record);
    return record;
  }

  #granted(publicKey: Uint8Array): NodeId | undefined {
    if (this.#assigned.size === 0) return undefined;
    return this.#assigned.get(keyOf(publicKey));
  }
}
