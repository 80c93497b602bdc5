/**
 * Every number of the protocol, with its unit, source and reason. Relations between them are asserted
 * at the end, so that a change which breaks one fails when the file loads.
 */
import { assert } from "./error.ts";

/** 1024 bytes. */
export const KIB = 1024;
/** 1024 KiB. */
export const MIB = 1024 * KIB;
/** 1024 MiB. */
export const GIB = 1024 * MIB;

// Identity

/** Bytes of a BLAKE3 digest (BLAKE3 paper, 2.6: default output). */
export const HASH_BYTES = 32;
/** Bytes of a node id: Kademlia's 160 bits (Kademlia 2.1). */
export const NODE_ID_BYTES = 20;
/** Bytes of a master seed, from which every key is derived. */
export const SEED_BYTES = 32;
/** Bytes of an Ed25519 public key (RFC 8032, 5.1.5). */
export const ED25519_KEY_BYTES = 32;
/** Bytes of an Ed25519 signature (RFC 8032, 5.1.6). */
export const ED25519_SIGNATURE_BYTES = 64;
/** Bytes of an ML-DSA-65 public key (FIPS 204, table 2). */
export const ML_DSA_KEY_BYTES = 1952;
/** Bytes of an ML-DSA-65 signature (FIPS 204, table 2). */
export const ML_DSA_SIGNATURE_BYTES = 3309;
/** Leading zero bits a node id needs in the public network: 65,536 hashes, where 8 bits deter nobody at 29 MH/s. */
export const POW_BITS_DEFAULT = 16;
/** The least any network may ask for (the user guide's figure). */
export const POW_BITS_MIN = 8;

// Wire

/** The protocol version we speak; a peer of the version before is answered too. */
export const WIRE_VERSION = 1;
/** Application protocol of the connections of the public network (RFC 7301); those of another end with its name. */
export const ALPN = "tesseras/1";
/** Name of the public network. */
export const NETWORK_DEFAULT = "main";
/** UDP port of a node (user guide, "Network ports"). */
export const PORT_DEFAULT = 4433;
/** Bytes of a message without its length prefix (user guide: 64 KiB). */
export const MESSAGE_BYTES_MAX = 64 * KIB;
/** Bytes of the length prefix, big-endian. */
export const LENGTH_BYTES = 4;
/** Depth of nested maps and arrays in a message; ours reach 4. */
export const MESSAGE_DEPTH_MAX = 8;
/** Values in a message, keys counted: ours reach about 150, and decoding 64 KiB of empty maps would take megabytes. */
export const MESSAGE_ITEMS_MAX = 4_096;
/** Bytes of the sentence in an error answer: told to a person, never acted on. */
export const ERROR_TEXT_BYTES_MAX = 512;
/** Addresses in a node record: several interfaces of both families, and no list to flood us with. */
export const ADDRESSES_MAX = 8;
/** Bytes of one signed node record: 8 addresses and a relay offer fit twice. */
export const NODE_RECORD_BYTES_MAX = 1 * KIB;
/** Bytes of one signed provider record: 72 fragment indices fit. */
export const PROVIDER_RECORD_BYTES_MAX = 1 * KIB;
/** How long a node record may live from its signing: a day, like the pointers it explains. */
export const NODE_RECORD_TTL_MS = 24 * 3_600_000;
/** How far ahead of ours another's clock may run before its records are from the future. */
export const CLOCK_SKEW_MS = 10 * 60_000;
/** Bytes of a signed plan: 72 fragment hashes, both public keys and both signatures are about 7.7 KiB. */
export const PLAN_BYTES_MAX = 16 * KIB;
/** Bytes of the bulk after one header: the largest fragment is that of the small tier, one whole pack under 4 MiB, or 1 GiB / 48. */
export const BULK_BYTES_MAX = 32 * MIB;
/** Bytes of a signed tombstone: one has 3,434, nearly all of them signatures; another version may need more. */
export const TOMBSTONE_BYTES_MAX = 4 * KIB;
/**
 * Bytes of a leaf that is proved to be kept: one chunk of BLAKE3 (paper, 2.1), the least its tree tells apart. Whoever lost a share
 * of the bytes is caught by the number of leaves, not by their size, so the smallest make an audit cheapest.
 */
export const AUDIT_LEAF_BYTES = 1 * KIB;
/** Leaves in one audit: who lost a tenth of the bytes passes one time in five, and an answer is 24 KiB at most. */
export const AUDIT_LEAVES_MAX = 16;
/** Leaves of the largest fragment. */
export const AUDIT_LEAF_COUNT_MAX = BULK_BYTES_MAX / AUDIT_LEAF_BYTES;
/** Bytes of one leaf and its proof: its own value in the tree, and one beside it on each level of the largest fragment's. */
export const AUDIT_PROOF_BYTES_MAX = AUDIT_LEAF_BYTES +
  (1 + Math.log2(AUDIT_LEAF_COUNT_MAX)) * HASH_BYTES;
/** Bytes of the bulk that answers an audit. */
export const AUDIT_BULK_BYTES_MAX = AUDIT_LEAVES_MAX * AUDIT_PROOF_BYTES_MAX;

// Connections

/** How long the dialer may take to prove who it is. */
export const HELLO_TIMEOUT_MS = 5_000;
/** A dial that was given up after so long without an answer has failed: four slow round trips and a lost packet fit. */
export const DIAL_SILENCE_MS = 2_000;
/** How long a dial may take; a dead address would hold it for 30 s. */
export const DIAL_TIMEOUT_MS = 5_000;
/** Dials that began just now: the UDP receive buffer drops packets at 32 (measured). */
export const DIALS_MAX = 16;
/** How long a dial counts as one of them: an answer that is to come at once with others has come, and silence fills no buffer. */
export const DIAL_BURST_MS = 250;
/** How long a request without bulk may take. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** How long a transfer may stand still before it is given up. */
export const STALL_TIMEOUT_MS = 15_000;
/** Streams a peer may have open towards us: each may hold 1.25 MB of unread data (measured). */
export const STREAMS_MAX = 16;
/** A connection without traffic is closed after this. */
export const CONNECTION_IDLE_MS = 60_000;
/** Packets that keep a NAT's mapping alive: the Linux kernel forgets UDP after 30 s. */
export const KEEPALIVE_MS = 15_000;
/** Inbound connections a node accepts in all. */
export const CONNECTIONS_MAX = 1_024;
/** Inbound connections a node accepts from one address (nodenet's default: 32; ours counts whole households behind one NAT). */
export const CONNECTIONS_PER_IP_MAX = 64;
/** Inbound connections a node accepts from one /24 or /48, which has addresses without end: a quarter of all. */
export const CONNECTIONS_PER_SUBNET_MAX = CONNECTIONS_MAX / 4;
/** New inbound connections a second, over all addresses; bursts of ten times that are let through. */
export const HANDSHAKES_PER_SECOND = 200;
/** How long a dial goes on when nobody ends it sooner: what a dead address takes by itself (measured). */
export const DIAL_GIVE_UP_MS = 30_000;
/** Inbound handshakes under way at once, about 40 KB each: all that the handshake rate lets in until the slowest is given up. */
export const HALF_OPEN_MAX = 1_024;
/** Inbound connections whose handshake is done and that nobody has taken yet. */
export const ARRIVALS_MAX = 256;
/** Trust anchors kept for the next dial to the same key: each takes 0.1 ms to make and 1 KB to keep. */
export const TRUSTS_CACHED_MAX = 1_024;
/** New inbound connections a second from one address: a quarter of all, so that no one address takes what everybody shares. */
export const HANDSHAKES_PER_ADDRESS_PER_SECOND = HANDSHAKES_PER_SECOND / 4;
/** Requests a second one identity may make on average. */
export const REQUESTS_PER_SECOND = 200;
/** Requests a second all identities at one address may make on average: four busy nodes behind one NAT. */
export const REQUESTS_PER_ADDRESS_PER_SECOND = 4 * REQUESTS_PER_SECOND;
/** Work a second one identity may ask for on average, in units of about 0.15 ms (two signatures checked, measured): 6 % of a core. */
export const WORK_PER_SECOND = 400;
/** Work that may be asked for at once, in seconds of its rate: a holder announces all the records it may have here in a row. */
export const WORK_BURST_SECONDS = 50;
/** Work a second all identities of one /24 or /48 may ask for on average: identities are cheap, subnets are not. */
export const WORK_PER_SUBNET_PER_SECOND = 2 * WORK_PER_SECOND;
/** Bytes of an answer that cost as much as one request more: 20 node records, the usual answer. */
export const ANSWER_BYTES_PER_TOKEN = 4 * KIB;
/** Bytes of bulk that cost as much as one request more, or one unit of work: no honest line is slowed down, see {@link REQUESTS_PER_SECOND}. */
export const BULK_BYTES_PER_TOKEN = 1 * MIB;
/** Identities whose request rate a node remembers: four times its connections, so that hanging up does not reset the meter. As many addresses and subnets. */
export const IDENTITIES_METERED_MAX = 4 * CONNECTIONS_MAX;
/** Dialled connections a node holds: as many as it answers. */
export const DIALLED_MAX = CONNECTIONS_MAX;
/** The slowest transfer we wait for, in bytes a second: an eighth of what a relay grants a stranger (user guide, 64 KB/s). */
export const TRANSFER_BYTES_PER_SECOND_MIN = 8 * KIB;
/** Bytes of bulk written at once on a line that is not known to be quick: each piece must beat {@link STALL_TIMEOUT_MS} on a slow one. */
export const BULK_CHUNK_BYTES = 64 * KIB;
/** Bytes of bulk waited for at once on a line that is not known to be quick: less than a packet, so that whatever arrives is heard at once. */
export const BULK_ARRIVAL_BYTES = 1 * KIB;
/** Bytes of bulk written or waited for at once on a quick line: a tenth less work than in the least pieces; more gains nothing (measured). */
export const BULK_STRIDE_BYTES_MAX = 256 * KIB;
/** Two connections between the same peers that began within this time were dialled by both at once: a dial and a hello. */
export const SIMULTANEOUS_OPEN_MS = DIAL_TIMEOUT_MS + HELLO_TIMEOUT_MS;
/** How long the connection that lost against a second one must be quiet before it is closed, so that what was on its way arrives. */
export const DUPLICATE_LINGER_MS = 2_000;
/** The first pause after a failed dial; it doubles with each further failure. */
export const DIAL_BACKOFF_MS = 1_000;
/** The longest pause after failed dials. */
export const DIAL_BACKOFF_MAX_MS = 5 * 60_000;
/** Peers whose failed dials are remembered. */
export const DIAL_FAILURES_MAX = 1_024;

// Routing

/** Peers per bucket (Kademlia 2.2, "k = 20"). */
export const BUCKET_PEERS_MAX = 20;
/** Peers removed for their silence that are asked again now and then, so that a partition heals: some of each bucket. */
export const LOST_PEERS_MAX = 64;
/** Contacts waiting for a place in one full bucket (Kademlia 4.1): enough for a third of it to die at once. */
export const REPLACEMENTS_MAX = 8;
/** A peer heard of within this is taken for alive: a newcomer cannot make us ping it. As long as an idle connection lives. */
export const CONTACT_FRESH_MS = 60_000;
/**
 * Questions in flight in one lookup, late ones apart: one for each result it looks for and for a fifth more, whose answers of
 * 4.3 KB fit the UDP receive buffer together.
 */
export const LOOKUP_IN_FLIGHT_MAX = 24;
/**
 * The nearest that must have answered, or be given up, before a lookup ends, whoever else has: on every path for itself, and of
 * all together (libp2p's "beta" is 3, too).
 */
export const LOOKUP_NEAREST = 3;
/**
 * The share of those looked for who need not be waited for once as many farther ones have answered in their place: "nodes that
 * fail to respond quickly are removed from consideration" (Kademlia 2.3). The slowest of 20 takes two round trips, the 16th 1.3.
 */
export const LOOKUP_OVERTAKEN_SHARE = 1 / 5;
/**
 * In a network of no more nodes a lookup waits for all: a table knows most of them, so it ends after two rounds, and asking
 * more to be sooner would only cost (measured with 60 nodes, of which half cannot be dialled: one lookup in 50 missed the nearest).
 */
export const LOOKUP_PATIENT_NODES_MAX = 200;
/** Questions in flight on each path of a lookup (Kademlia 2.3, alpha). */
export const LOOKUP_PARALLEL = 3;
/** Paths of one lookup that share nobody (S/Kademlia 4.4, "d"): two honest ones are left when a liar leads one astray. */
export const LOOKUP_PATHS_MAX = 3;
/** Failures in a row that remove a peer (user guide, `ping_failure_threshold`). */
export const PING_FAILURES_MAX = 3;
/** How long a pointer lives (user guide, `pointer_ttl_secs`). */
export const POINTER_TTL_MS = 24 * 3_600_000;
/** How often pointers are stored again (user guide, `republish_interval_secs`). */
export const REPUBLISH_MS = 3_600_000;
/** How often a bucket without lookups is refreshed (user guide, `bucket_refresh_interval_secs`). */
export const BUCKET_REFRESH_MS = 3_600_000;
/** Pointers a node keeps (user guide, `max_stored_pointers`). */
export const POINTERS_MAX = 100_000;
/** Provider records kept for one tessera: 72 fragments on as many holders, and room for those that moved. */
export const PROVIDERS_PER_KEY_MAX = 128;
/** Providers in one message, each with its holder's node record: as many as nodes; the rest is asked for with `skip`. */
export const PROVIDERS_PER_MESSAGE_MAX = 20;
/** Provider records kept of one holder. */
export const PROVIDERS_PER_HOLDER_MAX = 20_000;
/** Provider records kept that were brought by their holders from one /24 or /48: two of them, as many as placement puts there, with all they may have. */
export const PROVIDERS_PER_SUBNET_MAX = 2 * PROVIDERS_PER_HOLDER_MAX;
/** Provider records of one key kept that were brought by their holders from one /24 or /48: two of them with four plans each. */
export const PROVIDERS_PER_KEY_AND_SUBNET_MAX = 8;
/** How long one question of a lookup may take, dialling included; then the lookup goes on without that peer. */
export const QUERY_TIMEOUT_MS = 4_000;
/** How long a question of a lookup holds up the next one at most: three slow round trips, and a quarter of its own time. */
export const QUERY_LATE_MS = QUERY_TIMEOUT_MS / 4;
/** How long it does at least, however fast others are: a quarter of that, the round trip of the farthest place on Earth. */
export const QUERY_LATE_MIN_MS = QUERY_LATE_MS / 4;
/** How long a whole lookup may take; it answers with what it has. */
export const LOOKUP_TIMEOUT_MS = 30_000;
/** Nodes that keep one record where its key is crowded: so many that publisher and reader have an honest one in common though 1,000 identities were ground into the region (`lib/kad/region_bench.ts`). */
export const REGION_PEERS_MAX = 512;
/** Lookups of one systematic look at a region: three suffice where all are honest, ten beside a crowd at one key, and this many see 640 nodes. */
export const REGION_LOOKUPS_MAX = 32;
/** How long a systematic look at a region may take, and asking its nodes as long again. */
export const REGION_TIMEOUT_MS = 60_000;
/** Nodes of a crowded region asked or told at once: as many as dials may be under way, since most of them are strangers. */
export const REGION_PARALLEL = DIALS_MAX;
/** Questions one lookup may ask in all: far beyond log2 of any network, and an end for a lying one. */
export const LOOKUP_QUESTIONS_MAX = 120;

// NAT traversal

export {
  INTRODUCERS_MAX,
  INTRODUCERS_REMEMBERED_MAX,
  INTRODUCTION_FRESH_MS,
  INTRODUCTIONS_REMEMBERED_MAX,
  MEETING_BYTES_MAX,
  MEETING_NONCE_BYTES,
  PUNCH_ADDRESSES_MAX,
  PUNCH_ATTEMPTS_MS,
  PUNCH_KEEPALIVE_MS,
  PUNCH_RETRY_MAX_MS,
  PUNCH_RETRY_MS,
  PUNCH_TIMEOUT_MS,
  PUNCH_WAIT_MAX_MS,
  PUNCHES_MAX,
  PUNCHES_PER_SUBNET_MAX,
  RECORD_RENEW_MS,
  REFLEXIVE_REPORTERS_MIN,
  REFLEXIVE_REPORTS_MAX,
  REFLEXIVE_SUBNETS_MIN,
  RELAY_AFTER_MS,
  RELAY_BURST_BYTES,
  RELAY_DRAIN_MS,
  RELAY_IDLE_MS,
  RELAY_JOIN_MS,
  RELAY_LEASE_MS,
  RELAY_RECIPROCAL_BYTES_PER_SECOND,
  RELAY_SESSIONS_MAX,
  RELAY_SESSIONS_PER_PEER_MAX,
  RELAY_SESSIONS_PER_SUBNET_MAX,
  RELAY_STRANGER_BYTES_PER_SECOND,
  RELAY_STRANGER_MS,
  RELAYS_ASKED_MAX,
} from "./nat_limits.ts";

// Bootstrap

/** Places in a directory of peers: a sample of the network, not its register; about 5 MB. */
export const DIRECTORY_ENTRIES_MAX = 4_096;
/** How long a peer stays in a directory after it was last heard of: dead entries are what newcomers wait for. */
export const DIRECTORY_TTL_MS = 3_600_000;
/** Peers on one page of a directory: enough to find a living one when half have left within the hour. */
export const DIRECTORY_PEERS_MAX = 32;
/** Bytes of a page of a directory: 32 records of 1 KiB in base64 with as much again for their readable fields. */
export const DIRECTORY_PAGE_BYTES_MAX = 128 * KIB;
/** Peers of one /24 or /48 that one newcomer is told of beyond its own neighbourhood. */
export const INTRODUCED_PER_SUBNET_MAX = 2;
/** Peers beyond the closest that the answer to a newcomer has room for. */
export const INTRODUCED_MAX = 8;
/** Peers that the TXT records of one domain, one directory or the local network may name in all. */
export const SOURCE_PEERS_MAX = 32;

// Tesseras and fragments

/** Bytes of one tessera's pack (user guide, "Maximum tessera size": 1 GB). */
export const TESSERA_BYTES_MAX = 1_000_000_000;
/** Packs below this are kept as whole copies (user guide, "Fragmentation tiers"). */
export const MEDIUM_TIER_BYTES = 4 * MIB;
/** Packs from this size on are cut into 48 + 24 (user guide, "Fragmentation tiers"). */
export const LARGE_TIER_BYTES = 256 * MIB;
/** Fragments of one tessera: the large tier's 48 + 24. */
export const FRAGMENTS_MAX = 72;
/** Different peers a tessera should reach at least (user guide, "replication factor of 7"). */
export const REPLICATION_FACTOR = 7;
/** Peers of one tessera in the same /24 or /48. */
export const PEERS_PER_SUBNET_MAX = 2;
/** One replica in this many may lie with an institution: 2 of 7 (Tesseras institutional nodes, "ceil(r / 3.5)"). */
export const REPLICAS_PER_INSTITUTIONAL = 3.5;
/** Files in one tessera: a MANIFEST of them stays near 10 MB. */
export const TESSERA_FILES_MAX = 50_000;
/** Bytes of a MANIFEST: 50,000 lines of 250 bytes. */
export const MANIFEST_BYTES_MAX = 16 * MIB;
/** Free bytes a store leaves to its machine (user guide, "Minimum free space"). */
export const FREE_SPACE_MIN = 1 * GIB;
/** Bytes one peer may owe (user guide, "Deficit allowance"). */
export const DEFICIT_MAX = 256 * MIB;
/** Bytes one peer may keep with us (user guide, "Per-peer limit"). */
export const PER_PEER_MAX = 1 * GIB;
/** Per-peer limits that all peers of one /24 or /48 may use up together: identities are cheap, subnets are not; room for four busy nodes behind one NAT. */
export const SUBNET_SHARES = 4;
/** Fragments a fetch has in flight at once, from as many holders: more overrun the receive buffer and were slower (measured); a slow one holds no place. */
export const FETCH_PARALLEL = 3;
/** Fragments asked for beyond those still needed once a holder is late, so that one slow holder does not hold up a fetch. */
export const FETCH_SPARE = 2;
/** How long a tombstone counts from its making: a copy of it that somebody kept cannot delete for ever what its creator published again. */
export const TOMBSTONE_TTL_MS = 365 * 24 * 3_600_000;
/** Tombstones of others that a holder remembers: 35 MB; those that run out first make room. */
export const TOMBSTONES_MAX = 10_000;
/** Fragments in transfer at once (user guide, "Concurrent transfers"). */
export const TRANSFERS_PARALLEL = 4;
/** Holders of a tessera asked at once whether they still keep it: the dead among them take seconds each, and the answer is one message. */
export const ATTEST_PARALLEL = 8;
/** Bytes a second that repair moves by default (`repair_bandwidth`): what one household may spend on others, as a relay grants those who give (user guide, 256 KB/s). */
export const REPAIR_BYTES_PER_SECOND = 256 * KIB;
/** Between two looks at a tessera's health (user guide, "Repair interval"). */
export const REPAIR_INTERVAL_MS = 24 * 3_600_000;
/** How much later than that a look may be, so that the network does not look all at once (user guide, "Repair jitter"). */
export const REPAIR_JITTER_MS = 2 * 3_600_000;

assert(
  MESSAGE_BYTES_MAX >=
    BUCKET_PEERS_MAX * NODE_RECORD_BYTES_MAX +
      PROVIDERS_PER_MESSAGE_MAX *
        (PROVIDER_RECORD_BYTES_MAX + NODE_RECORD_BYTES_MAX),
  "an answer with k nodes and 20 providers fits in a message",
);
assert(
  MESSAGE_BYTES_MAX >= PLAN_BYTES_MAX + PROVIDER_RECORD_BYTES_MAX + KIB,
  "a fragment's header with its plan and its repairer's record fits in a message",
);
assert(
  AUDIT_LEAF_COUNT_MAX * AUDIT_LEAF_BYTES === BULK_BYTES_MAX &&
    AUDIT_BULK_BYTES_MAX < BULK_BYTES_MAX,
  "the largest fragment has whole leaves, and an answer to an audit is bulk",
);
assert(
  BULK_BYTES_MAX >= Math.ceil(TESSERA_BYTES_MAX / 48) &&
    BULK_BYTES_MAX >= LARGE_TIER_BYTES / 16,
  "every fragment fits in one bulk",
);
assert(
  BULK_CHUNK_BYTES <= TRANSFER_BYTES_PER_SECOND_MIN * STALL_TIMEOUT_MS / 1_000,
  "a piece of bulk at the slowest pace is no stall",
);
assert(POW_BITS_DEFAULT >= POW_BITS_MIN, "the default work is allowed");
assert(
  HALF_OPEN_MAX >= HANDSHAKES_PER_SECOND * HELLO_TIMEOUT_MS / 1_000,
  "silent strangers at the admitted rate cannot fill every place for a handshake",
);
assert(
  WORK_PER_SECOND * WORK_BURST_SECONDS >= PROVIDERS_PER_HOLDER_MAX &&
    WORK_PER_SECOND * WORK_BURST_SECONDS >=
      BULK_BYTES_MAX / BULK_BYTES_PER_TOKEN,
  "a holder's whole share of records and the largest fragment are within anybody's burst",
);
assert(
  PROVIDERS_PER_KEY_MAX >= FRAGMENTS_MAX,
  "every fragment may have a holder of its own",
);
