/** The relay role: carries what two peers that cannot reach each other exchange, and sees ciphertext. */
import {
  type Address,
  codeOf,
  equal,
  fromHex,
  isPrivateIp,
  keyOf,
  messageOf,
  type NodeId,
  nodeId,
  orAbort,
  TesserasError,
} from "@tesseras/core";
import {
  QUERY_TIMEOUT_MS,
  RELAY_DRAIN_MS,
  RELAY_LEASE_MS,
} from "@tesseras/core/limits";
import type { MonthVolume, RelayLimits } from "@tesseras/nat";
import type { Reply } from "@tesseras/net";
import type { Gauge, Node, Role } from "@tesseras/node";
import type { Forwarder, SharedQuotas } from "@tesseras/relay";
import type { State } from "@tesseras/state";
import {
  CAPABILITIES,
  type Fresh,
  type FreshForm,
  type NodeRecord,
  readFresh,
  RELAY_ENDED,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
  type RelayOffer,
  signFresh,
} from "@tesseras/wire";
import { writeMonth } from "./relay_month.ts";
import { type Farewell, RelaySessions } from "./relay_sessions.ts";

/** What the role needs. */
export type RelayOptions = {
  /** Borrowed: whoever opened it disposes it after the node. */
  readonly forwarder: Forwarder;
  readonly limits: RelayLimits;
  /** As `readMonth` gave it. */
  readonly volume: MonthVolume;
  /** The accounts that tell who keeps something for us, and where the volume is written down. */
  readonly state: State;
  /** Borrowed; what several relays count together. */
  readonly quotas?: SharedQuotas | undefined;
};

/** How often it is counted what has passed, and looked which sessions are over. */
const SWEEP_MS = 1_000;
/** How often the volume is written down and leases are held for longer: a crash forgets a minute. */
const KEEP_MS = RELAY_LEASE_MS / 3;
const never = new AbortController().signal;

/** Builds the role. */
export function relayRole(node: Node, options: RelayOptions): Role {
  const relay = new Relay(node, options);
  return {
    name: "relay",
    capabilities: CAPABILITIES.RELAY,
    handlers: {
      relay_request: (from, { request }, _bulk, signal) =>
        relay.request(from, request, signal),
      relay_migrate: (from, { migration }, _bulk, signal) =>
        relay.migrate(from, migration, signal),
      relay_close: (from, { end }) => relay.close(from, end),
    },
    run: (signal) => relay.run(signal),
    relayOffer: (addresses) => relay.offer(addresses),
    drain: (signal) => relay.drain(signal),
    gauges: () => relay.gauges(),
  };
}

class Relay {
  readonly #node: Node;
  readonly #options: RelayOptions;
  readonly #sessions: RelaySessions;

  constructor(node: Node, options: RelayOptions) {
    this.#node = node;
    this.#options = options;
    const { forwarder, limits, volume, quotas } = options;
    this.#sessions = new RelaySessions({
      self: node.id,
      forwarder,
      limits,
      volume,
      quotas,
      onEnd: (farewell) => this.#tell(farewell),
    }, node.runtime);
  }

  async request(
    from: NodeRecord,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Reply> {
    const wanted = this.#read(RELAY_WANTED, bytes, from);
    this.#checkMeantForUs(wanted.relay);
    return await this.#grant(from, wanted.peer, signal);
  }

  async migrate(
    from: NodeRecord,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<Reply> {
    const moved = this.#read(RELAY_MOVED, bytes, from);
    this.#checkMeantForUs(moved.relay);
    const partner = this.#sessions.partnerOf(moved.session, from.id);
    if (partner === undefined) throw noSession();
    return await this.#grant(from, nodeId(fromHex(partner)), signal);
  }

  // deno-lint-ignore require-await -- a handler waits
  async close(from: NodeRecord, bytes: Uint8Array): Promise<Reply> {
    const end = this.#read(RELAY_ENDED, bytes, from);
    this.#checkMeantForUs(end.to);
    if (!this.#sessions.end(end.session, from.id, end)) throw noSession();
    return { response: { type: "relay_closed" } };
  }

  async run(signal: AbortSignal): Promise<void> {
    const broken = orAbort(this.#options.forwarder.failed, signal)
      .then((error) => {
        throw error;
      });
    try {
      await Promise.race([broken, this.#sweepForever(signal)]);
    } finally {
      this.#sessions.sweep();
      await this.#sessions.close();
      await this.#keepVolume();
    }
  }

  async #sweepForever(signal: AbortSignal): Promise<void> {
    const { clock } = this.#node.runtime;
    for (let keptMs = clock.monotonicMs();;) {
      await clock.sleep(SWEEP_MS, signal);
      this.#sessions.sweep();
      if (clock.monotonicMs() - keptMs < KEEP_MS) continue;
      keptMs = clock.monotonicMs();
      await this.#keepVolume();
      await this.#sessions.renew(signal);
    }
  }

  async drain(signal: AbortSignal): Promise<void> {
    const { log } = this.#node.runtime;
    const before = this.#sessions.count;
    await this.#sessions.drain(RELAY_DRAIN_MS, signal);
    log.info("relay.drained", { sessions: before, left: this.#sessions.count });
  }

  offer(addresses: readonly Address[]): RelayOffer | undefined {
    const address = addresses[0];
    if (address === undefined) return undefined;
    return {
      address,
      freeSlots: this.#sessions.freeSlots,
      kilobytesPerSecond: Math.floor(
        this.#options.limits.reciprocalBytesPerSecond / 1_024,
      ),
    };
  }

  gauges(): readonly Gauge[] {
    return [
      {
        name: "tesseras_relay_sessions_active",
        help: "Relayed sessions open now",
        value: this.#sessions.count,
      },
      {
        name: "tesseras_relay_slots_free",
        help: "Relayed sessions that would still be taken",
        value: this.#sessions.freeSlots,
      },
      {
        name: "tesseras_relay_month_bytes",
        help: "Bytes forwarded in this calendar month (UTC)",
        value: this.#options.volume.used.bytes,
      },
    ];
  }

  async #grant(
    record: NodeRecord,
    to: NodeId,
    signal: AbortSignal,
  ): Promise<Reply> {
    const at = this.#addressOf(record);
    const ip = this.#ipFor(at);
    const isReciprocal = await this.#keepsForUs(record.id, signal);
    const asker = { record, at, to, isReciprocal };
    const { session, port } = await this.#sessions.ask(asker, signal);
    const { clock } = this.#node.runtime;
    const leftMs = session.leftMs(clock.monotonicMs());
    const granted = signFresh(RELAY_GRANTED, {
      session: session.id,
      to: record.id,
      peer: to,
      address: { ip, port },
      bytesPerSecond: session.bytesPerSecond,
      lastsMs: leftMs === Infinity ? undefined : Math.floor(leftMs),
    }, { signer: this.#node.identity, nowMs: clock.nowMs() });
    return { response: { type: "relay_offer", offer: granted.bytes } };
  }

  /** @throws `forged` when another signed it than who brings it, and as `readFresh` */
  #read<F>(form: FreshForm<F>, bytes: Uint8Array, from: NodeRecord): Fresh<F> {
    const { powBits, runtime } = this.#node;
    const nowMs = runtime.clock.nowMs();
    const said = readFresh(form, bytes, { nowMs, powBits });
    if (equal(said.id, from.id)) return said;
    runtime.counters.add("relay.misdirected");
    throw new TesserasError(
      "forged",
      `Cannot relay: ${keyOf(said.id)} signed what ${keyOf(from.id)} brings`,
    );
  }

  #checkMeantForUs(id: NodeId): void {
    if (equal(id, this.#node.id)) return;
    this.#node.runtime.counters.add("relay.misdirected");
    throw new TesserasError(
      "refused",
      `Cannot relay: that is meant for ${keyOf(id)}`,
    );
  }

  /** Where a peer is: packets of its session come from there. What another relay carries to us comes from that relay, and is nobody's address. */
  #addressOf({ id }: NodeRecord): Address {
    const { peers } = this.#node;
    const remote = peers.remoteOf(id);
    const isRelayed = peers.sessions().some((session) =>
      session.way === "relayed" && equal(session.id, id)
    );
    if (remote !== undefined && !isRelayed) return remote;
    throw new TesserasError(
      "refused",
      "Cannot relay: your own connection to this relay is gone, or relayed",
    );
  }

  /** Which of our addresses a peer sends to: of its family, and in its network where we are in two. */
  #ipFor(peer: Address): string {
    const isV6 = peer.ip.includes(":");
    const ips = this.#node.record().addresses.map(({ ip }) => ip)
      .filter((ip) => ip.includes(":") === isV6);
    const isPrivate = isPrivateIp(peer.ip);
    const ip = ips.find((one) => isPrivateIp(one) === isPrivate) ?? ips[0];
    if (ip !== undefined) return ip;
    throw new TesserasError(
      "refused",
      `Cannot relay: this relay has no address that ${peer.ip} could send to`,
    );
  }

  /** Good reciprocity, as far as our accounts tell. A state that is busy makes nobody a stranger for ever: the peer may ask again. */
  async #keepsForUs(peer: NodeId, signal: AbortSignal): Promise<boolean> {
    const account = await this.#options.state.care.ledger(peer, signal);
    return (account?.theyKeepBytes ?? 0) > 0 ||
      account?.isInstitutional === true;
  }

  async #keepVolume(): Promise<void> {
    const { counters, log } = this.#node.runtime;
    try {
      await writeMonth(this.#options.state, this.#options.volume, never);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      counters.add("relay.volume_unwritten");
      log.warn("relay.volume_unwritten", { reason: messageOf(error) });
    }
  }

  /** Says it to whoever is still connected; nobody is sought out for it. */
  #tell({ to, session, why, graceMs }: Farewell): void {
    const { clock, counters } = this.#node.runtime;
    const { peers, identity } = this.#node;
    this.#node.spawn(async (signal) => {
      try {
        if (peers.remoteOf(to.id) === undefined) {
          return counters.add("relay.end_unheard");
        }
        const words = { to: to.id, session, why, graceMs };
        const nowMs = clock.nowMs();
        const end = signFresh(RELAY_ENDED, words, { signer: identity, nowMs });
        using deadline = clock.deadline(QUERY_TIMEOUT_MS, signal);
        const request = { type: "relay_close", end: end.bytes } as const;
        await peers.ask(to, request, {}, deadline.signal);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        counters.add("relay.end_unheard");
      }
    });
  }
}

function noSession(): TesserasError {
  return new TesserasError(
    "absent",
    "Cannot find the relayed session: it has ended, or is of others",
  );
}
