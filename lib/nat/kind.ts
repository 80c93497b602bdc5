/** What a NAT does to a node's packets, as far as its peers can tell. */

/**
 * How a node's NAT treats its packets: none, one port for everybody, a port for each peer, or not known yet. In the words of
 * RFC 4787, 4.1: "cone" is endpoint-independent mapping, "symmetric" any other. Nothing here says what it lets in.
 */
export const NAT_KINDS = ["public", "cone", "symmetric", "unknown"] as const;

/** See {@link NAT_KINDS}. */
export type NatKind = typeof NAT_KINDS[number];
