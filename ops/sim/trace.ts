/** The trace of a simulation, as a hash: two runs that did the same have the same. */
import { toHex, utf8 } from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";

/** One thing that was sent. Nodes are named by their printed addresses. */
export type TraceEvent = {
  /** Virtual milliseconds since the clock began. */
  readonly atMs: number;
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  /** How long it is on its way; `undefined` when it never arrives. */
  readonly delayMs: number | undefined;
};

/** Bytes of one event as it is hashed: two times, two names, what it is and its length. */
const EVENT_BYTES = 28;
/** Events hashed at once. */
const EVENTS_MAX = 2_048;

/** Takes in events in order and hashes them. */
export class Trace {
  readonly #hasher = new Blake3();
  readonly #write: ((line: string) => void) | undefined;
  readonly #buffer = new DataView(new ArrayBuffer(EVENTS_MAX * EVENT_BYTES));
  /** Every text is hashed once, when it is new, and is a number from then on. */
  readonly #texts = new Map<string, number>();
  #pendingCount = 0;
  #eventCount = 0;

  /** @param write told of every event as a line, for people */
  constructor(write?: (line: string) => void) {
    this.#write = write;
  }

  /** How many events were taken in. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Takes in one event. */
  add(event: TraceEvent): void {
    const what = this.#numberOf(event.what);
    const from = this.#numberOf(event.from);
    const to = this.#numberOf(event.to);
    const at = this.#pendingCount * EVENT_BYTES;
    this.#buffer.setFloat64(at, event.atMs);
    this.#buffer.setFloat64(at + 8, event.delayMs ?? -1);
    this.#buffer.setUint32(at + 16, from);
    this.#buffer.setUint32(at + 20, to);
    this.#buffer.setUint16(at + 24, what);
    this.#buffer.setUint16(at + 26, event.bytes & 0xffff);
    this.#eventCount++;
    this.#pendingCount++;
    if (this.#pendingCount === EVENTS_MAX) this.#flush();
    if (this.#write !== undefined) this.#write(lineOf(event));
  }

  /** BLAKE3 of everything so far, in hexadecimal. */
  digest(): string {
    this.#flush();
    return toHex(this.#hasher.digest());
  }

  #numberOf(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.size;
    this.#texts.set(text, number);
    this.#flush();
    this.#hasher.update(utf8(`${text}\n`));
    return number;
  }

  #flush(): void {
    const length = this.#pendingCount * EVENT_BYTES;
    this.#hasher.update(new Uint8Array(this.#buffer.buffer, 0, length));
    this.#pendingCount = 0;
  }
}

function lineOf({ atMs, what, from, to, bytes, delayMs }: TraceEvent): string {
  const took = delayMs === undefined ? "lost" : `${delayMs.toFixed(3)} ms`;
  return `${atMs.toFixed(3)} ${what} ${from} ${to} ${bytes} bytes, ${took}`;
}
