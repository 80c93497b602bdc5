/** Where a node that is alone learns of peers: its own past, its configuration, DNS, directory pages, the local network. */
import {
  type Address,
  codeOf,
  keyOf,
  mapBounded,
  messageOf,
  type NodeId,
  shuffled,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { SOURCE_PEERS_MAX } from "@tesseras/core/limits";
import { readDirectoryPage } from "@tesseras/directory";
import { type Entry, type Node, savedPeers } from "@tesseras/node";
import type { State } from "@tesseras/state";
import type { NodeRecord } from "@tesseras/wire";
import { type FindTexts, readPeerTexts } from "./dns_texts.ts";
import {
  type ConfiguredPeer,
  type FindAddresses,
  resolvePeers,
} from "./entries.ts";

/** The sources in their order (PROTOCOL.md 7). */
export const SOURCE_NAMES = [
  "saved",
  "configured",
  "dns",
  "directory",
  "mdns",
] as const;
/** One of {@link SOURCE_NAMES}. */
export type SourceName = typeof SOURCE_NAMES[number];

/** A way to learn of peers. */
export type Source = {
  readonly name: SourceName;
  /** Whether it is tried at once, or only when those before have not let us in. */
  readonly isAtHand: boolean;
  /** Peers it knows now, maybe none. */
  readonly entries: (signal: AbortSignal) => Promise<readonly Entry[]>;
};

/** A peer that somebody on the local network says it is. */
export type LocalPeer = { readonly id: NodeId; readonly address: Address };

/** What the sources are made of. */
export type SourceParts = {
  readonly node: Node;
  readonly state: State;
  /** Configured peers. */
  readonly texts: readonly string[];
  readonly find: FindAddresses;
  /** The domain whose TXT records name peers, and who looks it up. */
  readonly dns?:
    | { readonly domain: string; readonly findTexts: FindTexts }
    | undefined;
  /** Bases of directories, and who reads their pages, each within a bound. */
  readonly directories?: {
    readonly urls: readonly string[];
    readonly read: (url: string, signal: AbortSignal) => Promise<Uint8Array>;
  };
  /** Asks who else is on the local network. */
  readonly findLocal?:
    | ((signal: AbortSignal) => Promise<readonly LocalPeer[]>)
    | undefined;
};

/** Peers of an earlier life that are tried: the latest seen. */
const SAVED_TRIED_MAX = 16;
/** Peers of one list that are tried at a time, by chance: a list is the same for everybody. */
const LISTED_TRIED_MAX = 16;
/** Peers greeted at once. */
const GREETED_PARALLEL = 4;
/** Directories read at once. */
const DIRECTORIES_PARALLEL = 3;
/** How long one directory may take. */
const DIRECTORY_MS = 5_000;
/** How long the TXT records of a domain may take. */
const DNS_MS = 5_000;

/** The sources a node has, in order. */
export function sourcesOf(parts: SourceParts): readonly Source[] {
  const { node, texts, dns, directories, findLocal } = parts;
  const sources: Source[] = [{
    name: "saved",
    isAtHand: true,
    entries: (signal) => savedEntries(parts, signal),
  }];
  if (texts.length > 0) {
    sources.push({
      name: "configured",
      isAtHand: true,
      entries: (signal) => entriesOf(parts, texts, signal),
    });
  }
  if (dns !== undefined) {
    sources.push({
      name: "dns",
      isAtHand: false,
      entries: (signal) => dnsEntries(parts, dns, signal),
    });
  }
  if (directories !== undefined && directories.urls.length > 0) {
    sources.push({
      name: "directory",
      isAtHand: false,
      entries: (signal) => directoryEntries(node, directories, signal),
    });
  }
  if (findLocal !== undefined) {
    sources.push({
      name: "mdns",
      isAtHand: false,
      entries: async (signal) =>
        await greetAll(
          node,
          (await findLocal(signal)).map(({ id, address }) => ({
            id,
            address,
            text: `${toHex(id)} on the local network`,
          })),
          signal,
        ),
    });
  }
  return sources;
}

async function savedEntries(
  { node, state, texts }: SourceParts,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const saved = await savedPeers(node, state, signal);
  // A pinned peer is asked where it is configured: a dial to where it was once would be the only one to it meanwhile.
  const elsewhere = new Set(texts.flatMap((text) => pinnedId(text) ?? []));
  elsewhere.add(keyOf(node.id));
  return saved.filter(({ id }) => !elsewhere.has(keyOf(id)))
    .slice(0, SAVED_TRIED_MAX);
}

function pinnedId(text: string): string | undefined {
  return /^([0-9a-f]{40})@/i.exec(text)?.[1]?.toLowerCase();
}

/** From texts to peers: names are resolved, pinned peers greeted. @throws `unreachable` when none could be found */
async function entriesOf(
  { node, find }: SourceParts,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const peers = await resolvePeers(texts, node.runtime, find, signal);
  const bare = peers.filter(({ id }) => id === undefined)
    .map(({ address }) => address);
  const pinned = peers.filter(({ id }) => id !== undefined);
  const entries = [...bare, ...await greetAll(node, pinned, signal)];
  if (entries.length > 0) return entries;
  throw new TesserasError(
    "unreachable",
    `none of ${texts.length} peers could be found`,
  );
}

async function dnsEntries(
  parts: SourceParts,
  { domain, findTexts }: NonNullable<SourceParts["dns"]>,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const { clock, counters, random } = parts.node.runtime;
  using deadline = clock.deadline(DNS_MS, signal);
  const records = await findTexts(domain, deadline.signal);
  const { peers, refusedCount } = readPeerTexts(records);
  counters.add("source.dns_refused", refusedCount);
  if (peers.length === 0) {
    throw new TesserasError("absent", `${domain} names no peers`);
  }
  const tried = shuffled(peers, random).slice(0, LISTED_TRIED_MAX);
  const entries = await entriesOf(parts, tried, signal);
  // A name may have many addresses, of anybody.
  return entries.slice(0, SOURCE_PEERS_MAX);
}

async function directoryEntries(
  node: Node,
  { urls, read }: NonNullable<SourceParts["directories"]>,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const { clock, counters, random } = node.runtime;
  const reasons: string[] = [];
  const records = new Map<string, NodeRecord>();
  await mapBounded(urls, DIRECTORIES_PARALLEL, async (url, laneSignal) => {
    try {
      using deadline = clock.deadline(DIRECTORY_MS, laneSignal);
      const page = readDirectoryPage(await read(url, deadline.signal));
      counters.add("source.directory_refused", page.refusedCount);
      for (const bytes of page.records) {
        const record = readRecord(node, bytes);
        if (record !== undefined) records.set(keyOf(record.id), record);
      }
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) === undefined) throw error;
      reasons.push(`${url}: ${messageOf(error)}`);
    }
  }, signal);
  records.delete(keyOf(node.id));
  if (records.size === 0 && reasons.length > 0) {
    throw new TesserasError("unreachable", reasons.join("; "));
  }
  return shuffled([...records.values()], random).slice(0, LISTED_TRIED_MAX);
}

/** A record of a directory page, `undefined` and counted when it does not hold: the page may be a liar's, or old. */
function readRecord(node: Node, bytes: Uint8Array): NodeRecord | undefined {
  try {
    return node.records.node(bytes, node.runtime.clock.nowMs());
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    node.runtime.counters.add("source.directory_refused");
    return undefined;
  }
}

/** The records of those who are who they were said to be; several addresses of one name lead to one peer. */
async function greetAll(
  node: Node,
  peers: readonly ConfiguredPeer[],
  signal: AbortSignal,
): Promise<readonly NodeRecord[]> {
  const greeted = await mapBounded(
    peers.slice(0, SOURCE_PEERS_MAX),
    GREETED_PARALLEL,
    (peer, laneSignal) => greet(node, peer, laneSignal),
    signal,
  );
  const records = new Map<string, NodeRecord>();
  for (const record of greeted) {
    if (record !== undefined) records.set(keyOf(record.id), record);
  }
  return [...records.values()];
}

/** The record of a peer whose id was given; `undefined`, and a line in the log, when somebody else or nobody answers. */
async function greet(
  node: Node,
  { address, id, text }: ConfiguredPeer,
  signal: AbortSignal,
): Promise<NodeRecord | undefined> {
  try {
    const record = await node.peers.firstContact(address, signal);
    if (id === undefined || keyOf(record.id) === keyOf(id)) return record;
    throw new TesserasError(
      "forged",
      `Cannot trust ${text}: ${toHex(record.id)} answers there`,
    );
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.log.warn("bootstrap.refused", { reason: messageOf(error) });
    return undefined;
  }
}
