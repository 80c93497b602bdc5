/** The inbound half of sessions: takes connections in as far as there is room, and has each dialer prove who it is. */
import { type Address, codeOf, type Runtime, type Tasks } from "@tesseras/core";
import type { NodeRecord } from "@tesseras/wire";
import type { Admission } from "./admission.ts";
import type { Challenges } from "./challenges.ts";
import { answerHello, CLOSE, type Self, type Session } from "./hello.ts";
import type { Connection, Transport } from "./transport.ts";

/** What stands behind a door. */
export type DoorParts = {
  readonly transport: Transport;
  readonly self: Self;
  readonly admission: Admission;
  readonly challenges: Challenges;
  readonly runtime: Runtime;
  /** Where each connection is attended to. */
  readonly tasks: Tasks;
  /** The last word on a peer that has proven who it is. */
  readonly allow?: ((peer: NodeRecord, remote: Address) => boolean) | undefined;
  /** Takes a session in and attends to it until it is over. */
  readonly attend: (session: Session, signal: AbortSignal) => Promise<void>;
};

/** Accepts connections until the transport or the signal ends. */
export async function keepDoor(
  parts: DoorParts,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const connection = await parts.transport.accept(signal);
    if (connection === undefined) return;
    const place = parts.admission.enter(connection.remote);
    if (place === undefined) {
      connection.close(CLOSE.overloaded, "no room");
      continue;
    }
    parts.tasks.spawn(async (scopeSignal) => {
      using _place = place;
      await welcome(connection, parts, scopeSignal);
    });
    // A scope that ends starts nothing, and nobody else would close the connection.
    if (signal.aborted) connection.close(CLOSE.done, "shutdown");
  }
}

async function welcome(
  connection: Connection,
  parts: DoorParts,
  signal: AbortSignal,
): Promise<void> {
  let session: Session;
  try {
    session = await answerHello(connection, parts, signal);
  } catch (error) {
    if (signal.aborted) connection.close(CLOSE.leaving, "shutdown");
    else connection.close(CLOSE.refused, "hello failed");
    if (codeOf(error) === undefined) throw error;
    return;
  }
  if (parts.allow?.(session.peer, connection.remote) === false) {
    parts.runtime.counters.add("admission.policy_refused");
    return connection.close(CLOSE.refused, "policy");
  }
  await parts.attend(session, signal);
}
