/**
 * A network of messages for ten thousand nodes in one process. Nodes, roles, lookups, tables and records are the real ones;
 * what is left out is what carries a message: streams, frames and the hello. A message is handed over as it is, after the time
 * its real length takes on the real-looking map, or never.
 */
import {
  type Address,
  formatAddress,
  type SeededRandom,
  type VirtualClock,
} from "@tesseras/core";
import { CONNECTION_IDLE_MS } from "@tesseras/core/limits";
import type { OpenPeerNet } from "@tesseras/net";
import { SimLinks, type Weather } from "@tesseras/net/sim";
import type { Host } from "./host.ts";
import { MessageBytes } from "./message_bytes.ts";
import { MessagePeers } from "./message_peers.ts";
import type { Trace } from "./trace.ts";

/** What a network is made from. */
export type MessageNetOptions = {
  readonly clock: VirtualClock;
  /** The network's own source. */
  readonly random: SeededRandom;
  readonly latencyMs: Weather["latencyMs"];
  /** The share of packets that get lost. What is lost is sent again: it costs time. */
  readonly lossRate: number;
  readonly trace: Trace;
};

/** One message, or the packets of a handshake, on its way. */
export type Flight = {
  readonly from: MessagePeers;
  /** A printed address. */
  readonly to: string;
  readonly what: string;
  readonly bytes: number;
};

/** What passed over the network. Bytes are those of messages and handshakes, without the headers of packets. */
export type Traffic = {
  /** Questions and answers. */
  messageCount: number;
  handshakeCount: number;
  bytes: number;
};

/** What is sent before the first question of a connection. */
const HANDSHAKE: readonly string[] = ["dial", "accept"];

/** Hosts at addresses, and the links between them. */
export class MessageNet {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  /** Knows the lengths of messages. */
  readonly lengths = new MessageBytes();
  readonly traffic: Traffic = { messageCount: 0, handshakeCount: 0, bytes: 0 };
  /** Whether a new connection takes no time, as if all were open: only to tell what a lookup costs from what dialling costs. */
  areConnectionsOpen = false;
  /** What handlers threw that no peer can cause: each is a bug. */
  readonly failures: unknown[] = [];
  readonly #links: SimLinks;
  readonly #trace: Trace;
  readonly #hosts = new Map<string, MessagePeers>();
  readonly #lossRate: number;
  #reapedMs = 0;

  constructor(options: MessageNetOptions) {
    const { clock, random, trace, latencyMs, lossRate } = options;
    this.clock = clock;
    this.random = random;
    this.#trace = trace;
    this.#lossRate = lossRate;
    this.#links = new SimLinks(clock, random, {
      latencyMs,
      lossRate,
      bytesPerSecond: Infinity,
    });
  }

  /** The share of packets that get lost. */
  get lossRate(): number {
    return this.#lossRate;
  }

  /** What a node on this host opens its sessions with. */
  open(host: Host): OpenPeerNet {
    return (parts, runtime, signal) => {
      const peers = new MessagePeers(
        { host, net: this, parts, runtime },
        signal,
      );
      this.#hosts.set(peers.name, peers);
      return peers;
    };
  }

  /** Who answers at a printed address now. */
  at(name: string): MessagePeers | undefined {
    return this.#hosts.get(name);
  }

  /** Takes a host off the network. */
  remove(peers: MessagePeers): void {
    if (this.#hosts.get(peers.name) === peers) this.#hosts.delete(peers.name);
  }

  /** Ends the host at an address without a word, as a power cut does; its peers notice by its silence. */
  crash(address: Address): void {
    this.#hosts.get(formatAddress(address))?.crash();
  }

  /** Lets nothing pass between two groups, not even later what is sent now. */
  partition(one: readonly Address[], other: readonly Address[]): void {
    this.#links.cut(one.map(formatAddress), other.map(formatAddress));
  }

  /** Mends every partition. */
  heal(): void {
    this.#links.mend();
  }

  /** Sends something that arrives in its time, at whoever is at the address then, or never. */
  send(flight: Flight, deliver: (host: MessagePeers) => void): void {
    const delayMs = this.delayMs(flight);
    if (delayMs === undefined) return;
    const { to } = flight;
    this.clock.after(delayMs, () => {
      const host = this.#hosts.get(to);
      if (host !== undefined) deliver(host);
    });
  }

  /** Counts something sent and draws how long it takes; `undefined` when it never arrives. */
  delayMs({ from, to, what, bytes }: Flight): number | undefined {
    this.#reap();
    this.traffic.bytes += bytes;
    const isFree = this.areConnectionsOpen && HANDSHAKE.includes(what);
    const delayMs = this.#links.isCut(from.name, to)
      ? undefined
      : isFree
      ? 0
      : this.#links.delayMs(from.name, to, bytes);
    const atMs = this.clock.monotonicMs();
    this.#trace.add({ atMs, what, from: from.name, to, bytes, delayMs });
    return delayMs;
  }

  /** Has everybody close what has been idle for long, also who is at rest: sessions are half of what a node at rest takes of our memory. */
  #reap(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#reapedMs < CONNECTION_IDLE_MS) return;
    this.#reapedMs = nowMs;
    for (const host of this.#hosts.values()) host.reap();
  }
}
