/** The directory page of this process: where its entries lie, who may say who a caller is, and its listener. */
import {
  canonicalIp,
  formatAddress,
  hostNetworkOf,
  messageOf,
  parseAddress,
  type Runtime,
  throwIfAborted,
} from "@tesseras/core";
import { type Directory, MemoryDirectory } from "@tesseras/directory";
import { openKvDirectory } from "@tesseras/directory/kv";
import { type Caller, directoryPage } from "@tesseras/directory/page";
import type { Config } from "./config.ts";
import { type PageServer, servePages } from "./pages.ts";
import type { DataPaths } from "./paths.ts";

/** Proxies in a row that are looked through. */
const PROXIES_MAX = 8;

/**
 * Opens the directory where the configuration says. One that cannot be opened is logged, and memory takes its place: what
 * is in it comes back by itself, and a node must let others in meanwhile.
 *
 * @throws the signal's error
 */
export async function openDirectory(
  { bootstrap }: Config,
  paths: DataPaths,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Directory> {
  const { clock, random, log } = runtime;
  const target = bootstrap.directory_kv || paths.directory;
  try {
    return await openKvDirectory(target, { clock, random }, signal);
  } catch (error) {
    throwIfAborted(signal);
    log.warn("directory.in_memory", { reason: messageOf(error) });
    return new MemoryDirectory({ nowMs: () => clock.nowMs(), random });
  }
}

/**
 * Serves the directory page, unless the configuration says nowhere.
 *
 * @throws as {@link servePages}
 */
export function serveDirectory(
  { bootstrap, network, node }: Config,
  directory: Directory,
  { clock, random, counters, log }: Runtime,
): PageServer | undefined {
  if (bootstrap.directory_addr === "") return undefined;
  const page = directoryPage({
    directory,
    clock,
    random,
    powBits: node.pow_bits,
    isLocal: !network.subnet_diversity,
    count: (event) => counters.add(event),
  });
  const proxies = new Set(
    bootstrap.trusted_proxies.map((ip) => canonicalIp(ip)!),
  );
  const server = servePages({
    address: parseAddress(bootstrap.directory_addr),
    what: "the directory",
    setting: "[bootstrap] directory_addr",
    handler(request, remote) {
      const forwarded = request.headers.get("x-forwarded-for");
      const caller = callerOf(remote, forwarded, proxies);
      return page.fetch(request, caller && { caller });
    },
  }, { clock, counters });
  log.info("directory.listening", { address: formatAddress(server.address) });
  return server;
}

/**
 * Who asks: the other end of the connection, or whom a trusted proxy at that end speaks for. A header of anybody else is not
 * looked at, for it says what its sender likes.
 */
export function callerOf(
  remote: string,
  forwarded: string | null,
  proxies: ReadonlySet<string>,
): Caller | undefined {
  const hops = (forwarded ?? "").split(",").slice(-PROXIES_MAX)
    .map((hop) => hop.trim());
  let ip = canonicalIp(remote);
  while (ip !== undefined && proxies.has(ip) && hops.length > 0) {
    const before = canonicalIp(hops.pop()!);
    if (before === undefined) break;
    ip = before;
  }
  return ip === undefined ? undefined : { ip, network: hostNetworkOf(ip) };
}
