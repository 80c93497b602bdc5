/** The real clock, randomness and log lines: adapters, imported by programs and tests only. */
import { type Clock, clockOf } from "./clock.ts";
import { type Log, LOG_LEVELS, type LogLevel, logTo } from "./log.ts";
import { checkLimit, type Random } from "./random.ts";

/** The operating system's clock. */
export const systemClock: Clock = clockOf({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    // Timers take 31 bits of milliseconds; a longer wait is walked in steps.
    const longest = 0x7fff_ffff;
    let timer: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      timer = left > longest
        ? setTimeout(() => arm(left - longest), longest)
        : setTimeout(callback, left);
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
});

/** The operating system's cryptographic randomness. */
export const systemRandom: Random = {
  bytes(count) {
    const bytes = new Uint8Array(count);
    // getRandomValues fills at most 64 KiB a call.
    for (let at = 0; at < count; at += 65536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    }
    return bytes;
  },
  below(limit) {
    checkLimit(limit);
    // Rejection keeps every value equally likely.
    const ceiling = Math.floor(0x1_0000_0000 / limit) * limit;
    for (;;) {
      const drawn = crypto.getRandomValues(new Uint32Array(1))[0]!;
      if (drawn < ceiling) return drawn % limit;
    }
  },
};

/** How log lines look. */
export type LogFormat = "json" | "text";

/** A log that writes one line an event, from a level up. */
export function lineLog(
  format: LogFormat,
  least: LogLevel,
  write: (line: string) => void,
): Log {
  const from = LOG_LEVELS.indexOf(least);
  return logTo((level, event, fields) => {
    if (LOG_LEVELS.indexOf(level) < from) return;
    const at = new Date().toISOString();
    if (format === "json") {
      return write(visible(JSON.stringify({ at, level, event, ...fields })));
    }
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) =>
        ` ${name}=${typeof value === "string" ? quoted(value) : value}`
      ).join("");
    write(`${at} ${level.padEnd(5)} ${event}${details}`);
  });
}

/** Bare where that cannot be mistaken; quoted otherwise, so that a value cannot forge a line. */
function quoted(value: string): string {
  return /^[\w.:/@[\]+-]+$/.test(value)
    ? value
    : visible(JSON.stringify(value));
}

/**
 * Escapes what JSON leaves as it is and a terminal or a reader obeys: C1 controls, line and paragraph separators, and the
 * marks that turn the direction of writing.
 */
function visible(json: string): string {
  return json.replaceAll(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (letter) => "\\u" + letter.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
