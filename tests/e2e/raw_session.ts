/** A connection to a node used by hand: every byte of every stream is the test's own. */
import { concat, u32be } from "@tesseras/core";
import { WIRE_VERSION } from "@tesseras/core/limits";
import {
  type Connection,
  dialHello,
  FrameReader,
  type Stream,
} from "@tesseras/net";
import {
  decodeMessage,
  encodeFrame,
  type Envelope,
  type NodeRecord,
  type Request,
} from "@tesseras/wire";
import type { Outsider } from "./outsider.ts";

/** Connects, and proves nothing. */
export function connect(
  from: Outsider,
  victim: NodeRecord,
  signal: AbortSignal,
): Promise<Connection> {
  const [address] = victim.addresses;
  return from.transport.dial(address!, victim, signal);
}

/** Connects and proves who it is, as an honest node does. */
export async function session(
  from: Outsider,
  victim: NodeRecord,
  signal: AbortSignal,
): Promise<Connection> {
  const { self, runtime } = from;
  const connection = await connect(from, victim, signal);
  await dialHello(connection, { self, runtime, pinned: victim }, signal);
  return connection;
}

/** What a node answers to bytes on a stream of their own: the code of its error, or the type of its answer. */
export async function answerTo(
  connection: Connection,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const stream = await connection.open(signal);
  try {
    await stream.write(bytes, signal);
    await stream.finish(signal);
    return await answerOn(stream, signal);
  } finally {
    stream.abandon();
  }
}

/** What arrives on a stream: the code of an error, the type of an answer, or `nothing`. */
export async function answerOn(
  stream: Stream,
  signal: AbortSignal,
): Promise<string> {
  const message = await new FrameReader(stream).next(signal);
  if (message === undefined) return "nothing";
  const { body } = decodeMessage(message);
  return body.type === "error" ? body.code : body.type;
}

/** The frame of a request, as an honest node would send it. */
export function frameOf(body: Request): Uint8Array {
  return encodeFrame({ v: WIRE_VERSION, id: 7, body });
}

/** Any payload behind its true length. */
export function framed(payload: Uint8Array): Uint8Array {
  return concat([u32be(payload.length), payload]);
}

/** The first message of an answerer, and the stream to answer on. */
export async function challengeOn(
  connection: Connection,
  signal: AbortSignal,
): Promise<{ readonly stream: Stream; readonly envelope: Envelope }> {
  const stream = await connection.accept(signal);
  if (stream === undefined) throw new Error("Closed without a challenge");
  const message = await new FrameReader(stream).next(signal);
  return { stream, envelope: decodeMessage(message!) };
}
