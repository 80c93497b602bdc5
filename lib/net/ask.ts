/** The asking half of a request: one fresh stream, one message out, one message back, bulk octets behind either. */
import { assert, codeOf, type Runtime, TesserasError } from "@tesseras/core";
import { KIB, REQUEST_TIMEOUT_MS, WIRE_VERSION } from "@tesseras/core/limits";
import {
  decodeMessage,
  encodeFrame,
  type Envelope,
  isResponseTo,
  MESSAGE_ID_MAX,
  REGISTRY,
  type Request,
  type ResponseOf,
} from "@tesseras/wire";
import {
  announcedBytes,
  type BulkReader,
  type BulkSource,
  sendBulk,
  StreamBulk,
} from "./bulk.ts";
import { FrameReader } from "./frames.ts";
import type { Connection, Stream } from "./transport.ts";

/** What may go with a request. */
export type AskOptions = {
  /** Octets behind the request, as many as it announces. */
  readonly bulk?: BulkSource;
  /** How long the answer may take, counted from when the last octet should have reached the peer. */
  readonly timeoutMs?: number;
};

/** Hears of what passes over a connection, so that an idle or dead one can be told from a busy one. */
export interface Activity {
  /** A request begins, asked or served. What it returns is disposed when the request and its octets are over. */
  began(): Disposable;
  /** A request of ours has a stream and leaves on it. What it returns is disposed as that of {@link began}. */
  asked(request: Request): Disposable;
  /** The peer has sent a whole message or octets of bulk, or has taken some. */
  heard(): void;
}

/** A request and the connection it goes over. */
export type Call<R extends Request> = AskOptions & {
  readonly connection: Connection;
  readonly request: R;
  readonly activity?: Activity;
};

/** What came back. Read `bulk` to its end or dispose it. */
export type Answer<R extends Request> = {
  readonly response: ResponseOf<R>;
  readonly bulk: BulkReader | undefined;
};

/** The id of no request: that of an error answer to a message whose id could not be read. */
export const UNREAD_ID = 0;

/** Octets that may be sent and not yet received: a stream's window (measured). */
const WINDOW_BYTES = 1_250_000;
/** The slowest line whose window we wait for, in bytes a second: what a relay grants a stranger (user guide, 64 KB/s). */
const SLOW_LINE_BYTES_PER_SECOND = 64 * KIB;

type Exchange = {
  readonly stream: Stream;
  readonly frames: FrameReader;
  readonly frame: Uint8Array;
  readonly timeoutMs: number;
};

/**
 * Asks and waits for the answer's header; its bulk is read afterwards.
 *
 * @throws the peer's own code when it answers with an error; `timeout`; `unreachable` when the connection died; `refused` when
 * the peer gave up the stream; `malformed` or `corrupt` for an answer that is none; or the signal's error
 */
export async function ask<R extends Request>(
  call: Call<R>,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Answer<R>> {
  const { clock, random } = runtime;
  assert(
    announcedBytes(call.request) === call.bulk?.bytes,
    `a ${call.request.type} brings the octets it announces`,
  );
  // Each request has a stream of its own, so the id need not be unique: its echo shows that the answer is to this question.
  const id = 1 + random.below(MESSAGE_ID_MAX);
  const frame = encodeFrame({ v: WIRE_VERSION, id, body: call.request });
  const timeoutMs = call.timeoutMs ?? REQUEST_TIMEOUT_MS;
  using held = new DisposableStack();
  if (call.activity) held.use(call.activity.began());
  using opening = clock.deadline(timeoutMs, signal);
  const stream = await call.connection.open(opening.signal);
  held.defer(() => stream.abandon());
  if (call.activity) held.use(call.activity.asked(call.request));
  const frames = new FrameReader(stream);
  const exchange = { stream, frames, frame, timeoutMs };
  const onTaken = (): void => call.activity?.heard();
  const envelope = call.bulk === undefined
    ? await exchangeMessages(exchange, opening.signal)
    : await exchangeBulk(
      { ...exchange, bulk: call.bulk, onTaken },
      runtime,
      signal,
    );
  call.activity?.heard();
  const response = expected(call.request, id, envelope);
  const bulkBytes = announcedBytes(response);
  if (bulkBytes === undefined) {
    refuseLeftover(response.type, frames);
    return { response, bulk: undefined };
  }
  refuseExcess(call.request, bulkBytes);
  const kept = held.move();
  const bulk = new StreamBulk(
    { frames, clock, onOctets: () => call.activity?.heard() },
    bulkBytes,
    () => kept.dispose(),
  );
  return { response, bulk };
}

async function exchangeMessages(
  { stream, frames, frame }: Exchange,
  signal: AbortSignal,
): Promise<Envelope> {
  await stream.write(frame, signal);
  await stream.finish(signal);
  return await readAnswer(frames, signal);
}

/**
 * Sends the octets and listens at the same time, because a peer that refuses says so at once and reads no further.
 * Whichever half loses its point is stopped and joined.
 */
async function exchangeBulk(
  exchange: Exchange & {
    readonly bulk: BulkSource;
    readonly onTaken: () => void;
  },
  { clock }: Runtime,
  signal: AbortSignal,
): Promise<Envelope> {
  const { stream, frames, frame, timeoutMs, bulk, onTaken } = exchange;
  const over = new AbortController();
  const onAbort = (): void => over.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });

  const send = async (): Promise<void> => {
    using heading = clock.deadline(timeoutMs, over.signal);
    await stream.write(frame, heading.signal);
    await sendBulk({ stream, clock, onTaken }, bulk, over.signal);
    using ending = clock.deadline(timeoutMs, over.signal);
    await stream.finish(ending.signal);
  };
  const answered = readAnswer(frames, over.signal);
  const windowMs = 1000 * Math.min(bulk.bytes, WINDOW_BYTES) /
    SLOW_LINE_BYTES_PER_SECOND;
  const gaveUp = watch(
    send(),
    () => clock.sleep(timeoutMs + windowMs, over.signal),
  );
  try {
    return await Promise.race([answered, gaveUp]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    over.abort();
    await Promise.allSettled([answered, gaveUp]);
  }
}

/** Never resolves before the answer's time is up; rejects with why no answer can be waited for any longer. */
async function watch(
  sending: Promise<void>,
  answerTime: () => Promise<void>,
): Promise<never> {
  let stopped: unknown;
  try {
    await sending;
  } catch (error) {
    // The peer may have stopped reading because it has answered: that answer is still on its way.
    if (codeOf(error) !== "refused") throw error;
    stopped = error;
  }
  await answerTime();
  throw stopped ??
    new TesserasError("timeout", "Cannot ask: all is sent, no answer came");
}

async function readAnswer(
  frames: FrameReader,
  signal: AbortSignal,
): Promise<Envelope> {
  const message = await frames.next(signal);
  if (message === undefined) {
    throw new TesserasError(
      "refused",
      "Cannot ask: the peer ended the stream without an answer",
    );
  }
  return decodeMessage(message);
}

/** @throws `malformed` when bytes follow a message that announces none */
export function refuseLeftover(type: string, frames: FrameReader): void {
  if (frames.leftoverBytes === 0) return;
  throw new TesserasError(
    "malformed",
    `Cannot use ${type}: ${frames.leftoverBytes} bytes follow it, wanted none`,
  );
}

/** @throws `malformed` when an answer announces more octets than were asked for */
function refuseExcess(request: Request, bulkBytes: number): void {
  if (request.type !== "get_fragment" || bulkBytes <= request.length) return;
  throw new TesserasError(
    "malformed",
    `Cannot use fragment: ${bulkBytes} bytes are to follow it, wanted ${request.length} at most`,
  );
}

/** The response, once it is one to this request. */
function expected<R extends Request>(
  request: R,
  id: number,
  envelope: Envelope,
): ResponseOf<R> {
  const { body } = envelope;
  const fits = envelope.id === id ||
    (body.type === "error" && envelope.id === UNREAD_ID);
  if (!fits) {
    throw new TesserasError(
      "malformed",
      `Cannot use answer to ${request.type}: it is to message ${envelope.id}, wanted ${id}`,
    );
  }
  if (body.type === "error") {
    throw new TesserasError(
      body.code,
      `Cannot ${request.type}: the peer answered ${body.code}, ${
        JSON.stringify(body.text)
      }`,
    );
  }
  if (isResponseTo(body, request)) return body;
  throw new TesserasError(
    "malformed",
    `Cannot use answer to ${request.type}: got ${body.type}, wanted ${
      REGISTRY[request.type].answer
    }`,
  );
}
