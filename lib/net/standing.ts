/** How a node looks from outside, as far as it knows. */
import type { Address } from "@tesseras/core";
import {
  type Family,
  isPlausible,
  type NatKind,
  type Realm,
} from "@tesseras/nat";

/** What a node knows of its own place; it changes while the node learns. */
export interface Standing {
  readonly realm: Realm;
  /** Where the node's socket is bound, interface by interface. */
  readonly own: readonly Address[];
  readonly kind: NatKind;
  /** Its outer address, as far as it will do for a punch. */
  likely(family: Family): Address | undefined;
}

/** Addresses that only neighbours in the same network can use. */
export function innerOf({ own }: Standing): readonly Address[] {
  return own.filter((address) => !isPlausible(address, "internet"));
}
