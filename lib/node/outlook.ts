/** How a node looks from outside, as those it talks to say: its NAT kind and its outer addresses, for its own record. */
import {
  type Address,
  formatAddress,
  keyOf,
  type NodeId,
} from "@tesseras/core";
import {
  type Family,
  familyOf,
  isPlausible,
  kindOf,
  type NatKind,
  type Outlook,
  type Realm,
  ReflexiveReports,
} from "@tesseras/nat";
import type { Met, Standing } from "@tesseras/net";

/** Where a node stands, as it knows itself. */
export type Surroundings = {
  /** Which addresses count: those of the Internet, or any, in a lab or a cluster. */
  readonly realm: Realm;
  /** Where its socket is bound, interface by interface. */
  readonly own: readonly Address[];
  /** Whether its operator has said at which addresses it is reached: that word stands against every report. */
  readonly isConfigured?: boolean;
};

const FAMILIES: readonly Family[] = [4, 6];

/** A peer with a connection, and where it is. */
type Reporter = { readonly connection: object; readonly from: Address };

/** What the peers of one node say of its address. A report dies with the connection it came over. */
export class OwnOutlook implements Standing {
  readonly #parts: Surroundings;
  readonly #reports: ReflexiveReports;
  /** By peer, the latest session; relayed ones are none, for there a relay is seen. */
  readonly #reporters = new Map<string, Reporter>();
  #outlooks: { readonly [F in Family]: Outlook } | undefined;

  constructor(parts: Surroundings) {
    this.#parts = parts;
    this.#reports = new ReflexiveReports(parts.realm);
  }

  get realm(): Realm {
    return this.#parts.realm;
  }

  get own(): readonly Address[] {
    return this.#parts.own;
  }

  /** A session has begun. An answerer says in its greeting where it sees us; a dialler says it when it is pinged. */
  met({ peer, observed, connection, way }: Met): void {
    if (connection === undefined || way === "relayed") return;
    // In the Internet nobody with a private address sees what the others see: a neighbour behind the same router.
    const from = connection.remote;
    if (!isPlausible(from, this.#parts.realm)) return;
    this.#reporters.set(keyOf(peer.id), { connection, from });
    if (observed !== undefined) this.told(peer.id, observed);
  }

  /** A peer with a session says where it sees us. */
  told(id: NodeId, observed: Address): void {
    const reporter = keyOf(id);
    const known = this.#reporters.get(reporter);
    if (known === undefined) return;
    // A machine with several addresses is seen at each, and all say the same: nothing stands before it.
    const word = this.#isOwn(observed) ? this.#ownIn(observed) : observed;
    if (
      this.#reports.take({ ...known, reporter, observed: word }) === "taken"
    ) {
      this.#outlooks = undefined;
    }
  }

  /** A session is over, and what was said over it. */
  ended({ peer, connection }: Met): void {
    if (connection === undefined) return;
    const reporter = keyOf(peer.id);
    if (this.#reporters.get(reporter)?.connection === connection) {
      this.#reporters.delete(reporter);
    }
    this.#reports.ended(connection);
    this.#outlooks = undefined;
  }

  /** What stands between this node and the others; of IPv4 when that is known, else of IPv6. */
  get kind(): NatKind {
    if (this.#parts.isConfigured) return "public";
    return FAMILIES.map((family) => this.kindIn(family))
      .find((kind) => kind !== "unknown") ?? "unknown";
  }

  /** The kind in one family alone. */
  kindIn(family: Family): NatKind {
    return kindOf(this.#all()[family], this.#parts.own, 0);
  }

  /** An address that will do for a punch; `undefined` while too few agree. */
  likely(family: Family): Address | undefined {
    return this.#all()[family].likely;
  }

  /** An address fit for the node record. */
  confirmed(family: Family): Address | undefined {
    return this.#all()[family].confirmed;
  }

  /** Addresses for the record: those the node knew itself, and a confirmed one at which anybody reaches it. */
  addresses(known: readonly Address[]): readonly Address[] {
    if (this.#parts.isConfigured) return known;
    const texts = new Set(known.map(formatAddress));
    const found = FAMILIES.filter((family) => this.kindIn(family) === "public")
      .map((family) => this.confirmed(family))
      .filter((address) =>
        address !== undefined && !texts.has(formatAddress(address))
      ) as Address[];
    return found.length === 0 ? known : [...found, ...known];
  }

  #isOwn(observed: Address): boolean {
    const text = formatAddress(observed);
    return this.#parts.own.some((address) => formatAddress(address) === text);
  }

  /** The first of our own addresses in the family of another of them. */
  #ownIn(one: Address): Address {
    const family = familyOf(one);
    return this.#parts.own.find((own) => familyOf(own) === family) ?? one;
  }

  #all(): { readonly [F in Family]: Outlook } {
    return this.#outlooks ??= {
      4: this.#reports.outlook(4),
      6: this.#reports.outlook(6),
    };
  }
}
