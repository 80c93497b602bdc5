/** Who asked whom, among the paths of one lookup. */
import { keyOf, type NodeId } from "@tesseras/core";

/** What has become of a contact, from the view of a path that did not ask it; `taken` is one whose answer is awaited. */
export type Standing = "free" | "taken" | "late" | "answered" | "failed";

/** The right to ask one contact. The path that takes it says what becomes of it; all paths look at the same object. */
export type Claim = { standing: Standing };

/**
 * Which contacts the paths of one lookup asked, so that no two ask the same: a liar on one path then leads astray
 * that path alone (S/Kademlia 4.4). Give the same object to every path; the lookup is over when all of them are, and its
 * result is the nearest of theirs together.
 */
export class Claims {
  /** The farthest of as many as are looked for, of those that have answered on any path; `undefined` of fewer. */
  horizon: NodeId | undefined;
  readonly #claims = new Map<string, Claim>();

  /** What the paths know together of a contact. Worth keeping: it is looked at far more often than it changes. */
  of(id: NodeId): Claim {
    const key = keyOf(id);
    const known = this.#claims.get(key);
    if (known !== undefined) return known;
    const claim: Claim = { standing: "free" };
    this.#claims.set(key, claim);
    return claim;
  }
}
