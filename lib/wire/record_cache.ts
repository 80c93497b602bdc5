/** Records that were checked before. The same few travel in answer after answer, and a signature costs more than a comparison. */
import { equal, keyOf } from "@tesseras/core";
import { ED25519_SIGNATURE_BYTES } from "@tesseras/core/limits";
import {
  checkNodeRecordFresh,
  type NodeRecord,
  readNodeRecord,
} from "./node_record.ts";
import {
  checkProviderRecordFresh,
  type ProviderRecord,
  readProviderRecord,
} from "./provider_record.ts";

/** Checks records for one network, remembering the latest `countMax` of each kind that passed. */
export class RecordCache {
  readonly #powBits: number;
  readonly #nodes: Recent<NodeRecord>;
  readonly #providers: Recent<ProviderRecord>;

  /**
   * @param powBits leading zero bits the network asks of an id
   * @param countMax records of each kind; one takes about 2 KB
   */
  constructor(powBits: number, countMax: number) {
    this.#powBits = powBits;
    this.#nodes = new Recent(countMax);
    this.#providers = new Recent(countMax);
  }

  /** As {@link readNodeRecord}. The record is shared: treat it as read-only. */
  node(bytes: Uint8Array, nowMs: number): NodeRecord {
    const key = endOf(bytes);
    const known = this.#nodes.get(key, bytes);
    if (known !== undefined) {
      checkNodeRecordFresh(known, nowMs);
      return known;
    }
    const rules = { nowMs, powBits: this.#powBits };
    return this.#nodes.keep(key, readNodeRecord(bytes, rules));
  }

  /** As {@link readProviderRecord}. The record is shared: treat it as read-only. */
  provider(bytes: Uint8Array, nowMs: number): ProviderRecord {
    const key = endOf(bytes);
    const known = this.#providers.get(key, bytes);
    if (known !== undefined) {
      checkProviderRecordFresh(known, nowMs);
      return known;
    }
    const rules = { nowMs, powBits: this.#powBits };
    return this.#providers.keep(key, readProviderRecord(bytes, rules));
  }
}

/** Half of the signature, which ends a record: enough to find it by. What was found is still compared as a whole. */
function endOf(bytes: Uint8Array): string {
  return keyOf(bytes.subarray(-ED25519_SIGNATURE_BYTES / 2));
}

/** The records used last, up to a count. */
class Recent<T extends { readonly bytes: Uint8Array }> {
  readonly #countMax: number;
  readonly #values = new Map<string, T>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** The record with these bytes, every one of them. */
  get(key: string, bytes: Uint8Array): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined || !equal(value.bytes, bytes)) return undefined;
    return this.keep(key, value);
  }

  /** A map keeps the order of insertion, so the one inserted first is the one unused longest. */
  keep(key: string, value: T): T {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#countMax) {
      for (const oldest of this.#values.keys()) {
        this.#values.delete(oldest);
        break;
      }
    }
    return value;
  }
}
