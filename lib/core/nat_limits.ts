/** The limits of NAT traversal, a part of {@link "./limits.ts"}: import them from there. */
import { assert } from "./error.ts";

const KIB = 1024;

/** Peers that must agree on our address before we tell others of it: one lies, two may be one person. */
export const REFLEXIVE_REPORTERS_MIN = 3;
/** Different /24 or /48 they must be in; as many reporters, each in one of its own, will do for trying a punch. */
export const REFLEXIVE_SUBNETS_MIN = 2;
/** Reports of one's own address that a node weighs, of each family: the latest of each peer, so as many as there are connections that matter. */
export const REFLEXIVE_REPORTS_MAX = 256;
/** When a punch sends, in milliseconds from its start: with 10 % of packets lost, 20 of 20 got through, and denser tries only make more connections (measured). */
export const PUNCH_ATTEMPTS_MS = [0, 300, 900] as const;
/** A punching dial without an answer ends after this: less gave up while a lost packet was being sent again (measured). */
export const PUNCH_TIMEOUT_MS = 5_000;
/** Between packets that keep a fresh hole open while a punch goes on. */
export const PUNCH_KEEPALIVE_MS = 2_000;
/** Punches a node works on at once: 32 dials already overrun a receive buffer (measured), and each may aim packets at somebody. */
export const PUNCHES_MAX = 32;
/** Of those, for peers of one /24 or /48, and towards one: an eighth, so that nobody is aimed at by all. */
export const PUNCHES_PER_SUBNET_MAX = PUNCHES_MAX / 8;
/** Addresses one may be punched at: the outer ones of both families, and two of its own network for a neighbour behind the same router. */
export const PUNCH_ADDRESSES_MAX = 4;
/** The longest an introducer may have somebody wait before it starts: half of two round trips of the slowest lines. */
export const PUNCH_WAIT_MAX_MS = 2_000;
/** How far from our clock an introduction may be signed, in either direction (user guide: 30 s). */
export const INTRODUCTION_FRESH_MS = 30_000;
/** Introductions remembered so that none counts twice: 70 a second for as long as one is fresh. */
export const INTRODUCTIONS_REMEMBERED_MAX = 4_096;
/** Bytes of a signed introduction, its answer, a request for relaying and what a relay says: keys, times and four addresses fit twice. */
export const MEETING_BYTES_MAX = 1 * KIB;
/** Bytes of the number drawn for one meeting of two peers: nobody guesses it, and none comes twice. */
export const MEETING_NONCE_BYTES = 16;
/** Who is asked, one after the other, for an introduction to one peer: each may have lost it, and who waits for a question gives up after so many. */
export const INTRODUCERS_MAX = 3;
/** Peers without an address for which it is remembered who named them: some tables' worth. */
export const INTRODUCERS_REMEMBERED_MAX = 1_024;
/** A node signs a new record of its own at most this often, however its address or its offers change. */
export const RECORD_RENEW_MS = 10_000;
/** From the start of a punch until a relay is asked beside it: most punches are done, and nobody waits for 2.5 s (measured). */
export const RELAY_AFTER_MS = 1_500;
/** Relays asked for one session, one after the other: the second for when the first has just filled, left or died. */
export const RELAYS_ASKED_MAX = 2;
/** The first pause before a pair that is relayed, or failed, tries a direct path again; it doubles. */
export const PUNCH_RETRY_MS = 30_000;
/** The longest such pause. */
export const PUNCH_RETRY_MAX_MS = 15 * 60_000;
/** Sessions a relay forwards at once by default (user guide, `relay_max_sessions`). */
export const RELAY_SESSIONS_MAX = 50;
/** Bytes a second forwarded each way for who keeps fragments of others (user guide, `relay_reciprocal_kbps`). */
export const RELAY_RECIPROCAL_BYTES_PER_SECOND = 256 * KIB;
/** Bytes a second forwarded each way for anybody else (user guide, `relay_bootstrap_kbps`). */
export const RELAY_STRANGER_BYTES_PER_SECOND = 64 * KIB;
/** Bytes forwarded at once beyond the rate; what is over is dropped, which beats queueing four to one in delay (measured). */
export const RELAY_BURST_BYTES = 64 * KIB;
/** How long a session of anybody else lasts (user guide: 10 minutes). */
export const RELAY_STRANGER_MS = 10 * 60_000;
/** A session over which nothing passed for this long ends (user guide, `relay_idle_timeout_secs`). */
export const RELAY_IDLE_MS = 60_000;
/** How long the second peer may take to come before its session is given to others: an introduction is not fresh for longer. */
export const RELAY_JOIN_MS = INTRODUCTION_FRESH_MS;
/** How long a place in a session that relays count together is held without a word of its relay, which gives one each minute: two may be lost. */
export const RELAY_LEASE_MS = 3 * 60_000;
/** How long a relay that is told to stop lets its peers move before it does: the five seconds of a shutdown less what closing takes. */
export const RELAY_DRAIN_MS = 3_000;
/** Sessions of one relay that one identity may be in at once. */
export const RELAY_SESSIONS_PER_PEER_MAX = 8;
/** Sessions of one relay that the identities of one /24 or /48 may be in at once: identities are cheap, subnets are not. */
export const RELAY_SESSIONS_PER_SUBNET_MAX = 16;

assert(
  PUNCH_ATTEMPTS_MS.at(-1)! < RELAY_AFTER_MS &&
    RELAY_AFTER_MS < PUNCH_TIMEOUT_MS,
  "a relay is asked once every try of a punch has begun, and before the last has ended",
);
