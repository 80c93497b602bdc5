/** Who asked whom, among the paths of one lookup. */
import { keyOf, type NodeId } from "@tesseras/core";

/** What has become of a contact, from the view of a path that did not ask it. */
export type Standing = "free" | "taken" | "late" | "failed";

/**
 * Which contacts the paths of one lookup asked, so that no two ask the same: a liar on one path then leads astray
 * that path alone (S/Kademlia 4.4). Give the same object to every path; the lookup is over when all of them are, and its
 * result is the nearest of theirs together.
 */
export class Claims {
  readonly #standings = new Map<string, Standing>();

  /** Takes the right to ask a contact. False when another path has it. */
  claim(id: NodeId): boolean {
    const key = keyOf(id);
    if (this.#standings.has(key)) return false;
    this.#standings.set(key, "taken");
    return true;
  }

  /** Tells the other paths what has become of a claimed contact: `taken` says that it has answered after all. */
  tell(id: NodeId, standing: Exclude<Standing, "free">): void {
    const key = keyOf(id);
    if (this.#standings.has(key)) this.#standings.set(key, standing);
  }

  /** What has become of a contact. */
  standing(id: NodeId): Standing {
    return this.#standings.get(keyOf(id)) ?? "free";
  }
}
