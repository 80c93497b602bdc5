/** Trust anchors made up once for each key: making one takes 0.1 ms, and a node dials the same peers again and again. */
import { keyOf } from "@tesseras/core";
import { firstContactTrust, pinnedTrust, type Trust } from "./certificate.ts";
import type { Expect } from "./transport.ts";

/** Keeps the anchors of the keys made last; the one made longest ago is forgotten first. */
export class TrustCache {
  readonly #limit: number;
  readonly #trusts = new Map<string, Trust>();

  /** @param limit anchors kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many anchors are kept. */
  get size(): number {
    return this.#trusts.size;
  }

  /** What a dial with this expectation trusts. @throws `malformed` unless an expected key is 32 bytes */
  trustFor(expect: Expect): Trust {
    const key = expect === "anyone" ? expect : keyOf(expect.publicKey);
    const known = this.#trusts.get(key);
    if (known !== undefined) return known;
    const trust = expect === "anyone"
      ? firstContactTrust()
      : pinnedTrust(expect.publicKey);
    if (this.#trusts.size >= this.#limit) {
      const [oldest] = this.#trusts.keys();
      this.#trusts.delete(oldest!);
    }
    this.#trusts.set(key, trust);
    return trust;
  }
}
