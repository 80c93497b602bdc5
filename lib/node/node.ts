/** A participant: one identity, one routing table, one pool of connections, and the roles it plays. */
import {
  type Address,
  assert,
  codeOf,
  equal,
  type ErrorCode,
  keyOf,
  type NodeId,
  orAbort,
  type Runtime,
  Tasks,
  TesserasError,
  unreachable,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  NODE_RECORD_TTL_MS,
  PING_FAILURES_MAX,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { Table } from "@tesseras/kad";
import {
  type Admission,
  type Answer,
  type AskOptions,
  type BulkReader,
  Peers,
  type Reply,
  type Transport,
} from "@tesseras/net";
import {
  type NodeRecord,
  RecordCache,
  type Request,
  signNodeRecord,
} from "@tesseras/wire";
import { type Handlers, mergeHandlers, type Role } from "./role.ts";
import { Uplink } from "./uplink.ts";

/** What makes a node. */
export type NodeOptions = {
  readonly identity: NodeSigner;
  /** Owned by the node from here on. */
  readonly transport: Transport;
  /** Who may connect and how often they may ask; the transport's own `admit` should be this one's. */
  readonly admission: Admission;
  /** Where others reach us, best first; empty while nobody can. */
  readonly addresses: readonly Address[];
  /** Leading zero bits every identity must show. */
  readonly powBits: number;
  /** Peers of one subnet per bucket and table; `undefined` switches the rule off, as a cluster on one machine must. */
  readonly subnetPeersMax?: { readonly bucket: number; readonly table: number };
  /** Questions at once per lookup; Kademlia's alpha by default. */
  readonly lookupParallel?: number;
  /** Peers per bucket and failures in a row that remove one; Kademlia's figures by default. */
  readonly bucketPeersMax?: number;
  readonly failuresMax?: number;
};

/** Records of each kind whose signatures are remembered: about 4 MB, several tables' worth. */
const RECORDS_REMEMBERED = 1_000;

/** Ends of a question that speak against the peer: silence, somebody else at its address, and answers that are none. A refusal is an answer. */
const BLAMED: readonly (ErrorCode | undefined)[] = [
  "timeout",
  "unreachable",
  "forged",
  "malformed",
];

/** One participant of the network. */
export class Node implements AsyncDisposable {
  readonly runtime: Runtime;
  readonly table: Table<NodeRecord>;
  /** Checks records of others; the same few travel in answer after answer. */
  readonly records: RecordCache;
  readonly #options: NodeOptions;
  readonly #tasks: Tasks;
  #peers: Peers | undefined;
  #roles: readonly Role[] = [];
  #handlers: Handlers = {};
  #record: NodeRecord | undefined;
  readonly #pinging = new Set<string>();
  readonly #uplink = new Uplink();

  private constructor(options: NodeOptions, runtime: Runtime) {
    this.runtime = runtime;
    this.#options = options;
    this.table = new Table<NodeRecord>(options.identity.id, {
      bucketPeersMax: options.bucketPeersMax ?? BUCKET_PEERS_MAX,
      failuresMax: options.failuresMax ?? PING_FAILURES_MAX,
      subnetPerBucketMax: options.subnetPeersMax?.bucket,
      subnetPerTableMax: options.subnetPeersMax?.table,
    });
    this.records = new RecordCache(options.powBits, RECORDS_REMEMBERED);
    this.#tasks = new Tasks(new AbortController().signal);
  }

  /**
   * Starts answering. Joining a network is a step of its own, see `join`.
   *
   * @param roles what this node offers; built with the node so that they can ask others through it
   */
  static open(
    options: NodeOptions,
    roles: (node: Node) => readonly Role[],
    runtime: Runtime,
  ): Node {
    const node = new Node(options, runtime);
    node.#roles = roles(node);
    node.#handlers = mergeHandlers(node.#roles);
    node.#peers = Peers.start(
      {
        transport: options.transport,
        self: {
          identity: options.identity,
          record: () => node.record(),
          powBits: options.powBits,
        },
        handler: (from, request, bulk, signal) =>
          node.#answer(from, request, bulk, signal),
        admission: options.admission,
        onSession: ({ peer }) => {
          node.#heard();
          node.saw(peer);
        },
      },
      runtime,
      node.#tasks.signal,
    );
    node.#tasks.spawn(async (signal) => {
      throw await orAbort(node.peers.failed, signal);
    });
    for (const role of node.#roles) {
      if (role.run !== undefined) {
        node.#tasks.spawn((signal) => role.run!(signal));
      }
    }
    return node;
  }

  get id(): NodeId {
    return this.#options.identity.id;
  }

  get identity(): NodeSigner {
    return this.#options.identity;
  }

  get powBits(): number {
    return this.#options.powBits;
  }

  /** Questions at once per lookup. */
  get lookupParallel(): number {
    return this.#options.lookupParallel ?? LOOKUP_PARALLEL;
  }

  get roles(): readonly Role[] {
    return this.#roles;
  }

  get peers(): Peers {
    assert(this.#peers !== undefined, "a node is open when it is used");
    return this.#peers;
  }

  /** Resolves with the first failure of background work; pending while all is well. */
  get failed(): Promise<unknown> {
    return this.#tasks.failed;
  }

  /** Our own signed record, renewed at half its life. */
  record(): NodeRecord {
    const nowMs = this.runtime.clock.nowMs();
    const current = this.#record;
    if (
      current !== undefined &&
      current.expiresAtMs - nowMs > NODE_RECORD_TTL_MS / 2
    ) {
      return current;
    }
    this.#record = signNodeRecord({
      addresses: this.#options.addresses,
      capabilities: this.#roles.reduce((all, r) => all | r.capabilities, 0),
      nat: "unknown",
      sequence: Math.max(nowMs, (current?.sequence ?? 0) + 1),
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, this.#options.identity);
    return this.#record;
  }

  /**
   * Asks a peer, and tells the routing table whether it answered. Silence counts against the peer only while others are
   * heard; a deadline of the caller's that passes is silence.
   *
   * @throws as `Peers.ask`
   */
  async ask<R extends Request>(
    peer: NodeRecord,
    request: R,
    options: AskOptions,
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    const askedMs = this.runtime.clock.monotonicMs();
    try {
      const asked = await this.peers.ask(peer, request, options, signal);
      this.#heard();
      this.table.answered(peer.id, this.runtime.clock.monotonicMs());
      return asked;
    } catch (error) {
      this.#judge(peer, askedMs, codeOf(error));
      throw error;
    }
  }

  /**
   * Pings a peer and gives its record of now to the routing table.
   *
   * @throws as {@link ask}, and `forged` when it answers with the record of another, who may not even exist
   */
  async ping(peer: NodeRecord, signal: AbortSignal): Promise<NodeRecord> {
    const { response } = await this.ask(peer, { type: "ping" }, {}, signal);
    const record = this.records.node(
      response.record,
      this.runtime.clock.nowMs(),
    );
    if (!equal(record.id, peer.id)) {
      this.runtime.counters.add("ping.forged");
      throw new TesserasError(
        "forged",
        `Cannot use pong: it has the record of ${keyOf(record.id)}, wanted ${
          keyOf(peer.id)
        }`,
      );
    }
    this.saw(record);
    return record;
  }

  /**
   * Asks ourselves, through the same handlers as anybody: a publisher may be one of the nodes closest to its own key.
   *
   * @throws `refused` when no role of ours answers that
   */
  async askSelf(request: Request, signal: AbortSignal): Promise<Reply> {
    return await this.#answer(this.record(), request, undefined, signal);
  }

  /** Starts background work that ends with the node. */
  spawn(work: (signal: AbortSignal) => Promise<void>): void {
    this.#tasks.spawn(work);
  }

  /** Tells the routing table of a peer that has proven who it is. */
  saw(peer: NodeRecord): void {
    const failures = this.#failuresOf(peer.id);
    const step = this.table.observe(peer, this.runtime.clock.monotonicMs());
    // A handshake costs a liar nothing: only an answer makes up for the questions left without one.
    for (let i = 0; i < failures; i++) this.table.failed(peer.id);
    switch (step.do) {
      case "ping":
        return this.#check(step.oldest);
      case "added":
      case "updated":
      case "cached":
        return;
      case "refused":
        return this.runtime.counters.add("table.refused");
      default:
        return unreachable(step);
    }
  }

  /** Reads records a peer named, leaving out those that do not hold; each of those is counted. */
  readRecords(list: readonly Uint8Array[]): NodeRecord[] {
    const nowMs = this.runtime.clock.nowMs();
    const records: NodeRecord[] = [];
    for (const bytes of list) {
      try {
        records.push(this.records.node(bytes, nowMs));
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        this.runtime.counters.add("record.refused");
      }
    }
    return records;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _transport = this.#options.transport;
    await using _peers = this.#peers;
    await using _tasks = this.#tasks;
  }

  #failuresOf(id: NodeId): number {
    for (const { contact, failures } of this.table.entries()) {
      if (equal(contact.id, id)) return failures;
    }
    return 0;
  }

  #heard(): void {
    this.#uplink.heard(this.runtime.clock.monotonicMs());
  }

  /** Tells the routing table of a question that failed, if that says anything about the peer. */
  #judge(
    peer: NodeRecord,
    askedMs: number,
    code: ErrorCode | undefined,
  ): void {
    if (!BLAMED.includes(code)) return;
    const { clock, counters } = this.runtime;
    // Rubbish came over a line that works.
    if (code === "forged" || code === "malformed") this.#heard();
    if (!this.#uplink.blames(peer.id, askedMs, clock.monotonicMs())) {
      return counters.add("table.failure_unproven");
    }
    const { removed, promoted } = this.table.failed(peer.id);
    if (removed) counters.add("table.removed");
    // It was heard of once, and waited since: worth a ping before it is relied on.
    if (promoted !== undefined) this.#check(promoted);
  }

  /** Pings a peer in the background; the oldest of a full bucket stays if it answers (Kademlia 2.2). */
  #check(peer: NodeRecord): void {
    const key = keyOf(peer.id);
    if (this.#pinging.has(key)) return;
    this.#pinging.add(key);
    this.#tasks.spawn(async (signal) => {
      try {
        using deadline = this.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
        await this.ping(peer, deadline.signal);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      } finally {
        this.#pinging.delete(key);
      }
    });
  }

  async #answer(
    from: NodeRecord,
    request: Request,
    bulk: BulkReader | undefined,
    signal: AbortSignal,
  ): Promise<Reply> {
    this.runtime.counters.add(`request.${request.type}`);
    if (!equal(from.id, this.id)) this.#heard();
    if (request.type === "ping") return this.#pong(from);
    if (request.type === "find_node") return this.#nodes(from, request);
    const handle = this.#handlers[request.type] as
      | ((
        from: NodeRecord,
        request: Request,
        bulk: BulkReader | undefined,
        signal: AbortSignal,
      ) => Promise<Reply>)
      | undefined;
    if (handle === undefined) {
      throw new TesserasError(
        "refused",
        `Cannot answer ${request.type}: this node does not offer it`,
      );
    }
    return await handle(from, request, bulk, signal);
  }

  #pong(from: NodeRecord): Reply {
    const session = this.peers.sessions()
      .find(({ id }) => equal(id, from.id));
    if (session === undefined) {
      throw new TesserasError("refused", "Cannot answer ping: you are gone");
    }
    const record = this.record().bytes;
    return { response: { type: "pong", record, observed: session.remote } };
  }

  #nodes(
    from: NodeRecord,
    request: Extract<Request, { readonly type: "find_node" }>,
  ): Reply {
    const records = this.closestFor(from, request.target, request.want);
    return { response: { type: "nodes", records } };
  }

  /** The signed records of the closest peers we know, without the one who asks. */
  closestFor(from: NodeRecord, target: NodeId, want: number): Uint8Array[] {
    const nowMs = this.runtime.clock.nowMs();
    return this.table.closest(target, BUCKET_PEERS_MAX + 1, want)
      .filter((peer) => !equal(peer.id, from.id) && peer.expiresAtMs > nowMs)
      .slice(0, BUCKET_PEERS_MAX)
      .map((peer) => peer.bytes);
  }
}
