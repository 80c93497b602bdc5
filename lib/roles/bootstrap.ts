/** The bootstrap role: an entry that newcomers are told about, and that tells them about a network wider than their neighbourhood. */
import {
  codeOf,
  equal,
  formatAddress,
  isPrivateIp,
  keyOf,
  messageOf,
  toHex,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  DIRECTORY_TTL_MS,
  INTRODUCED_MAX,
  INTRODUCED_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import {
  type Directory,
  type DirectoryEntry,
  sample,
} from "@tesseras/directory";
import { closer } from "@tesseras/kad";
import type { Reply } from "@tesseras/net";
import type { Node, Role } from "@tesseras/node";
import {
  CAPABILITIES,
  hasCapabilities,
  type NodeRecord,
  type Request,
} from "@tesseras/wire";

/** What the role works with. */
export type BootstrapOptions = {
  /** Where peers are noted for the directory page; none keeps no directory. */
  readonly directory?: Directory | undefined;
  /** Whether all peers are on one machine or network, where the rule of two per network has no meaning. */
  readonly isLocal?: boolean;
};

/** Peers from which newcomers are given some: several answers' worth, so that not all are sent to the same. */
const POOL_MAX = 256;
/** How long one pool serves: choosing it walks the whole table, and many may join at once. */
const POOL_MS = 5_000;
/** How often peers are noted in the directory, and how soon after the start. */
const NOTE_MS = 15_000;
const NOTE_FIRST_MS = 5_000;
/** Peers noted in one round, those heard of last first; who was not heard of since the round before is noted already. */
const NOTED_MAX = 1_000;

/** Builds the role. */
export function bootstrapRole(node: Node, options: BootstrapOptions): Role {
  const introductions = new Introductions(node, options);
  const { directory } = options;
  return {
    name: "bootstrap",
    capabilities: CAPABILITIES.BOOTSTRAP,
    handlers: {
      find_node: (from, request) =>
        Promise.resolve(introductions.answer(from, request)),
    },
    async run(signal) {
      if (directory === undefined) return;
      await noteForever(node, { ...options, directory }, signal);
    },
  };
}

/** A peer, and when it was last heard of. */
type Seen = { readonly contact: NodeRecord; readonly seenMs: number };

/** Whom newcomers are told of. */
class Introductions {
  readonly #node: Node;
  readonly #isLocal: boolean;
  #pool: readonly Seen[] = [];
  #pooledMs = -Infinity;

  constructor(node: Node, { isLocal = false }: BootstrapOptions) {
    this.#node = node;
    this.#isLocal = isLocal;
  }

  /** Who looks for itself is new here: it is told of its neighbours, and of some peers from all over the network. */
  answer(
    from: NodeRecord,
    { target, want }: Extract<Request, { readonly type: "find_node" }>,
  ): Reply {
    const nowMs = this.#node.runtime.clock.nowMs();
    const isNew = equal(from.id, target);
    const peers = this.#node.table.closest(target, BUCKET_PEERS_MAX + 1, want)
      .filter((peer) => !equal(peer.id, from.id) && peer.expiresAtMs > nowMs)
      .slice(0, BUCKET_PEERS_MAX);
    if (isNew) this.#node.runtime.counters.add("bootstrap.introduced");
    // A table that fits into one answer has nobody else to tell of.
    if (!isNew || peers.length < BUCKET_PEERS_MAX) return nodes(peers);
    const near = peers.slice(0, BUCKET_PEERS_MAX - INTRODUCED_MAX);
    const told = new Set(near.map(({ id }) => keyOf(id)));
    const others = this.#freshPool()
      .filter(({ contact }) =>
        contact.expiresAtMs > nowMs && !told.has(keyOf(contact.id)) &&
        !equal(contact.id, from.id) &&
        hasCapabilities(contact.capabilities, want)
      );
    const far = this.#choose(others, INTRODUCED_MAX);
    return nodes(
      [...near, ...far].sort((a, b) => closer(target, a.id, b.id)),
    );
  }

  #freshPool(): readonly Seen[] {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    if (nowMs - this.#pooledMs < POOL_MS) return this.#pool;
    const answering = [...this.#node.table.entries()]
      .filter(({ contact, failures }) =>
        failures === 0 && contact.addresses.length > 0
      );
    const seen = new Map(answering.map((one) => [one.contact, one.seenMs]));
    this.#pool = this.#choose(answering, POOL_MAX)
      .map((contact) => ({ contact, seenMs: seen.get(contact)! }));
    this.#pooledMs = nowMs;
    return this.#pool;
  }

  #choose(peers: readonly Seen[], count: number): NodeRecord[] {
    const { clock, random } = this.#node.runtime;
    const nowMs = clock.monotonicMs();
    const perSubnetMax = this.#isLocal ? undefined : INTRODUCED_PER_SUBNET_MAX;
    return sample(
      peers,
      ({ contact, seenMs }) => ({
        subnet: contact.subnet,
        offer: String(contact.capabilities),
        ageMs: nowMs - seenMs,
      }),
      { count, perSubnetMax },
      random,
    ).map(({ contact }) => contact);
  }
}

function nodes(peers: readonly NodeRecord[]): Reply {
  return {
    response: { type: "nodes", records: peers.map(({ bytes }) => bytes) },
  };
}

/** Writes whom we heard of into the directory, for ever. */
async function noteForever(
  node: Node,
  { directory, isLocal = false }: BootstrapOptions & {
    readonly directory: Directory;
  },
  signal: AbortSignal,
): Promise<void> {
  const { clock, counters, log } = node.runtime;
  let isFailing = false;
  let sinceMs = -Infinity;
  for (let waitMs = NOTE_FIRST_MS;; waitMs = NOTE_MS) {
    await clock.sleep(waitMs, signal);
    try {
      const nowMs = clock.monotonicMs();
      const entries = entriesOf(node, { isLocal, sinceMs });
      counters.add("directory.noted", await directory.put(entries, signal));
      sinceMs = nowMs;
      isFailing = false;
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      // A server that is away comes back; a node that stopped over it could not let anybody in.
      counters.add("directory.unwritten");
      if (!isFailing) {
        log.warn("directory.unwritten", { reason: messageOf(error) });
      }
      isFailing = true;
    }
  }
}

/** Ourselves and the peers heard of since then, as the directory keeps them. */
function entriesOf(
  node: Node,
  { isLocal, sinceMs }: {
    readonly isLocal: boolean;
    readonly sinceMs: number;
  },
): readonly DirectoryEntry[] {
  const { clock } = node.runtime;
  const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
  const heard = [...node.table.entries()].filter(({ failures, seenMs }) =>
    failures === 0 && seenMs >= sinceMs
  ).sort((a, b) => b.seenMs - a.seenMs).slice(0, NOTED_MAX);
  return [{ contact: node.record(), seenMs: monotonicMs }, ...heard]
    .filter(({ contact }) => isReachable(contact, isLocal))
    .map(({ contact, seenMs }) =>
      entryOf(contact, Math.floor(nowMs - (monotonicMs - seenMs)))
    )
    .filter(({ expiresAtMs }) => expiresAtMs > nowMs);
}

/** Whoever reads the page from elsewhere has no use for a peer that only has addresses of somebody's home network. */
function isReachable({ addresses }: NodeRecord, isLocal: boolean): boolean {
  return addresses.some(({ ip }) => isLocal || !isPrivateIp(ip));
}

function entryOf(contact: NodeRecord, seenMs: number): DirectoryEntry {
  return {
    id: toHex(contact.id),
    record: contact.bytes,
    addresses: contact.addresses.map(formatAddress),
    offers: Object.entries(CAPABILITIES)
      .filter(([, bit]) => hasCapabilities(contact.capabilities, bit))
      .map(([name]) => name),
    subnet: contact.subnet,
    seenMs,
    expiresAtMs: Math.min(contact.expiresAtMs, seenMs + DIRECTORY_TTL_MS),
  };
}
