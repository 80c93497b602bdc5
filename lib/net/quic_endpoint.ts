/** Binding a QUIC endpoint: its options, its certificate, and what both ends agree on. */
import { generateKeyPairSync } from "node:crypto";
import type { Address, Runtime } from "@tesseras/core";
import {
  ALPN,
  CONNECTION_IDLE_MS,
  DIAL_GIVE_UP_MS,
  KEEPALIVE_MS,
  NETWORK_DEFAULT,
  STREAMS_MAX,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { issueChain } from "./certificate.ts";
import { listenError } from "./quic_errors.ts";
import type { Admit } from "./transport.ts";

/** How the sender reacts to loss: the platform's names. */
export type CongestionControl = "default" | "throughput" | "low-latency";

/** How to open the endpoint. */
export type QuicOptions = {
  /** Who we are. Only its signer is used: the secret stays inside. */
  readonly identity: NodeSigner;
  /** The UDP port to bind; port 0 takes a free one, `0.0.0.0` and `::` mean every interface (`::` serves IPv4 too). */
  readonly listen: Address;
  /** Asked before anything is spent on an inbound connection. Everybody may come in by default. */
  readonly admit?: Admit | undefined;
  /** The network we belong to, `main` unless given: letters a to z, digits and hyphens. Nodes of another one are refused, and refuse us. */
  readonly network?: string | undefined;
  readonly idleTimeoutMs?: number;
  /** Connections we dialled are kept alive at this pace; those we answered are the dialer's to keep. */
  readonly keepAliveMs?: number;
  /** How long a dial may take when its signal does not end it sooner. */
  readonly dialTimeoutMs?: number;
  readonly congestionControl?: CongestionControl;
};

/** What `openQuic` does unless told otherwise. */
export const QUIC_DEFAULTS = {
  idleTimeoutMs: CONNECTION_IDLE_MS,
  keepAliveMs: KEEPALIVE_MS,
  dialTimeoutMs: DIAL_GIVE_UP_MS,
} as const;

/**
 * BBR ("low-latency") wherever packets may be lost: with 1 % loss at 50 ms it moved 3.7 MiB/s and the platform's default 0.5. An
 * endpoint on loopback talks to this machine alone and loses nothing; on a busy one the default is 2.4 times as fast there,
 * because BBR takes processes that wait for a processor for a slow line (all measured).
 */
export function congestionControlFor(listen: Address): CongestionControl {
  const loopback = listen.ip === "::1" || listen.ip.startsWith("127.");
  return loopback ? "default" : "low-latency";
}

/** {@link QuicOptions} with every default filled in. */
export type QuicSettings = {
  readonly [Name in keyof QuicOptions]-?: NonNullable<QuicOptions[Name]>;
};

/** Fills in what the options leave open. */
export function settingsOf(options: QuicOptions): QuicSettings {
  const defaults = QUIC_DEFAULTS;
  return {
    identity: options.identity,
    listen: options.listen,
    admit: options.admit ?? (() => true),
    network: options.network ?? NETWORK_DEFAULT,
    idleTimeoutMs: options.idleTimeoutMs ?? defaults.idleTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? defaults.keepAliveMs,
    dialTimeoutMs: options.dialTimeoutMs ?? defaults.dialTimeoutMs,
    congestionControl: options.congestionControl ??
      congestionControlFor(options.listen),
  };
}

/** A bound endpoint. The listener stops listening when it is garbage-collected, so somebody must hold it. */
export type Bound = {
  readonly endpoint: Deno.QuicEndpoint;
  readonly listener: Deno.QuicListener;
};

/**
 * Binds the port and listens with a fresh leaf key, so that the node key never leaves its signer.
 *
 * @throws `inUse` when the port is taken; `unusable` when the address cannot be bound
 */
export function bindEndpoint(settings: QuicSettings, runtime: Runtime): Bound {
  const { ip, port } = settings.listen;
  const leaf = generateKeyPairSync("ed25519");
  const leafSpki = leaf.publicKey.export({ type: "spki", format: "der" });
  const cert = issueChain({
    identity: settings.identity,
    leafSpki: Uint8Array.from(leafSpki),
    serial: runtime.random.bytes(8),
  });
  const key = leaf.privateKey.export({ type: "pkcs8", format: "pem" });
  try {
    const endpoint = new Deno.QuicEndpoint({ hostname: ip, port });
    const listener = endpoint.listen({
      ...wireOptions(settings),
      cert,
      key: String(key),
    });
    return { endpoint, listener };
  } catch (error) {
    throw listenError(error, settings.listen);
  }
}

/**
 * The application protocol of a network. TLS refuses who offers another before anything else is said, and what the two agreed on is
 * part of what its keys are made from, so nobody in between can change it.
 */
export function protocolOf(network: string): string {
  return network === NETWORK_DEFAULT ? ALPN : `${ALPN}/${network}`;
}

/** What dialling and answering have in common. */
export function wireOptions(settings: QuicSettings) {
  return {
    alpnProtocols: [protocolOf(settings.network)],
    maxIdleTimeout: settings.idleTimeoutMs,
    maxConcurrentBidirectionalStreams: STREAMS_MAX,
    maxConcurrentUnidirectionalStreams: 0,
    congestionControl: settings.congestionControl,
  };
}
