/** One exchange with a libSQL server over HTTP: the request that may go out, how long and how much may come back, and whether that can be an answer. */
import {
  type ErrorCode,
  fromUtf8,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";

/** Bytes of an answer: a list of all tesseras of a node that keeps 100,000 of them is some 40 MiB. */
const ANSWER_BYTES_MAX = 64 * MIB;
/** Characters told of what a server says; it may say anything. */
const SAID_LENGTH_MAX = 200;

/** What goes with a call. */
export type Exchange = {
  /** Where it may go, and nowhere else, whatever the server asks for. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Steps of the batch that is asked for: its statements, and what begins and ends a transaction. */
  readonly stepCount: number;
  /** Ends the exchange. */
  readonly signal: AbortSignal;
};

/** The way of one call to the server. */
export type ExchangeFetch = {
  readonly fetch: (request: Request) => Promise<Response>;
  /** What went wrong on it, in our words. */
  readonly failure: () => TesserasError | undefined;
};

/**
 * The `fetch` of one call. The token goes in here, so that no other part of a request knows it. An answer comes out only when it
 * is whole and can be one, for the client above takes a step that is missing for one that was done, and lets two that failed end
 * the process.
 */
export function exchangeFetch(exchange: Exchange): ExchangeFetch {
  let isSpent = false;
  let failure: TesserasError | undefined;
  return {
    failure: () => failure,
    async fetch(request) {
      try {
        // A server may ask for another place, or for a second call in the same stream; neither is ever needed.
        if (isSpent || request.url !== exchange.endpoint) {
          throw serverFailure("unusable", "it asked for another call");
        }
        isSpent = true;
        return await send(request, exchange);
      } catch (error) {
        failure ??= exchange.signal.aborted
          ? undefined
          : toFailure(error, exchange);
        throw error;
      }
    },
  };
}

/** A failure of the server in one sentence. */
export function serverFailure(
  code: ErrorCode,
  saw: string,
): TesserasError {
  return new TesserasError(code, `Cannot use the libSQL server: ${saw}`);
}

/** What a server says, short and without the token, which it knows and might repeat. */
export function said(text: string, token: string | undefined): string {
  const hidden = token ? text.replaceAll(token, "...") : text;
  return JSON.stringify(hidden.slice(0, SAID_LENGTH_MAX));
}

async function send(
  request: Request,
  { token, stepCount, signal }: Exchange,
): Promise<Response> {
  const headers = new Headers(request.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(request, {
    headers,
    signal,
    redirect: "manual",
  });
  const bytes = await bytesOf(response);
  if (response.status !== 200) {
    const text = new TextDecoder().decode(bytes);
    throw statusFailure(response.status, text, token);
  }
  checkAnswer(parse(bytes), stepCount);
  return new Response(bytes, {
    headers: { "content-type": "application/json" },
  });
}

function toFailure(
  error: unknown,
  { token }: Exchange,
): TesserasError {
  if (error instanceof TesserasError) return error;
  // The platform's text names the address, which holds no secret; the cause is dropped all the same, for it holds the request.
  return serverFailure(
    "unreachable",
    `the connection failed: ${said(messageOf(error), token)}`,
  );
}

async function bytesOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) {
      throw serverFailure(
        "unusable",
        `its answer has more than ${ANSWER_BYTES_MAX} bytes`,
      );
    }
    parts.push(part);
  }
  return await new Blob(parts).bytes();
}

function statusFailure(
  status: number,
  text: string,
  token: string | undefined,
): TesserasError {
  const told = `${status} ${said(text, token)}`;
  switch (status) {
    case 401:
    case 403:
      return serverFailure(
        "unusable",
        `it does not accept the token in TESSERAS_STATE_TOKEN (${told})`,
      );
    case 429:
    case 503:
      return serverFailure("overloaded", `it has too much to do (${told})`);
    default:
      return serverFailure("unusable", `it answered ${told}`);
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    // Strictly: a letter that is replaced would be another value.
    return JSON.parse(fromUtf8(bytes));
  } catch {
    throw serverFailure("unusable", "its answer is not JSON");
  }
}

/** @throws `unusable` for what cannot be the answer to one batch in a transaction */
function checkAnswer(answer: unknown, stepCount: number): void {
  for (const one of listAt(answer, "results")) {
    const response = fieldOf(one, "response");
    if (fieldOf(response, "type") !== "batch") continue;
    const result = fieldOf(response, "result");
    const results = listAt(result, "step_results");
    const errors = listAt(result, "step_errors");
    if (results.length !== stepCount || errors.length !== stepCount) {
      throw halfAnswer(
        `${results.length} steps of ${stepCount}`,
      );
    }
    checkSteps(results, errors);
  }
}

/**
 * Every step up to the commit was done, or one failed and none behind it was done. What ends a transaction that failed comes
 * last and may itself fail, as nothing may be open then.
 */
function checkSteps(
  results: readonly unknown[],
  errors: readonly unknown[],
): void {
  const isThere = (one: unknown) => one !== null && one !== undefined;
  let hasFailed = false;
  for (let step = 0; step < results.length - 1; step++) {
    const [isDone, isWrong] = [isThere(results[step]), isThere(errors[step])];
    const isRight = hasFailed ? !isDone && !isWrong : isDone !== isWrong;
    if (!isRight) throw halfAnswer(`step ${step} cannot have ended so`);
    hasFailed ||= isWrong;
  }
}

function halfAnswer(saw: string): TesserasError {
  return serverFailure("unusable", `it gave half an answer: ${saw}`);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  if (Array.isArray(list)) return list;
  throw halfAnswer(`${name} is not a list`);
}
