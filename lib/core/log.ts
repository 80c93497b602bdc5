/** Logs are events with fields: past-tense names, no prose, no secrets. */

/** A field's value: a number, a short text, a flag. */
export type LogValue = string | number | boolean | undefined;
/** Named values of one event. */
export type LogFields = Readonly<Record<string, LogValue>>;
/** From the least to the most important. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Where events go. A peer must not be able to make us log above `debug` at its own pace. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** One event as {@link RecordingLog} keeps it. */
export type LogEvent = {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
};

/** Drops everything. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** Makes a log of one function. */
export function logTo(
  write: (level: LogLevel, event: string, fields: LogFields) => void,
): Log {
  return {
    debug: (event, fields = {}) => write("debug", event, fields),
    info: (event, fields = {}) => write("info", event, fields),
    warn: (event, fields = {}) => write("warn", event, fields),
    error: (event, fields = {}) => write("error", event, fields),
  };
}

/** Keeps the latest events, for tests that look at them. */
export class RecordingLog implements Log {
  readonly events: LogEvent[] = [];
  readonly #limit: number;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#keep({ level: "debug", event, fields });
  }
  info(event: string, fields: LogFields = {}): void {
    this.#keep({ level: "info", event, fields });
  }
  warn(event: string, fields: LogFields = {}): void {
    this.#keep({ level: "warn", event, fields });
  }
  error(event: string, fields: LogFields = {}): void {
    this.#keep({ level: "error", event, fields });
  }

  #keep(event: LogEvent): void {
    this.events.push(event);
    if (this.events.length > this.#limit) this.events.shift();
  }
}
