/** Keeping a node in its network: the sources its configuration names, joining, and what it learns written down. */
import { type Address, parseAddress } from "@tesseras/core";
import { type Node, refreshForever, savePeersForever } from "@tesseras/node";
import type { State } from "@tesseras/state";
import type { Config } from "./config.ts";
import { fetchDirectoryPage } from "./directory_client.ts";
import { dnsTexts } from "./dns_texts.ts";
import { systemAddresses } from "./entries.ts";
import { stayJoined } from "./joining.ts";
import type { Mdns } from "./mdns.ts";
import { type Source, sourcesOf } from "./sources.ts";

/** Whether a node has company. */
export type Presence = {
  /** Resolves when a network is joined, or at once for a seed without entries. */
  readonly joined: Promise<void>;
  readonly isJoined: () => boolean;
};

/** What a presence is made of. */
export type PresenceParts = {
  readonly node: Node;
  readonly state: State;
  readonly config: Config;
  /** Where QUIC listens. */
  readonly listening: Address;
};

/** Keeps the node in its network and its table fresh, for as long as it runs. */
export function watchPresence(parts: PresenceParts): Presence {
  const { node, state, config } = parts;
  const { promise: joined, resolve } = Promise.withResolvers<void>();
  let isJoined = false;
  const onPresence = (now: boolean): void => {
    isJoined = now;
    if (now) resolve();
  };
  node.spawn(async (signal) => {
    await using mdns = await localNetwork(parts, signal);
    const sources = configuredSources(parts, mdns);
    const isSeed = isSeedBy(config);
    await stayJoined({ node, sources, isSeed }, onPresence, signal);
  });
  const refreshMs = config.dht.bucket_refresh_interval_secs * 1000;
  node.spawn((signal) => refreshForever(node, refreshMs, signal));
  node.spawn((signal) => savePeersForever(node, state, signal));
  return { joined, isJoined: () => isJoined };
}

/** The first node of a network is told of nobody. Company on the local network is welcome to it, and not needed. */
function isSeedBy({ bootstrap }: Config): boolean {
  const { hardcoded, dns_domain, directories } = bootstrap;
  return hardcoded.length === 0 && dns_domain === "" &&
    directories.length === 0;
}

async function localNetwork(
  { node, config, listening }: PresenceParts,
  signal: AbortSignal,
): Promise<Mdns | undefined> {
  const { name, enable_mdns, mdns_interfaces: interfaces } = config.network;
  if (!enable_mdns) return undefined;
  // Loaded by whoever uses it: a megabyte that a node without does not need.
  const { openMdns } = await import("./mdns.ts");
  const { id, runtime } = node;
  const options = { id, network: name, listening, interfaces };
  return await openMdns(options, runtime, signal);
}

function configuredSources(
  { node, state, config }: PresenceParts,
  mdns: Mdns | undefined,
): readonly Source[] {
  const { hardcoded, dns_domain, dns_server, directories } = config.bootstrap;
  const server = dns_server === "" ? undefined : parseAddress(dns_server);
  return sourcesOf({
    node,
    state,
    texts: hardcoded,
    find: systemAddresses,
    dns: dns_domain === ""
      ? undefined
      : { domain: dns_domain, findTexts: dnsTexts(server) },
    directories: { urls: directories, read: fetchDirectoryPage },
    findLocal: mdns && ((signal) => mdns.find(signal)),
  });
}
