/** The relays a node has met or been told of. */
import type { Table } from "@tesseras/kad";
import { CAPABILITIES, hasCapabilities, type NodeRecord } from "@tesseras/wire";

/** Contacts that say they relay; a table has room for a few hundred, whatever the size of the network. */
export function relaysIn(table: Table<NodeRecord>): readonly NodeRecord[] {
  return Array.from(table.entries(), ({ contact }) => contact)
    .filter(({ capabilities }) =>
      hasCapabilities(capabilities, CAPABILITIES.RELAY)
    );
}
