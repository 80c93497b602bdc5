/** Answers on a network of messages: waiting for one, and what is made of those that are none. */
import {
  abortError,
  codeOf,
  type ErrorCode,
  TesserasError,
  type VirtualClock,
} from "@tesseras/core";
import type { Answer, Reply } from "@tesseras/net";
import { isRequest, isResponseTo, type Request } from "@tesseras/wire";
import { throughGate } from "./message_bytes.ts";

/** A question under way. */
export type Asked<R extends Request> = {
  readonly clock: VirtualClock;
  readonly request: R;
  readonly timeoutMs: number;
  /** Sends it; what it is given is told the answer, once. */
  readonly send: (heard: (response: Reply["response"]) => void) => void;
  /** Hears once that it is over, and why when no answer came. */
  readonly ended: (why: ErrorCode | undefined) => void;
};

/**
 * Sends a question and waits for the answer.
 *
 * @throws the code of an error answer, `malformed` for any other message, `timeout`, or the signal's error
 */
export function awaitAnswer<R extends Request>(
  { clock, request, timeoutMs, send, ended }: Asked<R>,
  signal: AbortSignal,
): Promise<Answer<R>> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const settle = (why: ErrorCode | undefined, act: () => void): void => {
      if (isOver) return;
      isOver = true;
      stop();
      signal.removeEventListener("abort", onAbort);
      ended(why);
      act();
    };
    const fail = (error: TesserasError): void =>
      settle(error.code, () => reject(error));
    const stop = clock.after(
      timeoutMs,
      () => fail(new TesserasError("timeout", "Cannot ask: no answer came")),
    );
    const onAbort = (): void => fail(abortError(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    send((response) =>
      settle(undefined, () => {
        try {
          resolve(answerOf(request, response));
        } catch (error) {
          reject(error);
        }
      })
    );
  });
}

function answerOf<R extends Request>(
  request: R,
  response: Reply["response"],
): Answer<R> {
  if (response.type === "error") {
    throw new TesserasError(response.code, response.text);
  }
  if (isResponseTo(response, request)) return { response, bulk: undefined };
  throw new TesserasError(
    "malformed",
    `Cannot use answer to ${request.type}: got ${response.type}`,
  );
}

/** What the asker makes of a liar's answer: what the gate refuses reads as what it is. */
export function gated({ response }: Reply): Reply["response"] {
  try {
    const passed = throughGate(response);
    return isRequest(passed) ? MALFORMED : passed;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return MALFORMED;
  }
}

const MALFORMED: Reply["response"] = {
  type: "error",
  code: "malformed",
  text: "Cannot read the answer",
};

/** No, you ask too much. */
export function refusal(text: string): Reply {
  return { response: { type: "error", code: "overloaded", text } };
}

/** A dial that found ourselves. */
export function selfError(): TesserasError {
  return new TesserasError("refused", "Cannot dial: that is this node");
}
