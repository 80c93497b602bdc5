/** Nodes of one local network find each other without a server. */
import { networkInterfaces } from "node:os";
import makeMdns from "multicast-dns";
import {
  type Address,
  canonicalIp,
  isPrivateIp,
  keyOf,
  messageOf,
  type NodeId,
  orAbort,
  type Runtime,
  throwIfAborted,
} from "@tesseras/core";
import { SOURCE_PEERS_MAX } from "@tesseras/core/limits";
import { everyMs } from "./every.ts";
import {
  answerOf,
  asksForUs,
  type Packet,
  QUESTION,
  readAnswer,
} from "./mdns_packet.ts";
import type { LocalPeer } from "./sources.ts";

/** What is told to the local network. */
export type MdnsOptions = {
  readonly id: NodeId;
  /** The network we belong to: nodes of others are passed over. */
  readonly network: string;
  /** Where QUIC listens. */
  readonly listening: Address;
  /** Addresses of the interfaces to speak on; those of private networks when empty. */
  readonly interfaces: readonly string[];
};

/** Answers others on the local network, and asks them. Disposing it closes its sockets. */
export type Mdns = AsyncDisposable & {
  /** Interfaces it speaks on. */
  readonly interfaces: readonly string[];
  /** Asks who is there and gathers answers for a while. */
  find(signal: AbortSignal): Promise<readonly LocalPeer[]>;
};

/** Interfaces spoken on: a machine with more of them is no home computer. */
const INTERFACES_MAX = 4;
/** How long a socket may take to open. */
const OPEN_MS = 2_000;
/** A question is put twice, for one packet may be lost; a second between them (RFC 6762, section 5.2). */
const ASK_AGAIN_MS = 1_000;
/** How often one answer is given on an interface at most (RFC 6762, section 6). */
const ANSWER_EVERY_MS = 1_000;

/** One socket of the library, as far as it is used here. */
type Socket = {
  on(event: "ready" | "networkInterface", listener: () => void): void;
  on(event: "error" | "warning", listener: (error: Error) => void): void;
  on(
    event: "query" | "response",
    listener: (packet: Packet, from: { readonly address: string }) => void,
  ): void;
  query(packet: Packet, done: (error?: Error | null) => void): void;
  respond(packet: Packet, done: (error?: Error | null) => void): void;
  destroy(done: () => void): void;
};

/**
 * Opens a socket on each interface; those that cannot be opened are logged and left out.
 *
 * @throws the signal's error
 */
export async function openMdns(
  options: MdnsOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Mdns> {
  await using stack = new AsyncDisposableStack();
  const local = new LocalNetwork(options, runtime);
  for (const ip of interfacesFor(options)) {
    try {
      stack.use(await local.open(ip, signal));
    } catch (error) {
      throwIfAborted(signal);
      runtime.log.warn("mdns.unavailable", {
        interface: ip,
        reason: messageOf(error),
      });
    }
  }
  const open = stack.move();
  return {
    interfaces: local.interfaces,
    find: (findSignal) => local.find(findSignal),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** A node that listens on one address can only be reached there; one with a public address has no business here. */
function interfacesFor(
  { interfaces, listening }: MdnsOptions,
): readonly string[] {
  const all = interfaces.length > 0 ? interfaces : privateInterfaces();
  const isEverywhere = listening.ip === "0.0.0.0" || listening.ip === "::";
  return all.filter((ip) => isEverywhere || ip === listening.ip)
    .slice(0, INTERFACES_MAX);
}

function privateInterfaces(): readonly string[] {
  return Object.values(networkInterfaces()).flat()
    .filter((one) => one?.family === "IPv4" && !one.internal)
    .map((one) => canonicalIp(one!.address))
    .filter((ip) => ip !== undefined && isPrivateIp(ip)) as string[];
}

class LocalNetwork {
  readonly #options: MdnsOptions;
  readonly #runtime: Runtime;
  readonly #sockets = new Map<string, Socket>();
  /** Those heard of while somebody looks for them. */
  #found: Map<string, LocalPeer> | undefined;

  constructor(options: MdnsOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
  }

  get interfaces(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  async open(ip: string, signal: AbortSignal): Promise<AsyncDisposable> {
    const { clock, counters } = this.#runtime;
    const make: (options: Record<string, unknown>) => Socket = makeMdns;
    const socket = make({ interface: ip, bind: "0.0.0.0" });
    await using unopened = new AsyncDisposableStack();
    unopened.defer(() => new Promise((end) => socket.destroy(end)));
    const ready = new Promise<void>((resolve, reject) => {
      // The group is joined before the socket is ready, or not at all.
      let isMember = false;
      socket.on("networkInterface", () => isMember = true);
      socket.on(
        "ready",
        () => isMember ? resolve() : reject(new Error("no such interface")),
      );
      socket.on("error", reject);
    });
    // Packets that are no DNS end here.
    socket.on("warning", () => counters.add("mdns.refused"));
    using deadline = clock.deadline(OPEN_MS, signal);
    await orAbort(ready, deadline.signal);
    const mayAnswer = everyMs(ANSWER_EVERY_MS, clock);
    socket.on("query", (packet) => {
      if (!asksForUs(packet) || !mayAnswer()) return;
      counters.add("mdns.answered");
      const { id, network, listening } = this.#options;
      const ours = answerOf({ id, network, port: listening.port }, ip);
      socket.respond(ours, this.#sent);
    });
    socket.on("response", (packet, from) => this.#hear(packet, from.address));
    this.#sockets.set(ip, socket);
    return unopened.move();
  }

  async find(signal: AbortSignal): Promise<readonly LocalPeer[]> {
    if (this.#sockets.size === 0) return [];
    const found = new Map<string, LocalPeer>();
    this.#found = found;
    try {
      for (let times = 0; times < 2; times++) {
        for (const socket of this.#sockets.values()) {
          socket.query(QUESTION, this.#sent);
        }
        await this.#runtime.clock.sleep(ASK_AGAIN_MS, signal);
        if (found.size > 0) break;
      }
      return [...found.values()];
    } finally {
      this.#found = undefined;
    }
  }

  #hear(packet: Packet, from: string): void {
    const peer = readAnswer(packet, from, this.#options.network);
    if (peer === undefined || this.#found === undefined) return;
    if (peer === "refused") return this.#runtime.counters.add("mdns.refused");
    // We hear our own answers, too.
    if (keyOf(peer.id) === keyOf(this.#options.id)) return;
    const key = `${keyOf(peer.id)}@${peer.address.ip}`;
    if (this.#found.size < SOURCE_PEERS_MAX) this.#found.set(key, peer);
    else this.#runtime.counters.add("mdns.refused");
  }

  readonly #sent = (error?: Error | null): void => {
    if (error) this.#runtime.counters.add("mdns.unsent");
  };
}
