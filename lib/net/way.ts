/** The ways over which two nodes come together, and who may be dialled without anybody's help. */
import { isPlausible, type Realm } from "@tesseras/nat";
import type { NodeRecord } from "@tesseras/wire";

/** How a session came about: dialled at an address, by knocking at each other's NATs at one moment, or through a relay. */
export type Way = "direct" | "punched" | "relayed";

/**
 * Whether anybody who has this record can dial its node. A node whose NAT is known to be in the way cannot be, whatever it names; one
 * that knows nothing about itself yet is believed an address that leads somewhere in this realm.
 */
export function isDialable(
  { nat, addresses }: Pick<NodeRecord, "nat" | "addresses">,
  realm: Realm,
): boolean {
  if (nat === "cone" || nat === "symmetric") return false;
  return addresses.some((address) => isPlausible(address, realm));
}
