/**
 * Who is at the other end. The transport shows a dialer who answers; the hello shows an answerer who dialled: the answerer
 * sends a nonce, the dialer signs it with both ids. A signature made for one answerer is worth nothing to another, and a
 * nonce serves once.
 */
import {
  type Address,
  codeOf,
  type CounterName,
  equal,
  type ErrorCode,
  keyOf,
  messageOf,
  type Runtime,
  TesserasError,
} from "@tesseras/core";
import { HELLO_TIMEOUT_MS, WIRE_VERSION } from "@tesseras/core/limits";
import {
  leadingZeroBits,
  type NodeSigner,
  verifyEd25519,
} from "@tesseras/crypto";
import {
  type Challenge,
  decodeMessage,
  encodeFrame,
  type NodeRecord,
  proofBytes,
  readNodeRecord,
} from "@tesseras/wire";
import type { Answered, Challenges } from "./challenges.ts";
import { FrameReader } from "./frames.ts";
import {
  CLOSED_FRIENDLY,
  CLOSED_REFUSED,
  type Connection,
  type Stream,
} from "./transport.ts";
import type { Way } from "./way.ts";

/** Why we close a connection; the peer is told the number and a short reason. */
export const CLOSE = {
  /** Nothing is wrong: idle, a duplicate, a first contact. */
  done: CLOSED_FRIENDLY,
  /** No room now. */
  overloaded: CLOSED_REFUSED,
  /** The hello failed, or policy says no: coming back as the same will not help. */
  refused: 2,
  /** The node stops: whoever hears it need not ask there again. It speaks for the closer alone, and the hello says who that is. */
  leaving: 3,
} as const;

/** This node, as its sessions present it. */
export type Self = {
  readonly identity: NodeSigner;
  /** The node's own signed record, fresh enough to be accepted. */
  readonly record: () => NodeRecord;
  /** Leading zero bits the network asks of ids. */
  readonly powBits: number;
};

/** A connection whose ends know each other. */
export type Session = {
  readonly connection: Connection;
  /** The peer's record as it was at the hello. */
  readonly peer: NodeRecord;
  /** Where the peer says our packets come from; only an answerer says so. One peer's word, to be weighed. */
  readonly observed: Address | undefined;
  /** Whether we dialled. */
  readonly dialled: boolean;
  /** A hello cannot tell: it says `direct`, and whoever knows better says so. */
  readonly way: Way;
};

/**
 * Answers a connection: has its dialer prove who it is. Streams that the dialer opens before wait unread, as many as any peer may
 * open, and end with the connection when the hello fails. Counts what fails and leaves closing to the caller.
 *
 * @throws `timeout`, `malformed`, `forged`, `refused`, `unreachable`, or the signal's error
 */
export async function answerHello(
  connection: Connection,
  { self, runtime, challenges }: {
    readonly self: Self;
    readonly runtime: Runtime;
    readonly challenges: Challenges;
  },
  signal: AbortSignal,
): Promise<Session> {
  const counted = new Failure(runtime);
  try {
    const answered = await challenges.answerOf(connection, signal);
    const peer = proven(answered, { self, runtime, counted });
    runtime.counters.add("hello.accepted");
    return {
      connection,
      peer,
      observed: undefined,
      dialled: false,
      way: "direct",
    };
  } catch (error) {
    counted.count(error);
    throw error;
  }
}

/** The record of a dialer whose proof is one. */
function proven(
  { nonce, proof }: Answered,
  { self, runtime, counted }: {
    readonly self: Self;
    readonly runtime: Runtime;
    readonly counted: Failure;
  },
): NodeRecord {
  counted.step = "hello.forged_record";
  // Work is checked apart from the rest, so that an operator can tell cheap identities from forgeries.
  const anyWork = { ...self, powBits: 0 };
  const peer = readRecord(proof.record, { self: anyWork, runtime });
  counted.step = "hello.weak_work";
  requireWork(peer, self.powBits);
  counted.step = "hello.self";
  refuseSelf(peer, self);
  counted.step = "hello.forged_proof";
  const signed = proofBytes(nonce, self.identity.id, peer.id);
  if (!verifyEd25519(peer.publicKey, signed, proof.signature)) {
    throw new TesserasError(
      "forged",
      `Cannot accept ${
        keyOf(peer.id)
      }: its proof does not answer our challenge`,
    );
  }
  return peer;
}

/** Which counter a failed hello belongs to: the step it failed in, or how the waiting for the proof ended. */
class Failure {
  /** The check under way; unset while the proof is awaited. */
  step: CounterName | undefined;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  count(error: unknown): void {
    const code = codeOf(error);
    if (code === undefined || code === "cancelled") return;
    const name = this.#nameOf(code);
    this.#runtime.counters.add(name);
    this.#runtime.log.debug("hello.failed", { name, reason: messageOf(error) });
  }

  #nameOf(code: ErrorCode): CounterName {
    if (code === "malformed" || code === "corrupt") return "hello.malformed";
    if (this.step !== undefined) return this.step;
    return code === "timeout" ? "hello.timeout" : "hello.unfinished";
  }
}

/**
 * Presents us on a connection we dialled to the peer `pinned`: reads its challenge and proves who we are. Does not wait for the
 * peer to agree: who it is was shown by the transport, so requests may follow at once, and go unanswered if it does not.
 *
 * @throws `forged` when the challenge is another node's; `timeout`, `malformed`, `refused`, `unreachable`, or the signal's error
 */
export async function dialHello(
  connection: Connection,
  { self, runtime, pinned }: {
    readonly self: Self;
    readonly runtime: Runtime;
    readonly pinned: Pick<NodeRecord, "id" | "publicKey">;
  },
  signal: AbortSignal,
): Promise<Session> {
  using deadline = runtime.clock.deadline(HELLO_TIMEOUT_MS, signal);
  using opened = await acceptChallenge(connection, deadline.signal);
  const { request, stream, id } = opened;
  const peer = readRecord(request.record, { self, runtime });
  // An answerer that passes on another's challenge would have us sign in to that other for it. The id is compared too, because
  // one key has as many ids as its holder cares to mint.
  if (!equal(peer.publicKey, pinned.publicKey) || !equal(peer.id, pinned.id)) {
    runtime.counters.add("hello.wrong_answerer");
    throw new TesserasError(
      "forged",
      `Cannot prove identity: the challenge is from ${
        keyOf(peer.id)
      }, who is not the peer we dialled`,
    );
  }
  refuseSelf(peer, self);
  const { identity } = self;
  const signature = identity.sign(
    proofBytes(request.nonce, peer.id, identity.id),
  );
  const body = {
    type: "proof",
    record: self.record().bytes,
    signature,
  } as const;
  await stream.write(
    encodeFrame({ v: WIRE_VERSION, id, body }),
    deadline.signal,
  );
  await stream.finish(deadline.signal);
  const { observed } = request;
  return { connection, peer, observed, dialled: true, way: "direct" };
}

/**
 * Learns who answers on a connection that expects nobody in particular. Signs nothing: whoever answers may be in the
 * middle. What it returns holds its own signature and work, and is to be dialled again, pinned.
 *
 * @throws `timeout`, `malformed`, `forged`, `refused`, `unreachable`, or the signal's error
 */
export async function firstContactHello(
  connection: Connection,
  { self, runtime }: { readonly self: Self; readonly runtime: Runtime },
  signal: AbortSignal,
): Promise<NodeRecord> {
  using deadline = runtime.clock.deadline(HELLO_TIMEOUT_MS, signal);
  using opened = await acceptChallenge(connection, deadline.signal);
  const peer = readRecord(opened.request.record, { self, runtime });
  refuseSelf(peer, self);
  return peer;
}

type Challenged = Disposable & {
  readonly id: number;
  readonly request: Challenge;
  readonly stream: Stream;
};

async function acceptChallenge(
  connection: Connection,
  signal: AbortSignal,
): Promise<Challenged> {
  using held = new DisposableStack();
  const stream = await connection.accept(signal);
  if (stream === undefined) throw goneError();
  held.defer(() => stream.abandon());
  const message = await new FrameReader(stream).next(signal);
  if (message === undefined) throw goneError();
  const { id, body } = decodeMessage(message);
  if (body.type !== "challenge") {
    throw new TesserasError(
      "malformed",
      `Cannot prove identity: the peer began with ${body.type}, wanted challenge`,
    );
  }
  const kept = held.move();
  return {
    id,
    request: body,
    stream,
    [Symbol.dispose]: () => kept.dispose(),
  };
}

function goneError(): TesserasError {
  return new TesserasError(
    "refused",
    "Cannot prove identity: the peer ended the connection without a challenge",
  );
}

function readRecord(
  bytes: Uint8Array,
  { self, runtime }: { readonly self: Self; readonly runtime: Runtime },
): NodeRecord {
  const nowMs = runtime.clock.nowMs();
  return readNodeRecord(bytes, { nowMs, powBits: self.powBits });
}

function requireWork(peer: NodeRecord, powBits: number): void {
  const bits = leadingZeroBits(peer.id);
  if (bits >= powBits) return;
  throw new TesserasError(
    "forged",
    `Cannot accept ${
      keyOf(peer.id)
    }: its id has ${bits} leading zero bits, the network wants ${powBits}`,
  );
}

/** Talking to oneself would fill the routing table with a peer that is never away. */
function refuseSelf(peer: NodeRecord, self: Self): void {
  if (!equal(peer.publicKey, self.identity.publicKey)) return;
  throw new TesserasError(
    "refused",
    "Cannot open session: the node at the other end is this one",
  );
}
