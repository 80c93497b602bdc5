/**
 * Every counter there is, with the one sentence that `/metrics` and `tes status --node` print beside it.
 *
 * To add a counter, add a line here: under what was dropped, in the group an operator would look in, or under
 * {@link EVENTS} (`event_names.ts`) when nothing was lost. Names are `topic.what` in lower case, no part of them a unit that Prometheus would take
 * amiss (`us`, `ms`); sentences have no final period. Until the line is there, the code that counts does not compile; a line
 * that nothing counts fails a test.
 */
import { EVENTS } from "./event_names.ts";

/** What was refused, dropped or gave up, by the part of the node it happened in. Within a topic in the order of checking. */
export const DROPS = {
  /** Who may come in, and how much they may ask. */
  admission: {
    "quic.bad_client":
      "Inbound connections refused because their first packet could not be used",
    "quic.other_network":
      "Inbound connections refused because they were meant for another network or protocol",
    "quic.half_open_refused":
      "Inbound connections refused because too many handshakes were under way",
    "quic.admission_refused": "Inbound connections that admission turned away",
    "quic.handshake_failed":
      "Inbound connections whose handshake broke off; dialers that wanted another key end like this",
    "quic.handshake_timeout":
      "Inbound connections closed because their handshake took too long",
    "quic.arrivals_refused":
      "Inbound connections closed because nobody accepted the ones before them",
    "admission.connections_full":
      "Inbound connections dropped because the node holds as many as it may",
    "admission.address_full":
      "Inbound connections dropped because their address holds as many as it may",
    "admission.subnet_full":
      "Inbound connections dropped because their subnet holds as many as it may",
    "admission.address_handshake_rate":
      "Inbound connections dropped because their address opened them faster than one may",
    "admission.handshake_rate":
      "Inbound connections dropped because new ones came faster than the limit",
    "hello.timeout":
      "Inbound connections closed because no proof of identity came in time",
    "hello.malformed":
      "Inbound connections closed because the proof could not be read",
    "hello.forged_record":
      "Inbound connections closed because the node record was forged or stale",
    "hello.weak_work":
      "Inbound connections closed because the id behind them shows too little work",
    "hello.self":
      "Connections closed because the node at the other end was this node",
    "hello.forged_proof":
      "Inbound connections closed because the signature did not answer our challenge",
    "hello.unfinished":
      "Inbound connections that ended before a proof; first contacts end like this",
    "hello.wrong_answerer":
      "Dialled connections closed because the challenge was not the expected peer's",
    "punch.refused_forged":
      "Introductions and consents dropped because somebody else had signed them, or nobody",
    "punch.refused_stale":
      "Introductions and consents dropped because they were signed too long ago, or in the future",
    "punch.refused_misdirected":
      "Introductions refused because they were meant for another node",
    "punch.refused_replayed":
      "Introductions refused because they had come before",
    "punch.refused_nowhere":
      "Introductions refused because nobody was seen at any address in them",
    "punch.refused_full":
      "Introductions refused because as many punches as may be were under way",
    "punch.refused_absent":
      "Introductions refused because the peer had no connection here",
    "admission.policy_refused":
      "Proven peers turned away by the policy of the embedding application",
    "admission.request_rate":
      "Requests answered with overloaded because their sender asks too often",
    "admission.address_request_rate":
      "Requests answered with overloaded because their address asks too often",
    "admission.work_rate":
      "Requests answered with overloaded because their sender asked for too much work",
    "admission.subnet_work_rate":
      "Requests answered with overloaded because their subnet asked for too much work",
    "relay.refused_self":
      "Requests for relaying refused because they asked for the asker itself",
    "relay.refused_draining":
      "Requests for relaying refused because the relay is about to stop",
    "relay.refused_volume":
      "Requests for relaying refused because the month's volume is used up",
    "relay.refused_full":
      "Requests for relaying refused because there are as many sessions as may be",
    "relay.refused_peer_quota":
      "Requests for relaying refused because the asker is in as many sessions as it may",
    "relay.refused_subnet_quota":
      "Requests for relaying refused because the asker's network is in as many sessions as it may",
    "relay.refused_shared_quota":
      "Requests for relaying refused because relays that count together have given all they may",
    "relay.misdirected":
      "Signed requests for relaying refused because another signed them or they were meant for another relay",
    "directory.rate_limited":
      "Readers of the directory page sent away because they came too often",
    "rpc.malformed": "Requests that could not be read",
    "rpc.slow": "Requests given up because they did not arrive in time",
    "rpc.unanswered":
      "Requests whose sender was gone, or too slow, when the answer was ready",
    "rpc.handler_failed":
      "Requests that met an error nobody foresaw: a bug worth reporting",
    "rpc.refused": "Requests answered with an error, whatever its code",
    "rpc.refused_timeout":
      "Requests answered with timeout: something took too long here",
    "rpc.refused_overloaded": "Requests answered with overloaded",
    "rpc.refused_refused":
      "Requests answered with refused: not offered here, or out of date",
    "rpc.refused_absent": "Requests answered with absent: it is not kept here",
    "rpc.refused_malformed":
      "Requests answered with malformed by whoever reads what is inside them",
    "rpc.refused_forged":
      "Requests answered with forged: a signature or proof of work was wrong",
    "rpc.refused_corrupt":
      "Requests answered with corrupt: bytes were not those of their hash",
    "rpc.refused_diskFull": "Requests answered with diskFull: no room is left",
  },
  /** Finding peers and talking to them. */
  lookups: {
    "peers.dial_failed": "Dials that ended without a session",
    "peers.dial_backoff":
      "Requests not sent because the peer could not be reached a moment ago",
    "peers.dials_full":
      "Requests not sent because the node holds as many dialled connections as it may",
    "peers.silent_closed":
      "Connections closed because what was asked on them met nothing but silence",
    "quic.dial_failed": "Dials that did not connect",
    "quic.dialled_other_network":
      "Dials that met a node of another network or of another version",
    "peers.first_contact_failed":
      "Addresses at which nobody said who answers there",
    "rpc.failed": "Requests sent that did not get the answer they asked for",
    "rpc.answer_late": "Requests sent whose answer did not come in time",
    "rpc.answer_overloaded":
      "Requests sent that the peer had too much to do for, or that we sent too fast",
    "rpc.answer_distrusted":
      "Requests sent whose answer was malformed, forged or corrupt, or said that they were",
    "ping.forged": "Pongs refused because they carried the record of another",
    "table.refused":
      "Peers left out of the routing table by its rules on subnets and on ourselves",
    "table.left":
      "Peers removed from the routing table because they said goodbye",
    "table.bucket_full":
      "Peers that found their bucket full and wait for a place, as a crowd of ids alike in their first bits does",
    "table.removed":
      "Peers removed from the routing table because they left too many questions without an answer",
    "table.failure_unproven":
      "Questions without an answer not held against the peer, because nobody else was heard of either",
    "lookup.question_late":
      "Questions of lookups beside which the next peer was asked, because the answer was slow",
    "lookup.question_failed": "Questions of lookups that brought no answer",
    "region.crowded":
      "Keys whose nearest nodes sit closer together than chance allows",
    "region.timeout": "Looks at a region that ran out of time",
    "lookup.unanswered":
      "Questions of lookups that met silence, or nobody at the peer's address",
    "lookup.answer_bad":
      "Questions of lookups answered by somebody else, or with what could not be read",
    "lookup.refused":
      "Questions of lookups that the peer, or our own limits, turned away",
    "lookup.answer_empty": "Answers in lookups that named nobody",
    "lookup.named_itself":
      "Answers in lookups that named the peer who gave them, and were no help for it",
    "lookup.named_asker": "Answers in lookups that named this node to itself",
    "lookup.timeout": "Lookups that ran out of time and gave what they had",
    "relay.stranger":
      "Packets to a relayed pair that were not from its peers' addresses, or no QUIC of theirs",
    "relay.over_rate":
      "Packets of relayed pairs dropped because they were over their rate",
    "relay.nobody_there":
      "Packets of relayed pairs dropped because the other peer had not sent any yet",
    "relay.unsent": "Packets of relayed pairs that the system did not send",
    "source.saved_failed":
      "Tries to join through peers of an earlier life that led nowhere",
    "source.configured_failed":
      "Tries to join through configured peers that led nowhere",
    "source.dns_failed": "Tries to join through DNS that led nowhere",
    "source.directory_failed":
      "Tries to join through directory pages that led nowhere",
    "source.mdns_failed":
      "Tries to join through peers on the local network that led nowhere",
    "source.dns_refused":
      "TXT records and peers in them passed over: of another form, or too many",
    "source.directory_refused":
      "Entries of directory pages passed over: forged, stale, unreadable or too many",
    "mdns.refused":
      "Answers on the local network passed over: from elsewhere, unreadable or too many",
    "mdns.unsent": "Packets to the local network that could not be sent",
    "http.closed_slow":
      "HTTP connections closed because they had lasted as long as one may",
    "http.closed_full":
      "HTTP connections closed because there were too many, the oldest first",
  },
  /** Signed records, and the pointers kept for others. */
  records: {
    "record.refused":
      "Node records named by peers that were forged, stale or could not be read",
    "record.out_of_time":
      "Those of them that had run out, or were signed in the future: some clock is wrong",
    "provider.refused":
      "Provider records found that were forged, stale or could not be read",
    "provider.misfit":
      "Provider records found that were of another tessera or another holder than they came for",
    "provider.too_many":
      "Provider records left out because a lookup had enough",
    "provider.page_missing":
      "Keepers of provider records that fell silent after their first page",
    "pointer.refused":
      "Provider records not kept because they were forged, stale or could not be read",
    "pointer.misfit":
      "Provider records not kept because the node record beside them was another's",
    "pointer.stale":
      "Provider records not kept because a newer one of the same holder is here",
    "pointer.over_bound":
      "Provider records not kept because their key or their holder has its share",
    "pointer.over_subnet":
      "Provider records refused because as many as may be were brought from that subnet",
    "pointer.displaced":
      "Provider records removed because their key was full and a holder spoke for itself",
    "pointer.expired": "Provider records removed because they ran out",
    "pointer.evicted":
      "Provider records removed because the table was full and their key is far from here",
    "pointer.sweep_failed":
      "Sweeps for expired provider records that the database did not let through",
    "store.unanswered":
      "Nodes that did not take provider records they were asked to keep",
    "announce.queue_full":
      "Announcements left to the hourly round because too many waited",
    "announce.unheard": "Announcements that nobody took",
    "announce.failed": "Announcements that ended with an error",
    "announce.round_failed": "Rounds of announcements that broke off",
  },
  /** Fragments and plans, kept and fetched. */
  fragments: {
    "fragment.refused_per_peer":
      "Fragments refused because their sender has its share of the disk",
    "fragment.refused_per_subnet":
      "Fragments refused because all peers of the sender's subnet together have their share here",
    "fragment.refused_space":
      "Fragments refused because the disk must keep some space free",
    "fragment.refused_store_full":
      "Fragments refused because all others have what this node gives them",
    "fragment.twice": "Fragments that came twice at once and were kept once",
    "fragment.absent": "Fragments we signed for whose bytes are gone",
    "fragment.corrupt":
      "Fragments we signed for whose bytes are not what they were",
    "plan.not_written":
      "Tries to keep plans beside their fragments that the disk did not let through",
    "publish.placement_unreadable":
      "Remembered places of fragments that could not be read and were left out",
    "publish.holder_failed": "Holders given up while publishing",
    "publish.holder_silent":
      "Holders of an earlier try that did not vouch for what they had taken, so that it was offered anew",
    "publish.retry_failed":
      "Publications tried again by the node itself that came to nothing",
    "care.cut_off": "Looks at a tessera during which nobody at all was heard",
    "care.failed": "Looks at a tessera that broke off",
    "care.holders_left":
      "Holders of a tessera not asked because there were too many",
    "care.losses": "Fragments found to be kept by a holder no more",
    "care.lost":
      "Tesseras of which fewer fragments are left anywhere than it takes",
    "repair.failed": "Repairs that came to nothing",
    "repair.nobody":
      "Repairs put off because there was nobody to take anything",
    "repair.put_off":
      "Repairs left to the next in turn because too many waited here",
    "repair.own_unreadable":
      "Fragments on this disk that a repair could not use",
    "fragment.refused_deficit":
      "Fragments refused because their sender owes as much as it may",
    "fragment.repair_unseen":
      "Fragments charged to their sender although it said that it repairs: nothing showed that it does",
    "fragment.repair_misfit":
      "Fragments refused because who sent them as a holder could not show to be one",
    "publish.misfit":
      "Holders that signed for something else than what they were sent",
    "fetch.plans_left":
      "Plans of a tessera not tried because there were too many",
    "fetch.plan_failed": "Plans of a tessera that did not lead to it",
    "fetch.plan_refused":
      "Plans refused because they were forged, unreadable or of another tessera",
    "fetch.fragment_failed":
      "Fragments that did not arrive whole from a holder that promised them",
    "fetch.holder_dropped": "Holders no longer asked during a fetch",
    "attest.misfit":
      "Words of holders on what they keep that were forged, stale, unreadable or about something else",
    "audit.failed":
      "Audits of holders that had not the fragment they signed for",
    "audit.admitted":
      "Audits of holders that said that they have the fragment no more",
    "audit.unanswered": "Audits of holders that proved nothing, in either way",
    "tombstone.forged":
      "Tombstones refused because somebody else signed what they would remove",
    "tombstone.unheard":
      "Holders that could not be told, or would not hear, of a tombstone of ours",
    "fetch.trickler_dropped":
      "Transfers given up because faster holders had what was needed",
  },
  /** This node's own trouble. */
  node: {
    "punch.failed": "Punches that no packet came through",
    "relayed.failed": "Dials through relays that did not connect",
    "peers.save_failed": "Times the known peers could not be written down",
    "directory.unwritten":
      "Rounds in which the directory did not take the peers heard of",
    "directory.unread":
      "Times the directory could not be read to make its page",
    "directory.unavailable":
      "Readers of the directory page told to come back because there was none",
    "directory.failed":
      "Readers of the directory page that met an error nobody foresaw",
    "tombstone.round_failed": "Times telling holders of tombstones broke off",
    "archive.cleanup_failed":
      "Unfinished imports whose files could not be removed",
    "sweep.failed": "Sweeps for bytes nobody needs that broke off",
    "relay.quotas_unread":
      "Times the quotas that relays share could not be asked or told, and the relay's own alone held",
    "relay.end_unheard":
      "Peers that could not be told of the end of a relayed session",
    "relay.volume_unwritten":
      "Times the volume of the month could not be written down",
    "control.accept_failed": "Connections of tes that could not be taken",
    "control.refused": "Connections of tes refused because too many were open",
    "control.events_dropped":
      "Progress events not sent because tes did not read them",
    "control.unsent": "Answers to tes that could not be sent",
  },
} as const;

/** Where an operator looks for what was dropped. */
export type DropGroup = keyof typeof DROPS;

/** The groups in the order they are shown. */
export const DROP_GROUPS = [
  "admission",
  "lookups",
  "records",
  "fragments",
  "node",
] as const satisfies readonly DropGroup[];

type NamesOf<T> = T extends unknown ? keyof T & string : never;

/** The name of a counter. */
export type CounterName =
  | NamesOf<typeof DROPS[DropGroup]>
  | keyof typeof EVENTS;

/** A {@link CounterName}, or for any other name a type that says in the compiler's message what to do about it. */
export type Listed<Name extends string> = Name extends CounterName ? Name
  : `add a line for ${Name} to lib/core/counter_names.ts`;

/** The sentence of each counter, sorted by name. */
export const COUNTER_HELP: ReadonlyMap<string, string> = new Map(
  [...Object.values(DROPS), EVENTS].flatMap((lines) => Object.entries(lines))
    .sort(([a], [b]) => a < b ? -1 : 1),
);
