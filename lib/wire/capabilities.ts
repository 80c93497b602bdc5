/** What a node offers: 32 bits in its signed record, found through the overlay. */

/** The bit of each role. Bits 7 and 8 are fixed by the first networks; the others are free for what comes. */
export const CAPABILITIES = {
  /** Answers `find_node`, `find_value` and `store`. */
  DHT: 1 << 0,
  /** Keeps fragments. */
  STORAGE: 1 << 1,
  /** Forwards packets for peers behind NATs. */
  RELAY: 1 << 2,
  /** Repairs what others lose. */
  REPLICATION: 1 << 3,
  /** Gives newcomers their first peers. */
  BOOTSTRAP: 1 << 4,
  /** Belongs to a verified institution. */
  INSTITUTIONAL: 1 << 7,
  /** Answers searches over public tesseras. */
  SEARCH_INDEX: 1 << 8,
} as const;

/** The largest set: all 32 bits. Bits without a name are carried and ignored. */
export const CAPABILITIES_MAX = 0xffff_ffff;

/** Whether a set has every bit of another. Both are whole numbers of 32 bits; 0 asks for nothing. */
export function hasCapabilities(have: number, want: number): boolean {
  return ((have & want) >>> 0) === (want >>> 0);
}
