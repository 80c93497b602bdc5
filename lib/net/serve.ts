/** The answering half of requests: takes the streams a peer opens, one request each, and lets none of them wait for ever. */
import {
  assert,
  codeOf,
  messageOf,
  type Runtime,
  Semaphore,
  Tasks,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  REQUEST_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
  STREAMS_MAX,
  WIRE_VERSION,
} from "@tesseras/core/limits";
import {
  decodeMessage,
  encodeFrame,
  type ErrorAnswer,
  errorAnswerOf,
  isRequest,
  type NodeRecord,
  type Request,
  type Response,
  type WireCode,
} from "@tesseras/wire";
import type { Meter } from "./admission.ts";
import { type Activity, refuseLeftover, UNREAD_ID } from "./ask.ts";
import {
  announcedBytes,
  type BulkReader,
  type BulkSource,
  sendBulk,
  StreamBulk,
  transferTimeoutMs,
} from "./bulk.ts";
import { answerCost, workOf } from "./cost.ts";
import { FrameReader } from "./frames.ts";
import type { Connection, Stream } from "./transport.ts";

/** What a request is answered with. The source's length must be the one the response announces. */
export type Reply = {
  readonly response: Response | ErrorAnswer;
  readonly bulk?: BulkSource;
};

/**
 * Answers one request of a peer whose identity is proven. `bulk` is there when the request announces octets; what is
 * left unread is dropped, so that a refusal costs nothing. A {@link TesserasError} with a code of the wire becomes an error
 * answer with its message; anything else becomes `refused` without details. Must end soon after the signal aborts.
 */
export type Handler = (
  from: NodeRecord,
  request: Request,
  bulk: BulkReader | undefined,
  signal: AbortSignal,
) => Promise<Reply>;

/** One connection to serve. */
export type Serving = {
  readonly connection: Connection;
  /** The peer at its other end. */
  readonly from: NodeRecord;
  readonly handler: Handler;
  /** What the peer may still ask; beyond, it is answered `overloaded`. */
  readonly meter: Meter;
  readonly activity: Activity;
};

type Arrived = {
  readonly id: number;
  readonly request: Request;
  readonly bulk: BulkReader | undefined;
};

/** Serves until the connection is over; then every request still running is cancelled and joined. */
export async function serve(
  serving: Serving,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  await using scope = new Tasks(signal);
  const places = new Semaphore(STREAMS_MAX);
  for (;;) {
    using taken = new DisposableStack();
    taken.use(await places.enter(scope.signal));
    const stream = await serving.connection.accept(scope.signal);
    if (stream === undefined) return;
    taken.defer(() => stream.abandon());
    // A scope that ends starts nothing, and nobody else would give the stream up.
    throwIfAborted(scope.signal);
    taken.use(serving.activity.began());
    const held = taken.move();
    scope.spawn(async (streamSignal) => {
      using _held = held;
      await serveStream({ stream, serving, runtime }, streamSignal);
    });
  }
}

const TOO_MANY: Reply = {
  response: {
    type: "error",
    code: "overloaded",
    text: "Too many requests, ask more slowly",
  },
};

const TOO_MUCH: Reply = {
  response: {
    type: "error",
    code: "overloaded",
    text: "Too much work for you or your subnet, ask for less",
  },
};

type Serve = {
  readonly stream: Stream;
  readonly serving: Serving;
  readonly runtime: Runtime;
};

async function serveStream(serve: Serve, signal: AbortSignal): Promise<void> {
  const { counters, log } = serve.runtime;
  const { meter } = serve.serving;
  // Paid before anything is read, so that what cannot be read is not free either.
  const mayAsk = meter.request();
  try {
    const arrived = await arrive(serve, signal);
    if (arrived === undefined) return;
    // A handler may have stopped reading half way.
    using _bulk = arrived.bulk;
    const sealed = !mayAsk
      ? seal(arrived.id, TOO_MANY)
      : !meter.work(workOf(arrived.request))
      ? seal(arrived.id, TOO_MUCH)
      : await replyTo(serve, arrived, signal);
    meter.answered(answerCost(sealed.frame.length, sealed.bulk?.bytes ?? 0));
    await send(serve, sealed, signal);
    if (sealed.refusal === undefined) return counters.add("rpc.served");
    counters.add("rpc.refused");
    counters.add(`rpc.refused_${sealed.refusal}`);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    counters.add("rpc.unanswered");
    log.debug("request.unanswered", { reason: messageOf(error) });
  }
}

/** Reads the request, or says what is wrong with it and returns `undefined`. */
async function arrive(
  serve: Serve,
  signal: AbortSignal,
): Promise<Arrived | undefined> {
  const { clock, counters } = serve.runtime;
  const frames = new FrameReader(serve.stream);
  try {
    using deadline = clock.deadline(REQUEST_TIMEOUT_MS, signal);
    const message = await frames.next(deadline.signal);
    // A stream without a message is one its opener gave up.
    if (message === undefined) return undefined;
    const arrived = toRequest(message, frames, serve);
    serve.serving.activity.heard();
    return arrived;
  } catch (error) {
    switch (codeOf(error)) {
      case "timeout":
        // Nothing is owed to a sender that trickles.
        counters.add("rpc.slow");
        return undefined;
      case "malformed":
      case "corrupt": {
        counters.add("rpc.malformed");
        const response = errorAnswerOf(error);
        await send(serve, seal(UNREAD_ID, { response }), signal);
        return undefined;
      }
      default:
        throw error;
    }
  }
}

function toRequest(
  message: Uint8Array,
  frames: FrameReader,
  { serving: { activity }, runtime: { clock } }: Serve,
): Arrived {
  const { id, body } = decodeMessage(message);
  if (!isRequest(body)) {
    throw new TesserasError(
      "malformed",
      `Cannot answer message: ${body.type} is no request`,
    );
  }
  const bytes = announcedBytes(body);
  if (bytes === undefined) {
    refuseLeftover(body.type, frames);
    return { id, request: body, bulk: undefined };
  }
  const bulk = new StreamBulk(
    { frames, clock, onOctets: () => activity.heard() },
    bytes,
    () => {},
  );
  return { id, request: body, bulk };
}

/** Asks the handler, under a deadline that leaves room for the announced octets. */
async function replyTo(
  { serving, runtime }: Serve,
  { id, request, bulk }: Arrived,
  signal: AbortSignal,
): Promise<Sealed> {
  const { clock } = runtime;
  const allowedMs = REQUEST_TIMEOUT_MS +
    (bulk === undefined ? 0 : transferTimeoutMs(bulk.bytes));
  using deadline = clock.deadline(allowedMs, signal);
  const { from, handler } = serving;
  try {
    return seal(id, await handler(from, request, bulk, deadline.signal));
  } catch (error) {
    if (codeOf(error) === "cancelled") throw error;
    return seal(id, { response: refusal(error, runtime) });
  }
}

/** An answer ready to be sent. */
type Sealed = {
  readonly frame: Uint8Array;
  readonly bulk: BulkSource | undefined;
  /** The code of an error answer. */
  readonly refusal: WireCode | undefined;
};

/** Encodes an answer. A handler whose answer does not hold together is a bug of ours and fails here, where the peer can be told. */
function seal(id: number, { response, bulk }: Reply): Sealed {
  assert(
    announcedBytes(response) === bulk?.bytes,
    `a ${response.type} brings the octets it announces`,
  );
  const frame = encodeFrame({ v: WIRE_VERSION, id, body: response });
  const refusal = response.type === "error" ? response.code : undefined;
  return { frame, bulk, refusal };
}

/** What the peer learns of a failed request. A bug of ours is counted for the operator. */
function refusal(error: unknown, { counters, log }: Runtime): ErrorAnswer {
  if (codeOf(error) === undefined) {
    counters.add("rpc.handler_failed");
    // Below what operators keep: a peer that found the bug may provoke it at its own pace.
    log.debug("request.failed", { reason: messageOf(error) });
  }
  return errorAnswerOf(error);
}

/** Sends the answer and its octets, and ends our side. The peer has what was sent even when the stream is abandoned next. */
async function send(
  { stream, serving: { activity }, runtime: { clock } }: Serve,
  { frame, bulk }: Sealed,
  signal: AbortSignal,
): Promise<void> {
  using heading = clock.deadline(STALL_TIMEOUT_MS, signal);
  await stream.write(frame, heading.signal);
  if (bulk === undefined) return await stream.finish(heading.signal);
  const onTaken = (): void => activity.heard();
  await sendBulk({ stream, clock, onTaken }, bulk, signal);
  using ending = clock.deadline(STALL_TIMEOUT_MS, signal);
  await stream.finish(ending.signal);
}
