/** The signed record of a node itself, renewed before it grows old. */
import { NODE_RECORD_TTL_MS } from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import {
  type NodeRecord,
  type NodeRecordFields,
  signNodeRecord,
} from "@tesseras/wire";

/** What a node says about itself, times apart. */
export type OwnWords = Omit<NodeRecordFields, "sequence" | "expiresAtMs">;

/** Signs a node's own record, and signs it anew at half its life. */
export class OwnRecord {
  readonly #signer: NodeSigner;
  #current: NodeRecord | undefined;

  constructor(signer: NodeSigner) {
    this.#signer = signer;
  }

  /** The record to show now. @param words asked for when one is signed */
  at(nowMs: number, words: () => OwnWords): NodeRecord {
    const current = this.#current;
    if (
      current !== undefined &&
      current.expiresAtMs - nowMs > NODE_RECORD_TTL_MS / 2
    ) return current;
    return this.#current = signNodeRecord({
      ...words(),
      sequence: Math.max(nowMs, (current?.sequence ?? 0) + 1),
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, this.#signer);
  }
}
