/** The accounts of {@link MemoryState}: what every peer keeps for us, and we for it. */
import { compare, keyOf, type NodeId, nodeId } from "@tesseras/core";
import type {
  InstitutionalMark,
  LedgerRow,
  PlacementRow,
} from "./care_rows.ts";
import type { FragmentRow } from "./rows.ts";

/** Accounts in memory. */
export class MemoryLedger {
  readonly #accounts = new Map<string, LedgerRow>();

  /** A fragment came (1) or went (-1). */
  fragment(row: FragmentRow, by: 1 | -1): void {
    if (row.owner === undefined || row.isRepair) return;
    const change = { weKeepBytes: by * row.bytes, theyKeepBytes: 0 };
    this.#change(row.owner, change, row.storedAtMs);
  }

  /** A placement of what we published counts from now (1) or no longer (-1). */
  placement(row: PlacementRow, by: 1 | -1): void {
    if (row.lostAtMs !== undefined) return;
    const change = { weKeepBytes: 0, theyKeepBytes: by * row.bytes };
    this.#change(row.holder, change, row.ackedAtMs);
  }

  /** Of `Care.markInstitutional`. */
  mark({ peer, isInstitutional, atMs }: InstitutionalMark): void {
    const key = keyOf(peer);
    const known = this.#accounts.get(key);
    if (known !== undefined) {
      this.#set(key, { ...known, isInstitutional });
    } else if (isInstitutional) {
      this.#accounts.set(key, {
        peer: nodeId(peer.slice()),
        weKeepBytes: 0,
        theyKeepBytes: 0,
        isInstitutional,
        firstSeenMs: atMs,
      });
    }
  }

  /** The account of a peer, `undefined` when there is none. */
  of(peer: NodeId): LedgerRow | undefined {
    return this.#accounts.get(keyOf(peer));
  }

  /** At most `limit`, who owes us most first. */
  first(limit: number): readonly LedgerRow[] {
    const balance = (row: LedgerRow) => row.weKeepBytes - row.theyKeepBytes;
    return [...this.#accounts.values()].sort((a, b) =>
      balance(b) - balance(a) || compare(a.peer, b.peer)
    ).slice(0, limit);
  }

  #change(
    peer: NodeId,
    by: Pick<LedgerRow, "weKeepBytes" | "theyKeepBytes">,
    atMs: number,
  ): void {
    if (by.weKeepBytes === 0 && by.theyKeepBytes === 0) return;
    const key = keyOf(peer);
    const known = this.#accounts.get(key) ?? {
      peer: nodeId(peer.slice()),
      weKeepBytes: 0,
      theyKeepBytes: 0,
      isInstitutional: false,
      firstSeenMs: atMs,
    };
    this.#set(key, {
      ...known,
      weKeepBytes: known.weKeepBytes + by.weKeepBytes,
      theyKeepBytes: known.theyKeepBytes + by.theyKeepBytes,
    });
  }

  #set(key: string, row: LedgerRow): void {
    const isEven = row.weKeepBytes === 0 && row.theyKeepBytes === 0;
    if (isEven && !row.isInstitutional) this.#accounts.delete(key);
    else this.#accounts.set(key, row);
  }
}
