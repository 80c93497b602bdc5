/** One node as a process: identity, disk, database, network, roles, control socket and health pages, opened in order and closed in reverse. */
import { Archive } from "@tesseras/archive";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { type Blobs, ReadCache } from "@tesseras/blobs";
import {
  type Address,
  assert,
  formatAddress,
  messageOf,
  parseAddress,
  type Runtime,
  throwIfAborted,
} from "@tesseras/core";
import type { MlDsaSuite, NodeSigner } from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import type { Directory } from "@tesseras/directory";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { type Gauge, Node, type Role, savePeers } from "@tesseras/node";
import { bootstrapRole, dhtRole, relayRole, storeRole } from "@tesseras/roles";
import type { State } from "@tesseras/state";
import { startCaring } from "./caring.ts";
import { type Config, listenAddress } from "./config.ts";
import { serveControl } from "./control.ts";
import { controlHandlers } from "./daemon_calls.ts";
import { lockDataDir } from "./data_lock.ts";
import { openDirectory, serveDirectory } from "./directory_server.ts";
import { serveHealth } from "./http.ts";
import { loadOrMintNode } from "./identities.ts";
import { type DataPaths, dataPaths } from "./paths.ts";
import { watchPresence } from "./presence.ts";
import { openRelaying, type Relaying } from "./relaying.ts";
import { placeOf } from "./place.ts";
import { makePrivateFolder } from "./secret_files.ts";
import { openState } from "./state_place.ts";

/** What a process may offer. `bootstrap` marks an entry, `dht` keeps pointers, `store` keeps fragments, `relay` forwards packets. */
export const ROLE_NAMES = ["bootstrap", "dht", "store", "relay"] as const;
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
  asked: DaemonOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Daemon> {
  const { config } = asked;
  const options = { ...asked, roles: rolesOf(asked) };
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
  const failed = Promise.race([node.failed, kept.lost]).then((error) => {
    problem = messageOf(error);
    return error;
  });
  const draining = drainOf(node);
  const health = stack.use(openHealth(config, node, {
    problem: () => problem,
    ready: () => presence.isJoined() && !draining.hasBegun(),
  }));
  const page = kept.directory &&
    serveDirectory(config, kept.directory, runtime);
  stack.use(page);
  stack.defer(draining.begin);
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
  // A mere entry writes its peers down now and then: a thread for that is 15 MB that a small machine lacks.
  const worker = roles.some((role) => role !== "bootstrap");
  const place = { config, paths, node: identity.id, worker };
  const { state, lost } = await openState(place, signal);
  stack.use(state);
  const directory = roles.includes("bootstrap")
    ? stack.use(await openDirectory(config, paths, runtime, signal))
    : undefined;
  const relaying = roles.includes("relay")
    ? stack.use(await openRelaying(config, state, runtime, signal))
    : undefined;
  const suite = await nativeMlDsa();
  return { identity, blobs, state, lost, suite, directory, relaying };
}

/** What a program offers, and what its configuration adds to that. */
function rolesOf({ roles, config }: DaemonOptions): readonly RoleName[] {
  const { relay_enabled } = config.nat;
  return relay_enabled ? [...new Set([...roles, "relay" as const])] : roles;
}

/** Has roles let go of what others rely on, while everything still works and nobody is sent here any more. */
function drainOf(node: Node) {
  let hasBegun = false;
  return {
    hasBegun: () => hasBegun,
    async begin(): Promise<void> {
      hasBegun = true;
      await Promise.all(node.roles.map((role) => role.drain?.(never)));
    },
  };
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
  /** Resolves when the state is somebody else's. */
  readonly lost: Promise<unknown>;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  /** Of a node that plays the bootstrap role. */
  readonly directory: Directory | undefined;
  /** Of a node that plays the relay role. */
  readonly relaying: Relaying | undefined;
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
      ...placeOf(config, transport.local),
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
    case "relay":
      assert(kept.relaying, "a relay has its sockets");
      return relayRole(node, kept.relaying);
  }
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
    ...node.roles.flatMap((role) => role.gauges?.() ?? []),
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
      name: "tesseras_nat_type",
      help:
        "What stands between this node and the others: 0 not known, 1 nothing, 2 a NAT with one port for all, 3 one with a port for each peer",
      value: ["unknown", "public", "cone", "symmetric"]
        .indexOf(node.outlook?.kind ?? "unknown"),
    },
    {
      name: "tesseras_resident_memory_bytes",
      help: "Resident memory of the process",
      value: Deno.memoryUsage().rss,
    },
  ];
}
