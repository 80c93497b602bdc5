/** How far long work has come: a bar on a terminal, a plain line now and then elsewhere. */
import { printSeconds, printSize, visible } from "./printed.ts";

/** Where progress goes. */
export type ProgressSink = {
  /** Whether it is a terminal, which can go back to the start of a line. */
  readonly terminal: boolean;
  /** Columns of the terminal at this moment. */
  readonly columns: () => number;
  readonly write: (text: string) => void;
  readonly monotonicMs: () => number;
};

/** What is counted. */
export type ProgressUnit = "bytes" | "files";

/** A bar is drawn at most this often, which looks smooth. */
const DRAW_EVERY_MS = 100;
/** A line is written at most this often. */
const LINE_EVERY_MS = 1_000;
/** Cells of the bar at most, and the fewest that still look like one. */
const BAR_CELLS_MAX = 24;
const BAR_CELLS_MIN = 8;
/** A rate over less than this would jump about. */
const RATE_AFTER_MS = 500;
const CLEAR_LINE = "\r\x1b[K";

/** Shows one piece of work after the other. Dispose it when the work is over, however it ended. */
export class Progress implements Disposable {
  readonly #sink: ProgressSink | undefined;
  #label = "";
  #startMs = 0;
  #shownMs = 0;
  #finished = false;
  #drawn = false;

  /** @param sink `undefined` to be silent */
  constructor(sink: ProgressSink | undefined) {
    this.#sink = sink;
  }

  /** Tells how much of the work of this name is done; another name begins another work. Cheap enough to call often. */
  show(
    label: string,
    done: number,
    total: number,
    unit: ProgressUnit = "bytes",
  ): void {
    if (this.#sink === undefined) return;
    const nowMs = this.#sink.monotonicMs();
    if (label !== this.#label) this.#begin(label, nowMs);
    const finished = done >= total;
    const every = this.#sink.terminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
    const due = finished ? !this.#finished : nowMs - this.#shownMs >= every;
    if (!due) return;
    this.#shownMs = nowMs;
    this.#finished = finished;
    const text = this.#text(done, total, unit);
    if (!this.#sink.terminal) return this.#sink.write(`${text}\n`);
    this.#sink.write(
      `\r${barLine(text, share(done, total), this.#sink.columns() - 1)}\x1b[K`,
    );
    this.#drawn = true;
  }

  /** Says something that happened, a line of its own. */
  note(line: string): void {
    if (this.#sink === undefined) return;
    this.#clear();
    this.#sink.write(`${visible(line)}\n`);
  }

  [Symbol.dispose](): void {
    this.#clear();
  }

  #begin(label: string, nowMs: number): void {
    this.#clear();
    this.#label = label;
    this.#startMs = nowMs;
    this.#shownMs = nowMs;
    this.#finished = false;
  }

  #text(done: number, total: number, unit: ProgressUnit): string {
    const percent = Math.floor(100 * share(done, total));
    const amounts = unit === "bytes"
      ? `${printSize(done)} of ${printSize(total)}`
      : `${done} of ${total} files`;
    const elapsedMs = this.#shownMs - this.#startMs;
    const pace = unit === "bytes" && elapsedMs >= RATE_AFTER_MS && done > 0
      ? `, ${printSize(Math.round(done / elapsedMs * 1_000))}/s${
        done < total
          ? `, ${printSeconds((total - done) / done * elapsedMs / 1_000)} left`
          : ""
      }`
      : "";
    return `${this.#label}: ${percent} % (${amounts}${pace})`;
  }

  #clear(): void {
    if (!this.#drawn) return;
    this.#sink?.write(CLEAR_LINE);
    this.#drawn = false;
  }
}

/** The text with as much of a bar before it as fits; a line that wraps could not be drawn over. */
function barLine(text: string, share: number, columns: number): string {
  const room = columns - text.length - "[] ".length;
  const cells = Math.min(BAR_CELLS_MAX, room);
  if (cells < BAR_CELLS_MIN) return text.slice(0, Math.max(0, columns));
  const done = Math.round(cells * share);
  return `[${"#".repeat(done).padEnd(cells, "-")}] ${text}`;
}

/** From 0 to 1; nothing to do is all done. */
function share(done: number, total: number): number {
  return total <= 0 ? 1 : Math.min(1, done / total);
}
