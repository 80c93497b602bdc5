/** Peers in the TXT records of a domain (PROTOCOL.md 7.1). */
import {
  messageOf,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { type Address, parseNodeId, splitHostPort } from "@tesseras/core";
import { SOURCE_PEERS_MAX } from "@tesseras/core/limits";

/** Finds the TXT records of a domain, each as the strings it is made of. */
export type FindTexts = (
  domain: string,
  signal: AbortSignal,
) => Promise<readonly (readonly string[])[]>;

/** What TXT records say. */
export type PeerTexts = {
  /** `host:port` or `id@host:port`, each once. */
  readonly peers: readonly string[];
  /** Records and peers passed over: of another form, or beyond a bound. */
  readonly refusedCount: number;
};

/** The first word of a record that is ours. */
const VERSION = "v=tesseras1";
/** Records looked at. */
const RECORDS_MAX = 64;
/** Characters of one record: four peers with long names. */
const RECORD_LENGTH_MAX = 1_024;

/** Reads records: what is not of our form belongs to somebody else, and the words we do not know to newer versions. */
export function readPeerTexts(
  records: readonly (readonly string[])[],
): PeerTexts {
  const peers = new Set<string>();
  let refusedCount = Math.max(0, records.length - RECORDS_MAX);
  for (const strings of records.slice(0, RECORDS_MAX)) {
    const text = strings.join("");
    const [version, ...words] = text.split(" ").filter((word) => word !== "");
    if (version !== VERSION || text.length > RECORD_LENGTH_MAX) {
      refusedCount++;
      continue;
    }
    for (const word of words) {
      if (!word.startsWith("peer=")) continue;
      const peer = word.slice("peer=".length);
      if (isPeer(peer) && peers.size < SOURCE_PEERS_MAX) peers.add(peer);
      else refusedCount++;
    }
  }
  return { peers: [...peers], refusedCount };
}

function isPeer(text: string): boolean {
  const at = text.indexOf("@");
  try {
    if (at >= 0) parseNodeId(text.slice(0, at));
    return splitHostPort(text.slice(at + 1)).port > 0;
  } catch {
    return false; // counted by the caller, who passes over it
  }
}

/** Asks a DNS server, or the system's when none is given. */
export function dnsTexts(server: Address | undefined): FindTexts {
  const options = server === undefined
    ? {}
    : { nameServer: { ipAddr: server.ip, port: server.port } };
  return async (domain, signal) => {
    throwIfAborted(signal);
    const asked = new AbortController();
    try {
      const answer = Deno.resolveDns(domain, "TXT", {
        ...options,
        signal: asked.signal,
      });
      return await orAbort(answer, signal);
    } catch (cause) {
      asked.abort();
      throwIfAborted(signal);
      throw new TesserasError(
        "unreachable",
        `Cannot find the TXT records of ${domain}: ${messageOf(cause)}`,
        { cause },
      );
    }
  };
}
