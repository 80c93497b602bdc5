/** How a node reaches others: the port between it and whatever carries its messages. */
import type { Address, NodeId, Runtime } from "@tesseras/core";
import type { NodeRecord, Request } from "@tesseras/wire";
import type { Answer, AskOptions } from "./ask.ts";
import type { Self, Session } from "./hello.ts";
import type { Handler } from "./serve.ts";
import type { Standing } from "./standing.ts";
import type { Way } from "./way.ts";

/** One session as a person is shown it. */
export type SessionStatus = {
  readonly id: NodeId;
  readonly remote: Address;
  readonly dialled: boolean;
  readonly way: Way;
  /** Requests under way, in both directions. */
  readonly busyCount: number;
  /** How long it has been open. */
  readonly ageMs: number;
};

/** A peer that has proven who it is, as its node hears of it. Messages that travel without connections have neither that nor a way. */
export type Met =
  & Pick<Session, "peer" | "observed" | "dialled">
  & Partial<Pick<Session, "connection" | "way">>;

/**
 * Everyone a node talks to. `Peers` carries messages over the streams of a transport; a simulation of ten thousand nodes
 * hands them over as they are.
 */
export interface PeerNet extends AsyncDisposable {
  /** Resolves with the first failure nobody foresaw; stays pending while all is well. */
  readonly failed: Promise<unknown>;
  /**
   * Asks a peer over its open session, whoever opened it, or over a new one.
   *
   * @throws the peer's own code when it answers with an error; `unreachable`, `forged`, `timeout`, `refused`, `malformed`,
   * `overloaded`, or the signal's error
   */
  ask<R extends Request>(
    peer: NodeRecord,
    request: R,
    options: AskOptions,
    signal: AbortSignal,
  ): Promise<Answer<R>>;
  /**
   * Learns who answers at a bare address, without telling who we are.
   *
   * @throws `unreachable`, `timeout`, `refused`, `malformed`, `forged`, or the signal's error
   */
  firstContact(address: Address, signal: AbortSignal): Promise<NodeRecord>;
  /** Every open session. */
  sessions(): readonly SessionStatus[];
  /** Where a peer's packets come from now; `undefined` without a session. */
  remoteOf(id: NodeId): Address | undefined;
}

/** What a node gives to whatever carries its messages. */
export type PeerNetParts = {
  readonly self: Self;
  /** Answers the requests of every peer. */
  readonly handler: Handler;
  /** Hears of every new session: the peer's fresh record, and where the peer sees us. Must not throw. */
  readonly onSession: (met: Met) => void;
  /** Hears of a peer that said goodbye for good. Must not throw. */
  readonly onLeave: (id: NodeId) => void;
  /** Hears when a session is over. Must not throw. */
  readonly onEnd?: (met: Met) => void;
  /** How this node looks from outside; without it neither does it meet whom it cannot dial nor help others to. */
  readonly standing?: Standing | undefined;
  /** Who named a peer, the latest first. */
  readonly namedBy?: (id: NodeId) => readonly NodeId[];
  /** Relays by their records, as far as the node knows any. */
  readonly relays?: () => readonly NodeRecord[];
};

/** Starts to carry the messages of one node, until it is disposed or the signal aborts. */
export type OpenPeerNet = (
  parts: PeerNetParts,
  runtime: Runtime,
  signal: AbortSignal,
) => PeerNet;
