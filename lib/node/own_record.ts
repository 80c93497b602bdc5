/** The signed record of a node itself, renewed before it grows old and when what it says has changed. */
import { type Address, formatAddress } from "@tesseras/core";
import { NODE_RECORD_TTL_MS, RECORD_RENEW_MS } from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import {
  type NodeRecord,
  type NodeRecordFields,
  signNodeRecord,
} from "@tesseras/wire";
import type { OwnOutlook } from "./outlook.ts";
import type { Role } from "./role.ts";

/** What a node says about itself, times apart. */
export type OwnWords = Omit<NodeRecordFields, "sequence" | "expiresAtMs">;

/** Signs a node's own record, and signs it anew at half its life, or when other words are to be said. */
export class OwnRecord {
  readonly #signer: NodeSigner;
  #current: NodeRecord | undefined;
  #text = "";

  constructor(signer: NodeSigner) {
    this.#signer = signer;
  }

  /** The record to show now. Words that changed are in it `RECORD_RENEW_MS` after the record before at the latest. */
  at(nowMs: number, words: OwnWords): NodeRecord {
    const current = this.#current;
    const text = textOf(words);
    if (
      current !== undefined &&
      current.expiresAtMs - nowMs > NODE_RECORD_TTL_MS / 2 &&
      (text === this.#text ||
        Math.abs(nowMs - current.sequence) < RECORD_RENEW_MS)
    ) return current;
    this.#text = text;
    return this.#current = signNodeRecord({
      ...words,
      sequence: Math.max(nowMs, (current?.sequence ?? 0) + 1),
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, this.#signer);
  }
}

/** What a node has to say: what it was told, what its peers see, and what its roles offer. */
export function ownWords(
  known: readonly Address[],
  roles: readonly Role[],
  outlook: OwnOutlook | undefined,
): OwnWords {
  const addresses = outlook?.addresses(known) ?? known;
  return {
    addresses,
    capabilities: roles.reduce((all, role) => all | role.capabilities, 0),
    nat: outlook?.kind ?? "unknown",
    relay: roles.map((role) => role.relayOffer?.(addresses))
      .find((offer) => offer !== undefined),
  };
}

/** The same for the same words. */
function textOf({ addresses, capabilities, nat, relay }: OwnWords): string {
  return JSON.stringify([
    addresses.map(formatAddress),
    capabilities,
    nat,
    relay && { ...relay, address: formatAddress(relay.address) },
  ]);
}
