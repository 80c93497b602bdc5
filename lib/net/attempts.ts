/** One side of a punch: dials the peer at every address it asked for, until either side's dial stands. */
import {
  type Address,
  codeOf,
  keyOf,
  type NodeId,
  type Runtime,
  Tasks,
  TesserasError,
} from "@tesseras/core";
import { PUNCH_TIMEOUT_MS } from "@tesseras/core/limits";
import { FirstDial, Punch } from "@tesseras/nat";
import type { NodeRecord } from "@tesseras/wire";
import type { Bell } from "./bell.ts";
import { CLOSE, dialHello, type Self, type Session } from "./hello.ts";
import type { Connection, Transport } from "./transport.ts";

/** What a punch needs. */
export type AttemptParts = {
  readonly transport: Transport;
  readonly self: Self;
  readonly runtime: Runtime;
  /** Rings with every new session. */
  readonly arrivals: Bell;
  /** The session with a peer that was opened no earlier than that, by whomever. */
  readonly sessionSince: (id: NodeId, sinceMs: number) => Session | undefined;
  /** Takes in a session we dialled. */
  readonly adopt: (session: Session) => void;
};

/** A punch both sides have agreed on. */
export type AgreedPunch = {
  readonly peer: Pick<NodeRecord, "id" | "publicKey">;
  readonly targets: readonly Address[];
  /** When to begin, and since when a session with the peer counts as its outcome; on the monotonic clock. */
  readonly startMs: number;
  readonly sinceMs: number;
};

/**
 * Carries out one side of a punch. Whoever of the two connects first, both have the session; what else was dialled is stopped, or closed
 * without a greeting.
 *
 * @throws `unreachable` when nothing came through, or the signal's error
 */
export async function knock(
  agreed: AgreedPunch,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Session> {
  const { clock } = parts.runtime;
  await using scope = new Tasks(signal);
  const { promise: met, resolve: meet } = Promise.withResolvers<Session>();
  scope.spawn(async (scopeSignal) => {
    meet(await arrival(agreed, parts, scopeSignal));
  });
  const first = new FirstDial();
  const punch = new Punch(agreed.startMs, false);
  for (;;) {
    const step = punch.next(clock.monotonicMs());
    if (step.do === "giveUp") break;
    if (step.do === "dial") {
      for (const target of agreed.targets) {
        scope.spawn(async (scopeSignal) => {
          const dial = { target, first, agreed, parts };
          const session = await attempt(dial, scopeSignal);
          if (session !== undefined) meet(session);
        });
      }
    }
    if (step.do === "wait") {
      const pause = clock.sleep(step.ms, scope.signal);
      const session = await Promise.race([met, pause]);
      if (session !== undefined) return session;
    }
  }
  throw new TesserasError(
    "unreachable",
    `Cannot punch ${keyOf(agreed.peer.id)}: no packet came through`,
  );
}

/** The session that the peer's own dial, or one of ours, has brought. */
async function arrival(
  { peer, sinceMs }: AgreedPunch,
  { arrivals, sessionSince }: AttemptParts,
  signal: AbortSignal,
): Promise<Session> {
  for (;;) {
    const session = sessionSince(peer.id, sinceMs);
    if (session !== undefined) return session;
    await arrivals.wait(signal);
  }
}

type Attempt = {
  readonly target: Address;
  readonly first: FirstDial;
  readonly agreed: AgreedPunch;
  readonly parts: AttemptParts;
};

/** One dial: these packets are the punch. `undefined` when it leads to no session. */
async function attempt(
  { target, first, agreed, parts }: Attempt,
  signal: AbortSignal,
): Promise<Session | undefined> {
  const { runtime, self, transport } = parts;
  const { peer } = agreed;
  let connection: Connection | undefined;
  let isFirst = false;
  try {
    using deadline = runtime.clock.deadline(PUNCH_TIMEOUT_MS, signal);
    const { publicKey } = peer;
    connection = await transport.dial(target, { publicKey }, deadline.signal);
    isFirst = first.take();
    if (!isFirst) {
      connection.close(CLOSE.done, "punch");
      return undefined;
    }
    const hello = { self, runtime, pinned: peer };
    const session = await dialHello(connection, hello, deadline.signal);
    const punched: Session = { ...session, way: "punched" };
    parts.adopt(punched);
    return punched;
  } catch (error) {
    if (isFirst) first.release();
    connection?.close(signal.aborted ? CLOSE.done : CLOSE.refused, "punch");
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
