/** From what a person configured as a way in to addresses that can be dialled. */
import { lookup } from "node:dns/promises";
import {
  type Address,
  canonicalIp,
  codeOf,
  mapBounded,
  messageOf,
  type NodeId,
  orAbort,
  parseNodeId,
  type Runtime,
  splitHostPort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";

/** A configured peer: an address, and the id that must answer there when it was given. */
export type ConfiguredPeer = {
  readonly address: Address;
  readonly id: NodeId | undefined;
  /** As it was written. */
  readonly text: string;
};

/** At most so many addresses of one name are tried: both families of a few machines. */
const ADDRESSES_PER_NAME_MAX = 8;

/** Names looked up at once. */
const LOOKUPS_PARALLEL = 4;
/** How long one name may take; a resolver that is gone holds it for longer. */
const LOOKUP_MS = 10_000;

/** Finds the addresses of a name, of both families. */
export type FindAddresses = (
  host: string,
  signal: AbortSignal,
) => Promise<readonly string[]>;

/** Resolves every entry; those that cannot be are logged and left out, for names come back. */
export async function resolvePeers(
  texts: readonly string[],
  { log, clock }: Runtime,
  find: FindAddresses,
  signal: AbortSignal,
): Promise<readonly ConfiguredPeer[]> {
  const resolve = async (
    text: string,
    laneSignal: AbortSignal,
  ): Promise<readonly ConfiguredPeer[]> => {
    try {
      using deadline = clock.deadline(LOOKUP_MS, laneSignal);
      return await resolvePeer(text, find, deadline.signal);
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) === undefined) throw error;
      log.warn("bootstrap.unresolved", {
        peer: text,
        reason: messageOf(error),
      });
      return [];
    }
  };
  const resolved = await mapBounded(texts, LOOKUPS_PARALLEL, resolve, signal);
  return resolved.flat();
}

/**
 * `host:port`, `[ipv6]:port` or either after `id@`.
 *
 * @throws `malformed` for anything else, `unreachable` when a name has no address, or the signal's error
 */
export async function resolvePeer(
  text: string,
  find: FindAddresses,
  signal: AbortSignal,
): Promise<readonly ConfiguredPeer[]> {
  const at = text.indexOf("@");
  const id = at < 0 ? undefined : parseNodeId(text.slice(0, at));
  const { host, port } = splitHostPort(text.slice(at + 1));
  const ip = canonicalIp(host);
  const ips = ip === undefined ? await addressesOf(host, find, signal) : [ip];
  return ips.map((one) => ({ address: { ip: one, port }, id, text }));
}

async function addressesOf(
  host: string,
  find: FindAddresses,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await find(host, signal);
  const ips = found.map(canonicalIp).filter((ip) => ip !== undefined);
  const distinct = [...new Set(ips)].slice(0, ADDRESSES_PER_NAME_MAX);
  if (distinct.length > 0) return distinct;
  throw new TesserasError(
    "unreachable",
    `Cannot find the address of ${host}: it has none`,
  );
}

/** Asks the system's resolver. @throws `unreachable` when it does not know the name, or the signal's error */
export async function systemAddresses(
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const found = await orAbort(lookup(host, { all: true }), signal);
    return found.map(({ address }) => address);
  } catch (cause) {
    throwIfAborted(signal);
    throw new TesserasError(
      "unreachable",
      `Cannot find the address of ${host}: ${messageOf(cause)}`,
      { cause },
    );
  }
}
