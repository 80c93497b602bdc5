/** The answerer's half of the wire of a hello: a challenge for whoever dials, on its way before the handshake is over. */
import { codeOf, orAbort, type Runtime, type Tasks } from "@tesseras/core";
import { HELLO_TIMEOUT_MS } from "@tesseras/core/limits";
import { type Challenge, HELLO_NONCE_BYTES, type Proof } from "@tesseras/wire";
import { ask } from "./ask.ts";
import type { Self } from "./hello.ts";
import type { Connection, Greet } from "./transport.ts";

/** What came back on a challenge: nothing of it is checked but that it is a proof. */
export type Answered = {
  /** What was to be signed; it was drawn for this connection and serves once. */
  readonly nonce: Uint8Array;
  readonly proof: Proof;
};

/** What challenges are made of. `tasks` outlives them. */
export type ChallengeParts = {
  readonly self: Self;
  readonly tasks: Tasks;
};

/**
 * The challenges of one node. One sent by {@link Challenges.greet} arrives with the end of the handshake, so that proof and first
 * request leave a round trip after the first packet and the answer is there after two. A nonce is no secret and worth nothing
 * without the dialer's key, so it may go to somebody whose address is not yet proven; that costs us about 0.1 ms and as
 * many bytes as a record, and is bounded by the handshakes a transport has under way.
 */
export class Challenges {
  readonly #parts: ChallengeParts;
  readonly #runtime: Runtime;
  /** Of connections that were greeted and not yet accepted. What is never accepted goes with its connection. */
  readonly #sent = new WeakMap<Connection, Promise<Answered>>();

  constructor(parts: ChallengeParts, runtime: Runtime) {
    this.#parts = parts;
    this.#runtime = runtime;
  }

  /** Sends a challenge. What becomes of it is told to {@link Challenges.answerOf}, and to nobody if that is never asked. */
  readonly greet: Greet = (connection) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    promise.catch(() => {});
    const began = this.#parts.tasks.spawn(async (signal) => {
      try {
        resolve(await this.#challenge(connection, signal));
      } catch (error) {
        reject(error);
        if (codeOf(error) === undefined) throw error;
      }
    });
    if (began) this.#sent.set(connection, promise);
  };

  /** What the dialer answers, which is challenged now unless it has been. @throws as {@link ask} */
  async answerOf(
    connection: Connection,
    signal: AbortSignal,
  ): Promise<Answered> {
    const sent = this.#sent.get(connection);
    this.#sent.delete(connection);
    return await (sent === undefined
      ? this.#challenge(connection, signal)
      : orAbort(sent, signal));
  }

  async #challenge(
    connection: Connection,
    signal: AbortSignal,
  ): Promise<Answered> {
    const nonce = this.#runtime.random.bytes(HELLO_NONCE_BYTES);
    const request: Challenge = {
      type: "challenge",
      nonce,
      record: this.#parts.self.record().bytes,
      observed: connection.remote,
    };
    const { response: proof } = await ask(
      { connection, request, timeoutMs: HELLO_TIMEOUT_MS },
      this.#runtime,
      signal,
    );
    return { nonce, proof };
  }
}
