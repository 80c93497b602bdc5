/** One node as a process: identity, disk, database, network, roles, control socket and health pages, opened in order and closed in reverse. */
import { networkInterfaces } from "node:os";
import { pathToFileURL } from "node:url";
import { Archive } from "@tesseras/archive";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { type Blobs, ReadCache } from "@tesseras/blobs";
import {
  type Address,
  canonicalIp,
  formatAddress,
  messageOf,
  parseAddress,
  type Runtime,
  throwIfAborted,
} from "@tesseras/core";
import { ADDRESSES_MAX } from "@tesseras/core/limits";
import type { MlDsaSuite, NodeSigner } from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import type { Directory } from "@tesseras/directory";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { Node, type Role, savePeers } from "@tesseras/node";
import { bootstrapRole, dhtRole, storeRole } from "@tesseras/roles";
import type { State } from "@tesseras/state";
import { openLibsqlState } from "@tesseras/state/libsql";
import { startCaring } from "./caring.ts";
import { type Config, listenAddress } from "./config.ts";
import { serveControl } from "./control.ts";
import { controlHandlers } from "./daemon_calls.ts";
import { lockDataDir } from "./data_lock.ts";
import { openDirectory, serveDirectory } from "./directory_server.ts";
import { type Gauge, serveHealth } from "./http.ts";
import { loadOrMintNode } from "./identities.ts";
import { type DataPaths, dataPaths } from "./paths.ts";
import { watchPresence } from "./presence.ts";
import { makePrivateFolder } from "./secret_files.ts";

/** What a process may offer. `bootstrap` marks an entry, `dht` keeps pointers, `store` keeps fragments. */
export const ROLE_NAMES = ["bootstrap", "dht", "store"] as const;
/** One of {@link ROLE_NAMES}. */
export type RoleName = typeof ROLE_NAMES[number];

/** What makes a process. */
export type DaemonOptions = {
  readonly name: string;
  readonly config: Config;
  /** Absolute. */
  readonly dataDir: string;
  readonly roles: readonly RoleName[];
};

/** A running node with everything around it. Disposing it finishes calls under way, writes its peers down and closes everything. */
export type Daemon = AsyncDisposable & {
  readonly node: Node;
  readonly paths: DataPaths;
  /** Where QUIC listens. */
  readonly listening: Address;
  readonly health: Address | undefined;
  /** Where the directory page is served. */
  readonly directory: Address | undefined;
  /** Resolves when a network is joined, or at once for a seed without entries. */
  readonly joined: Promise<void>;
  /** Resolves with what broke; pending while all is well. */
  readonly failed: Promise<unknown>;
};

const never: AbortSignal = new AbortController().signal;
/** How long requests of peers may go on when the node stops. */
const QUIET_MS = 1_000;
/** How often it is looked whether they have ended. */
const QUIET_LOOK_MS = 25;

/**
 * Starts a node. The signal stops the start; what runs is stopped by disposing it.
 *
 * @throws `inUse` when its port or data directory is taken; `unusable` for an identity, disk or address it cannot use
 */
export async function startDaemon(
  options: DaemonOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Daemon> {
  const { config } = options;
  const paths = dataPaths(options.dataDir);
  await using stack = new AsyncDisposableStack();
  const { identity, ...kept } = await openKept(
    { ...options, paths, stack, runtime },
    signal,
  );
  const { node, listening } = await openNode(
    options,
    { ...kept, identity, runtime },
    signal,
  );
  stack.use(node);
  stack.defer(() => savePeers(node, kept.state, never));
  stack.defer(() => untilQuiet(node));
  const presence = watchPresence({ ...kept, node, config, listening });
  const archive = new Archive({ ...kept, runtime });
  const startedMs = runtime.clock.monotonicMs();
  const parts = { ...options, ...kept, node, archive, startedMs };
  const caring = startCaring(parts, options.roles.includes("store"));
  const control = await serveControl(
    paths,
    controlHandlers({ ...parts, ...caring }),
    runtime,
    never,
  );
  stack.use(control);
  let problem: string | undefined;
  const failed = node.failed.then((error) => {
    problem = messageOf(error);
    return error;
  });
  const health = openHealth(config, node, {
    problem: () => problem,
    ready: presence.isJoined,
  });
  stack.use(health);
  const page = kept.directory &&
    serveDirectory(config, kept.directory, runtime);
  stack.use(page);
  throwIfAborted(signal);
  const open = stack.move();
  return {
    node,
    paths,
    listening,
    health: health?.address,
    directory: page?.address,
    joined: presence.joined,
    failed,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Opens what outlives the process, and hands it to the stack in that order. */
async function openKept(
  { config, roles, paths, stack, runtime }: DaemonOptions & {
    readonly paths: DataPaths;
    readonly stack: AsyncDisposableStack;
    readonly runtime: Runtime;
  },
  signal: AbortSignal,
): Promise<Kept & { readonly identity: NodeSigner }> {
  await makePrivateFolder(paths.dataDir);
  stack.use(await lockDataDir(paths.lock));
  const { pow_bits } = config.node;
  const identity = await loadOrMintNode(paths, pow_bits, runtime, signal);
  const disk = await openDiskBlobs(paths.blobs, signal);
  const blobs = stack.use(new ReadCache(disk, runtime.counters));
  const url = pathToFileURL(paths.database).href;
  // A mere entry writes its peers down now and then: a thread for that is 15 MB that a small machine lacks.
  const worker = roles.some((role) => role !== "bootstrap");
  const state = stack.use(await openLibsqlState({ url, worker }, signal));
  const directory = roles.includes("bootstrap")
    ? stack.use(await openDirectory(config, paths, runtime, signal))
    : undefined;
  const suite = await nativeMlDsa();
  return { identity, blobs, state, suite, directory };
}

/** Lets requests under way end before their connections are closed; whoever keeps asking is not waited for. */
async function untilQuiet(node: Node): Promise<void> {
  const { clock } = node.runtime;
  const endMs = clock.monotonicMs() + QUIET_MS;
  while (
    clock.monotonicMs() < endMs &&
    node.peers.sessions().some(({ busyCount }) => busyCount > 0)
  ) await clock.sleep(QUIET_LOOK_MS, never);
}

type Kept = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  /** Of a node that plays the bootstrap role. */
  readonly directory: Directory | undefined;
};

async function openNode(
  { config, roles }: DaemonOptions,
  parts: Kept & { readonly identity: NodeSigner; readonly runtime: Runtime },
  signal: AbortSignal,
): Promise<{ readonly node: Node; readonly listening: Address }> {
  const { identity, runtime } = parts;
  const local = !config.network.subnet_diversity;
  const admission = new Admission({ exemptPrivateIps: local }, runtime);
  await using unopened = new AsyncDisposableStack();
  const transport = unopened.use(
    await openQuic(
      {
        identity,
        listen: listenAddress(config),
        admit: (remote) => admission.admit(remote),
        network: config.network.name,
      },
      runtime,
      signal,
    ),
  );
  const node = Node.open(
    {
      identity,
      transport,
      admission,
      addresses: advertised(config, transport.local),
      powBits: config.node.pow_bits,
      lookupParallel: config.dht.alpha,
      bucketPeersMax: config.dht.k,
      failuresMax: config.dht.ping_failure_threshold,
      ...(!local && { subnetPeersMax: { bucket: 2, table: 10 } }),
    },
    (made) => roles.map((name) => buildRole(name, made, config, parts)),
    runtime,
  );
  // The node owns its transport from here on.
  unopened.move();
  return { node, listening: transport.local };
}

function buildRole(
  name: RoleName,
  node: Node,
  { dht, network, replication }: Config,
  kept: Kept,
): Role {
  switch (name) {
    case "bootstrap":
      return bootstrapRole(node, {
        directory: kept.directory,
        isLocal: !network.subnet_diversity,
      });
    case "dht":
      return dhtRole(node, {
        state: kept.state,
        pointersMax: dht.max_stored_pointers,
      });
    case "store":
      return storeRole(node, {
        ...kept,
        freeSpaceMin: replication.min_free_space_bytes,
        perPeerMax: replication.per_peer_limit_bytes,
        deficitMax: replication.deficit_allowance_bytes,
        storeMax: replication.max_store_bytes || Infinity,
        announceMs: dht.republish_interval_secs * 1000,
        pointerTtlMs: dht.pointer_ttl_secs * 1000,
      });
  }
}

/** Where others may reach us: as configured, else where we listen, every interface spelt out. */
function advertised(config: Config, local: Address): readonly Address[] {
  if (config.node.advertise_addrs.length > 0) {
    return config.node.advertise_addrs.map(parseAddress);
  }
  const unspecified = local.ip === "0.0.0.0" || local.ip === "::";
  if (!unspecified) return [local];
  const ips = Object.values(networkInterfaces()).flat()
    .filter((one) => one !== undefined && !one.internal)
    .map((one) => canonicalIp(one!.address))
    .filter((ip) => ip !== undefined && !ip.startsWith("fe80:"));
  const family = local.ip === "0.0.0.0"
    ? ips.filter((ip) => !ip!.includes(":"))
    : ips;
  const reachable = family.length > 0 ? family : ["127.0.0.1"];
  return reachable.slice(0, ADDRESSES_MAX).map((ip) => ({
    ip: ip!,
    port: local.port,
  }));
}

function openHealth(
  config: Config,
  node: Node,
  { problem, ready }: {
    readonly problem: () => string | undefined;
    readonly ready: () => boolean;
  },
): (AsyncDisposable & { readonly address: Address }) | undefined {
  const text = config.observability.metrics_addr;
  if (text === "") return undefined;
  const server = serveHealth(parseAddress(text), {
    problem,
    ready,
    gauges: () => gaugesOf(node),
    counters: () => node.runtime.counters.snapshot(),
  }, node.runtime);
  node.runtime.log.info("health.listening", {
    address: formatAddress(server.address),
  });
  return server;
}

function gaugesOf(node: Node): readonly Gauge[] {
  return [
    {
      name: "tesseras_peers_known",
      help: "Peers in the routing table",
      value: node.table.size,
    },
    {
      name: "tesseras_sessions_open",
      help: "Open connections to peers",
      value: node.peers.sessions().length,
    },
    {
      name: "tesseras_resident_memory_bytes",
      help: "Resident memory of the process",
      value: Deno.memoryUsage().rss,
    },
  ];
}
