/**
 * The one error type that crosses module borders, and the two ways to stop on our own bugs.
 *
 * A code says what the caller does next, not what went wrong in detail; the
 * message says that, for a person.
 */

/** Ask another peer: this one cannot help now. */
const ASK_ANOTHER = [
  "timeout",
  "unreachable",
  "overloaded",
  "refused",
  "absent",
] as const;
/** Distrust this peer, file or record: what it gave is not what it must be. */
const DISTRUST = ["malformed", "forged", "corrupt"] as const;
/** Tell the person: only they can change it. */
const TELL_PERSON = [
  "diskFull",
  "tooFew",
  "unusable",
  "missing",
  "inUse",
  "notRunning",
] as const;
/** Stop quietly: somebody asked for it. */
const STOP = ["cancelled"] as const;

/** Every code there is. The set is closed: a new one needs a decision on who reacts how. */
export const ERROR_CODES = [
  ...ASK_ANOTHER,
  ...DISTRUST,
  ...TELL_PERSON,
  ...STOP,
] as const;

/** What the caller does next. See {@link ERROR_CODES}. */
export type ErrorCode = typeof ERROR_CODES[number];

/** The four answers to a failure. */
export type ErrorGroup = "askAnother" | "distrust" | "tellPerson" | "stop";

/** An expected failure: a peer lied, a deadline passed, a disk filled up, an input cannot be used. */
export class TesserasError extends Error {
  override readonly name = "TesserasError";
  readonly code: ErrorCode;

  /**
   * @param code what the caller does next
   * @param message what we tried, then what we saw and wanted; capital, no final period
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The code of an error, or `undefined` for anything that is not a {@link TesserasError}. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof TesserasError ? error.code : undefined;
}

/** The group of a code: what the caller does next. */
export function groupOf(code: ErrorCode): ErrorGroup {
  if ((ASK_ANOTHER as readonly string[]).includes(code)) return "askAnother";
  if ((DISTRUST as readonly string[]).includes(code)) return "distrust";
  if ((TELL_PERSON as readonly string[]).includes(code)) return "tellPerson";
  return "stop";
}

/** The sentence of any thrown value, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Stops the process on a broken invariant: our bug, never a peer's doing. Also in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${message}`);
}

/** Marks a branch the type checker has proven empty; a new union member breaks the build here. */
export function unreachable(value: never): never {
  throw new Error(`Invariant broken: unexpected ${JSON.stringify(value)}`);
}

/** Throws `cancelled` when the signal is aborted, keeping a {@link TesserasError} reason as it is. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}

/** The error an aborted signal stands for: its reason when that is ours (a deadline's `timeout`), else `cancelled`. */
export function abortError(signal: AbortSignal): TesserasError {
  if (signal.reason instanceof TesserasError) return signal.reason;
  return new TesserasError("cancelled", "Stopped on request", {
    cause: signal.reason,
  });
}
