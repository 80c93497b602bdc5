/** What to make of a session on which nothing is heard. Decides only; nothing here waits, and all times are on the monotonic clock. */
import { DIAL_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from "@tesseras/core/limits";

/** How long whoever is there may take over a question that is answered from memory: a busy processor and two packets lost. */
const ANSWER_MS = 1_000;
/** The same on the slowest line: a peer that answers slowly delays our doubts no further. */
const ANSWER_MS_MAX = 4_000;
/** Round trips in which such an answer comes, lost packets sent again. */
const ROUND_TRIPS = 4;
/** After pings that were answered the next one waits longer, up to two to the power of this: that peer is slow and not gone. */
const DOUBLINGS_MAX = 3;
/** A wait is cut into so many parts, because a question that comes meanwhile may be due sooner. */
const LOOKS = 4;
/** How long one dial must do for a session: a peer that says nothing costs us one dial in the time of a request. */
const DIAL_PAUSE_MS = REQUEST_TIMEOUT_MS;

/** What to do now about a session. */
export type SilenceStep =
  /** Nothing is asked, so nothing is owed. */
  | { readonly do: "rest" }
  /** Look again after so long. */
  | { readonly do: "wait"; readonly ms: number }
  /** Ask something that whoever is there answers at once: what is asked now may take long. */
  | { readonly do: "ping" }
  /** Nobody seems to be there: dial, to see whether the peer was started again or has moved. */
  | { readonly do: "dial" }
  /** Nobody was there for as long as a dial takes, though others are heard: give the session up. */
  | { readonly do: "end" };

type Asked = { readonly ms: number; readonly quick: boolean };

/** What was asked on one session and when its peer was last heard. */
export class Silence {
  /** Oldest first; as many as a connection has streams. */
  readonly #asked = new Set<Asked>();
  #heardMs: number;
  #pingedMs = -Infinity;
  #pingCount = 0;
  /** From when on a dial may tell us more than we know. */
  #dialMs: number;
  #isNew = true;
  #quickestMs = 0;

  /** @param openedMs when the session's hello was done: the peer was heard then */
  constructor(openedMs: number) {
    this.#heardMs = openedMs;
    // Whoever shook hands a moment ago and never said a word would do the same again.
    this.#dialMs = openedMs + DIAL_PAUSE_MS;
  }

  /** When the peer was last heard. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The quickest answer to a quick question, in milliseconds: a round trip and little more. `undefined` before the first. */
  get quickestMs(): number | undefined {
    return this.#quickestMs === 0 ? undefined : this.#quickestMs;
  }

  /** When the oldest question under way was sent; `undefined` when none is. */
  get askedMs(): number | undefined {
    return this.#asked.values().next().value?.ms;
  }

  /** A question leaves. `quick` is one that the peer answers from memory. Dispose what it returns when the question is over. */
  asked(quick: boolean, nowMs: number): Disposable {
    const asked = { ms: nowMs, quick };
    this.#asked.add(asked);
    return {
      [Symbol.dispose]: () => {
        this.#asked.delete(asked);
        if (this.#asked.size === 0) this.#pingCount = 0;
      },
    };
  }

  /** The peer has sent something. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#dialMs = nowMs;
  }

  /** A quick question was answered after `ms`: the line is no slower than that. */
  answered(ms: number): void {
    this.#quickestMs = this.#quickestMs === 0
      ? ms
      : Math.min(this.#quickestMs, ms);
  }

  /** The `ping` of {@link next} is done. */
  pinged(nowMs: number): void {
    this.#pingedMs = nowMs;
    this.#pingCount++;
  }

  /** The `dial` of {@link next} is done; also said to the session that came of it, which is not doubted at once. */
  dialled(nowMs: number): void {
    this.#isNew = false;
    this.#dialMs = nowMs + DIAL_PAUSE_MS;
  }

  /**
   * What to do now.
   *
   * @param provenMs when the latest question was sent that any peer has answered: before it our own line worked
   */
  next(nowMs: number, provenMs: number): SilenceStep {
    const { askedMs } = this;
    if (askedMs === undefined) return { do: "rest" };
    const answerMs = this.#answerMs();
    const lookMs = answerMs / LOOKS;
    const quickMs = this.#quickMs();
    if (quickMs === undefined) {
      const sinceMs = Math.max(askedMs, this.#heardMs, this.#pingedMs);
      const doublings = Math.min(this.#pingCount, DOUBLINGS_MAX);
      const dueMs = sinceMs + answerMs / 2 * 2 ** doublings;
      if (nowMs >= dueMs) return { do: "ping" };
      return { do: "wait", ms: Math.min(dueMs - nowMs, lookMs) };
    }
    const dueMs = quickMs + answerMs;
    if (nowMs < dueMs) {
      return { do: "wait", ms: Math.min(dueMs - nowMs, lookMs) };
    }
    if (nowMs >= this.#dialMs) return { do: "dial" };
    const gone = nowMs >= dueMs + DIAL_TIMEOUT_MS && provenMs > quickMs;
    return gone ? { do: "end" } : { do: "wait", ms: lookMs };
  }

  /** When the oldest quick question was sent of those under way that nothing was heard since. */
  #quickMs(): number | undefined {
    for (const { quick, ms } of this.#asked) {
      if (quick && ms >= this.#heardMs) return ms;
    }
    return undefined;
  }

  #answerMs(): number {
    const patienceMs = ROUND_TRIPS * this.#quickestMs;
    return Math.min(ANSWER_MS_MAX, Math.max(ANSWER_MS, patienceMs));
  }
}
