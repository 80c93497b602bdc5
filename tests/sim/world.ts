/** A whole network in one process: real nodes, roles and archives on a seeded transport under a virtual clock. */
import { Archive, type FolderScan, type SourceFile } from "@tesseras/archive";
import { MemoryBlobs } from "@tesseras/blobs";
import {
  type Address,
  type Clock,
  Counters,
  RecordingLog,
  type Runtime,
  SeededRandom,
  type TesseraId,
  utf8,
  VirtualClock,
} from "@tesseras/core";
import { NODE_RECORD_TTL_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import {
  type CreatorKeys,
  creatorKeysFromSeed,
  mintNode,
  nobleMlDsa,
  type NodeSigner,
} from "@tesseras/crypto";
import { Admission, type Handler, Peers } from "@tesseras/net";
import { type SimNat, SimNetwork, type SimOptions } from "@tesseras/net/sim";
import { join, Node, type NodeOptions, type Role } from "@tesseras/node";
import {
  bootstrapRole,
  type DhtOptions,
  dhtRole,
  type StoreOptions,
  storeRole,
} from "@tesseras/roles";
import { MemoryState, type State } from "@tesseras/state";
import { kindOf, type Plan } from "@tesseras/tessera";
import { type NodeRecord, signNodeRecord } from "@tesseras/wire";

/** Never aborts. */
export const never = new AbortController().signal;

/** What a simulated node offers. */
export type SimRole = "bootstrap" | "dht" | "store";

/** A node with what it keeps. */
export type Inhabitant = {
  readonly node: Node;
  readonly address: Address;
  readonly state: State;
  readonly blobs: MemoryBlobs;
  readonly archive: Archive;
  readonly runtime: Runtime & { readonly log: RecordingLog };
};

/** Changes the roles of a node before it starts. */
export type ChangeRoles = (
  roles: readonly Role[],
  node: Node,
) => readonly Role[];

/** What a node may be given instead of what it gets by itself. */
export type AddOptions = {
  readonly change?: ChangeRoles;
  readonly identity?: NodeSigner;
  readonly address?: Address;
  /** The router it sits behind; the address is one inside then. */
  readonly nat?: SimNat;
  readonly state?: State;
  readonly blobs?: MemoryBlobs;
  /** Its own clock, which may go wrong; the network keeps the world's. */
  readonly clock?: Clock;
  readonly store?: Partial<StoreOptions>;
  readonly dht?: Partial<DhtOptions>;
  readonly node?: Partial<NodeOptions>;
};

/** A node of the network that follows no rule but that of its handler. */
export type Rogue = {
  readonly record: NodeRecord;
  readonly identity: NodeSigner;
  readonly peers: Peers;
  readonly runtime: Runtime;
};

/** Nodes on a seeded network. */
export class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly inhabitants: Inhabitant[] = [];
  readonly #gone = new Set<Node>();
  readonly #ends: Promise<void>[] = [];
  readonly #rogues: AsyncDisposable[] = [];
  #addressCount = 0;

  constructor(seed: number, options: Partial<SimOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork({
      clock: this.clock,
      random: this.random.fork(),
      ...options,
    });
  }

  /** Nodes that have neither crashed nor stopped. */
  get living(): readonly Inhabitant[] {
    return this.inhabitants.filter(({ node }) => !this.#gone.has(node));
  }

  /** An identity, drawn from the world's seed. */
  identity(): Promise<NodeSigner> {
    return mintNode(
      this.random.bytes(32),
      { powBits: POW_BITS_MIN, clock: new VirtualClock() },
      never,
    );
  }

  /** Starts a node in a /24 of its own; it has not joined yet. */
  async add(
    roles: readonly SimRole[],
    options: AddOptions = {},
  ): Promise<Inhabitant> {
    const runtime = this.#runtime(options.clock);
    const identity = options.identity ?? await this.identity();
    const address = options.address ?? this.#address();
    const admission = new Admission({}, runtime);
    const transport = this.network.transport({
      identity,
      address,
      admit: admission.admit,
      nat: options.nat,
    });
    const state = options.state ?? new MemoryState();
    const blobs = options.blobs ?? new MemoryBlobs();
    const suite = nobleMlDsa;
    const build = (role: SimRole, node: Node): Role => {
      if (role === "bootstrap") return bootstrapRole(node, {});
      if (role === "dht") return dhtRole(node, { state, ...options.dht });
      const store = { state, blobs, suite, freeSpaceMin: 0, ...options.store };
      return storeRole(node, store);
    };
    const { change = (made: readonly Role[]) => made } = options;
    const node = Node.open(
      {
        identity,
        transport,
        admission,
        addresses: [address],
        powBits: POW_BITS_MIN,
        ...options.node,
      },
      (made) => change(roles.map((role) => build(role, made)), made),
      runtime,
    );
    const archive = new Archive({ state, blobs, suite, runtime });
    const inhabitant = { node, address, state, blobs, archive, runtime };
    this.inhabitants.push(inhabitant);
    return inhabitant;
  }

  /** Starts nodes that join through the first. */
  async grow(
    count: number,
    roles: readonly SimRole[],
    options: AddOptions = {},
  ): Promise<Inhabitant[]> {
    const grown: Inhabitant[] = [];
    for (let i = 0; i < count; i++) {
      const one = await this.add(roles, options);
      await this.run(join(one.node, this.#entries(one), never));
      grown.push(one);
    }
    return grown;
  }

  /** Starts a peer that answers whatever its handler says. */
  async rogue(
    handler: Handler,
    capabilities = 0,
    ground?: NodeSigner,
  ): Promise<Rogue> {
    const runtime = this.#runtime();
    const identity = ground ?? await this.identity();
    const address = this.#address();
    const admission = new Admission({}, runtime);
    const transport = this.network.transport({ identity, address });
    const record = this.recordOf(identity, [address], capabilities);
    const peers = Peers.start(
      {
        transport,
        self: { identity, record: () => record, powBits: POW_BITS_MIN },
        handler,
        admission,
      },
      runtime,
      never,
    );
    this.#rogues.push(transport, peers);
    return { record, identity, peers, runtime };
  }

  /** A node record as its owner would sign it now. */
  recordOf(
    identity: NodeSigner,
    addresses: readonly Address[],
    capabilities = 0,
  ): NodeRecord {
    const nowMs = this.clock.nowMs();
    return signNodeRecord({
      addresses,
      capabilities,
      nat: "unknown",
      sequence: nowMs,
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, identity);
  }

  /** Moves time until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  /** A node dies without a word. */
  crash({ node, address }: Inhabitant): void {
    if (this.#gone.has(node)) return;
    this.network.crash(address);
    this.#gone.add(node);
    this.#ends.push(node[Symbol.asyncDispose]());
  }

  /** A node stops as its process would: it says goodbye to everybody it has a session with. */
  async stop({ node }: Inhabitant): Promise<void> {
    this.#gone.add(node);
    await this.run(node[Symbol.asyncDispose]());
  }

  /** A node dies without a word and comes back with its identity and what it had kept; it has not joined yet. */
  async restart(
    one: Inhabitant,
    roles: readonly SimRole[],
    options: AddOptions = {},
  ): Promise<Inhabitant> {
    this.crash(one);
    await this.run(Promise.all(this.#ends));
    const { address, state, blobs, node } = one;
    const { identity } = node;
    return await this.add(roles, {
      address,
      state,
      blobs,
      identity,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const nodes = this.living.map(({ node }) => node);
    const open = [...nodes, ...this.#rogues.reverse()];
    await this.run(
      Promise.all([
        ...open.map((one) => one[Symbol.asyncDispose]()),
        ...this.#ends,
      ]),
    );
  }

  #runtime(clock: Clock = this.clock) {
    return {
      clock,
      random: this.random.fork(),
      log: new RecordingLog(),
      counters: new Counters(),
    };
  }

  #address(): Address {
    const number = ++this.#addressCount;
    return { ip: `11.${number >> 8}.${number & 255}.7`, port: 4433 };
  }

  #entries(one: Inhabitant): Address[] {
    const first = this.inhabitants[0];
    return first === undefined || first === one ? [] : [first.address];
  }
}

/** Keys of a creator, the same for the same number. */
export function creator(seed: number): CreatorKeys {
  return creatorKeysFromSeed(new SeededRandom(seed).bytes(32));
}

/** Makes a tessera of one text of so many bytes, and its plan. */
export async function keep(
  at: Inhabitant,
  keys: CreatorKeys,
  bytes: number,
): Promise<{ readonly id: TesseraId; readonly plan: Plan }> {
  const { id } = await at.archive.create(
    {
      folder: folderOf({ "story.txt": textOf(bytes) }),
      keepPlaces: true,
      title: "A story",
      createdAtMs: 1_760_000_000_000,
      language: "en",
      tags: [],
      visibility: "public",
    },
    keys,
    () => {},
    never,
  );
  const plan = await at.archive.prepare(id, keys, () => {}, never);
  return { id, plan };
}

/** A text whose every line differs, so that a misplaced byte shows. */
function textOf(bytes: number): Uint8Array {
  const text = new Uint8Array(bytes).fill(0x20);
  for (let at = 0, line = 0; at < bytes; at += 64, line++) {
    text.set(utf8(`line ${line}\n`).subarray(0, bytes - at), at);
  }
  return text;
}

function folderOf(files: Readonly<Record<string, Uint8Array>>): FolderScan {
  const found = Object.entries(files).map(([name, content]): SourceFile => ({
    name,
    kind: kindOf(name)!,
    bytes: content.length,
    modifiedAtMs: 1_750_000_000_000,
    open() {
      let at = 0;
      return Promise.resolve({
        read(into) {
          const part = content.subarray(at, at + into.length);
          into.set(part);
          at += part.length;
          return Promise.resolve(part.length);
        },
        checkUnchanged: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  }));
  return {
    path: "memory",
    files: found,
    leftOut: [],
    bytes: found.reduce((sum, file) => sum + file.bytes, 0),
  };
}
