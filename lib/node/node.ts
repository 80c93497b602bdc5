/** A participant: one identity, one routing table, one pool of connections, and the roles it plays. */
import {
  assert,
  codeOf,
  equal,
  type ErrorCode,
  keyOf,
  type NodeId,
  orAbort,
  type Runtime,
  subnetOf,
  Tasks,
  TesserasError,
  unreachable,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  LOOKUP_PATHS_MAX,
  PING_FAILURES_MAX,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { Pace, Table } from "@tesseras/kad";
import {
  type Answer,
  type AskOptions,
  type BulkReader,
  type PeerNet,
  type PeerNetParts,
  type Reply,
} from "@tesseras/net";
import { type NodeRecord, RecordCache, type Request } from "@tesseras/wire";
import { Introducers } from "./introducers.ts";
import { LostPeers } from "./lost.ts";
import {
  type NodeOptions,
  type NodeTraits,
  peerNetOf,
  type RecordReader,
} from "./options.ts";
import { OwnOutlook } from "./outlook.ts";
import { OwnRecord, ownWords } from "./own_record.ts";
import { readRecords } from "./read_records.ts";
import { relaysIn } from "./relays.ts";
import { type Handlers, mergeHandlers, type Role } from "./role.ts";
import { NetworkSize } from "./size.ts";
import { LookupWatchers } from "./trace.ts";
import { latestOf, speaksAgainst, Uplink } from "./uplink.ts";

/** Records of each kind whose signatures are remembered: about 4 MB, several tables' worth. */
const RECORDS_REMEMBERED = 1_000;

/** One participant of the network. */
export class Node implements AsyncDisposable {
  readonly runtime: Runtime;
  readonly table: Table<NodeRecord>;
  /** Checks records of others; the same few travel in answer after answer. */
  readonly records: RecordReader;
  readonly size: NetworkSize;
  readonly traits: NodeTraits;
  /** How long answers in lookups take. */
  readonly pace = new Pace();
  /** Peers that fell silent. */
  readonly lost = new LostPeers();
  /** Who may introduce us to whom. */
  readonly introducers: Introducers;
  /** What peers say of our address; `undefined` for a node that was not told where it stands. */
  readonly outlook: OwnOutlook | undefined;
  /** Who wants to hear of every lookup. */
  readonly lookups = new LookupWatchers();
  readonly #options: NodeOptions;
  readonly #tasks: Tasks;
  #peers: PeerNet | undefined;
  #roles: readonly Role[] = [];
  #handlers: Handlers = {};
  readonly #record: OwnRecord;
  readonly #pinging = new Set<string>();
  readonly #uplink = new Uplink();

  private constructor(options: NodeOptions, runtime: Runtime) {
    this.runtime = runtime;
    this.#options = options;
    this.#record = new OwnRecord(options.identity);
    this.traits = options;
    const { surroundings } = options;
    this.introducers = new Introducers(surroundings?.realm);
    this.outlook = surroundings && new OwnOutlook(surroundings);
    this.table = new Table<NodeRecord>(options.identity.id, {
      bucketPeersMax: options.bucketPeersMax ?? BUCKET_PEERS_MAX,
      failuresMax: options.failuresMax ?? PING_FAILURES_MAX,
      powBits: options.powBits,
      subnetPerBucketMax: options.subnetPeersMax?.bucket,
      subnetPerTableMax: options.subnetPeersMax?.table,
    });
    this.records = options.records ??
      new RecordCache(options.powBits, RECORDS_REMEMBERED);
    this.size = new NetworkSize(options.powBits, runtime);
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
    node.#peers = node.#openPeers();
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

  /** Contacts of one subnet in a bucket and in the table; `undefined` while the rule is off. */
  get subnetPeersMax(): NodeOptions["subnetPeersMax"] {
    return this.#options.subnetPeersMax;
  }

  /** Questions at once on each path of a lookup. */
  get lookupParallel(): number {
    return this.#options.lookupParallel ?? LOOKUP_PARALLEL;
  }

  /** Paths of a lookup that share nobody. */
  get lookupPathsMax(): number {
    return this.#options.lookupPathsMax ?? LOOKUP_PATHS_MAX;
  }

  get roles(): readonly Role[] {
    return this.#roles;
  }

  get peers(): PeerNet {
    assert(this.#peers !== undefined, "a node is open when it is used");
    return this.#peers;
  }

  /** Resolves with the first failure of background work; pending while all is well. */
  get failed(): Promise<unknown> {
    return this.#tasks.failed;
  }

  /** Our own signed record, renewed at half its life and soon after it would say something else. */
  record(): NodeRecord {
    const words = ownWords(this.#options.addresses, this.#roles, this.outlook);
    return this.#record.at(this.runtime.clock.nowMs(), words);
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
    const latest = latestOf(peer, this.table.get(peer.id));
    try {
      const asked = await this.peers.ask(latest, request, options, signal);
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
    this.outlook?.told(peer.id, response.observed);
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

  /** Starts background work that ends with the node. @returns whether it began: a node that ends starts nothing */
  spawn(work: (signal: AbortSignal) => Promise<void>): boolean {
    return this.#tasks.spawn(work);
  }

  /** Tells the routing table of a peer that has proven who it is. */
  saw(peer: NodeRecord): void {
    const { clock, counters } = this.runtime;
    const step = this.table.observe(this.asMet(peer), clock.monotonicMs());
    this.lost.found(peer.id);
    switch (step.do) {
      case "ping":
        counters.add("table.bucket_full");
        return this.#check(step.oldest);
      case "cached":
        return counters.add("table.bucket_full");
      case "added":
      case "updated":
        return;
      case "refused":
        return counters.add("table.refused");
      default:
        return unreachable(step);
    }
  }

  /**
   * A peer in the subnet it was reached in, where subnets count: its record may claim the addresses of any. Without a session
   * its record is all there is.
   */
  asMet(peer: NodeRecord): NodeRecord {
    if (this.subnetPeersMax === undefined) return peer;
    const remote = this.peers.remoteOf(peer.id);
    const subnet = remote === undefined ? peer.subnet : subnetOf(remote.ip);
    return subnet === peer.subnet ? peer : { ...peer, subnet };
  }

  /** Reads records a peer named, leaving out those that do not hold; each of those is counted. */
  readRecords(list: readonly Uint8Array[]): NodeRecord[] {
    return readRecords(list, this.records, this.runtime);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _transport = "transport" in this.#options
      ? this.#options.transport
      : undefined;
    await using _peers = this.#peers;
    await using _tasks = this.#tasks;
  }

  #openPeers(): PeerNet {
    const options = this.#options;
    const parts: PeerNetParts = {
      self: {
        identity: options.identity,
        record: () => this.record(),
        powBits: options.powBits,
      },
      handler: (from, request, bulk, signal) =>
        this.#answer(from, request, bulk, signal),
      onSession: (met) => {
        this.#heard();
        this.outlook?.met(met);
        this.saw(met.peer);
      },
      onEnd: (met) => this.outlook?.ended(met),
      onLeave: (id) => this.#forget(id),
      standing: this.outlook,
      namedBy: (id) => this.introducers.of(id),
      relays: () => relaysIn(this.table),
    };
    return peerNetOf(options)(parts, this.runtime, this.#tasks.signal);
  }

  /** Lets a peer go that said goodbye. It speaks for itself alone: the session it said it on is its own. */
  #forget(id: NodeId): void {
    const { removed, promoted } = this.table.remove(id);
    if (removed) this.runtime.counters.add("table.left");
    if (promoted !== undefined) this.#check(promoted);
  }

  #heard(): void {
    this.#uplink.heard(this.runtime.clock.monotonicMs());
  }

  /** Tells the routing table of a question that failed, if that says anything about the peer. */
  #judge(peer: NodeRecord, askedMs: number, code: ErrorCode | undefined): void {
    if (!speaksAgainst(code)) return;
    const { clock, counters } = this.runtime;
    // Rubbish came over a line that works.
    if (code === "forged" || code === "malformed") this.#heard();
    if (!this.#uplink.blames(peer.id, askedMs, clock.monotonicMs())) {
      return counters.add("table.failure_unproven");
    }
    const { removed, promoted } = this.table.failed(peer.id);
    if (removed) {
      counters.add("table.removed");
      this.lost.note(peer, clock.monotonicMs());
    }
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
    const handle = this.#handlers[request.type] as
      | ((
        from: NodeRecord,
        request: Request,
        bulk: BulkReader | undefined,
        signal: AbortSignal,
      ) => Promise<Reply>)
      | undefined;
    if (handle === undefined && request.type === "find_node") {
      const records = this.closestFor(from, request.target, request.want);
      return { response: { type: "nodes", records } };
    }
    if (handle === undefined) {
      throw new TesserasError(
        "refused",
        `Cannot answer ${request.type}: this node does not offer it`,
      );
    }
    return await handle(from, request, bulk, signal);
  }

  #pong(from: NodeRecord): Reply {
    const observed = this.peers.remoteOf(from.id);
    if (observed === undefined) {
      throw new TesserasError("refused", "Cannot answer ping: you are gone");
    }
    const record = this.record().bytes;
    return { response: { type: "pong", record, observed } };
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
