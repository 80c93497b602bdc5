/** What a node's sessions are made of. */
import type { Address, NodeId } from "@tesseras/core";
import type { NodeRecord } from "@tesseras/wire";
import type { Admission } from "./admission.ts";
import type { ClimbParts } from "./climb.ts";
import type { Self, Session } from "./hello.ts";
import type { Handler } from "./serve.ts";
import type { Standing } from "./standing.ts";
import type { Transport } from "./transport.ts";

/** What a node's sessions are made of. */
export type PeersParts = {
  /** Borrowed: whoever opened it disposes it, after the sessions. Its `admit` should be that of {@link PeersParts.admission}. */
  readonly transport: Transport;
  readonly self: Self;
  /** Answers the requests of every peer. */
  readonly handler: Handler;
  readonly admission: Admission;
  /** The last word of the embedding application on a peer that has proven who it is. */
  readonly allow?: (peer: NodeRecord, remote: Address) => boolean;
  /** Hears of every new session: the peer's fresh record, and where the peer sees us. Must not throw. */
  readonly onSession?: (session: Session) => void;
  /** Hears of a peer that said goodbye for good and has no other session. Must not throw. */
  readonly onLeave?: (id: NodeId) => void;
  /** Hears when a session is over. Must not throw. */
  readonly onEnd?: (session: Session) => void;
  /** How the node looks from outside; without it neither does it meet whom it cannot dial nor help others to. */
  readonly standing?: Standing | undefined;
  /** Who named a peer, the latest first. */
  readonly namedBy?: ClimbParts["namedBy"];
  /** Relays by their records, as far as the node knows any. */
  readonly relays?: () => readonly NodeRecord[];
  /** Hears of every way to a peer that was tried. Must not throw. */
  readonly onRung?: ClimbParts["onRung"];
  /** Dialled connections held at once; `DIALLED_MAX` unless given. */
  readonly dialledMax?: number;
};
