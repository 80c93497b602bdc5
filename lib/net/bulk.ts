/**
 * Raw octets behind a message, as many as it announced. Both sides stream: nobody holds more than a chunk, and a
 * peer that stops, trickles, sends too little or too much is noticed.
 */
import { type Clock, TesserasError } from "@tesseras/core";
import {
  BULK_ARRIVAL_BYTES,
  BULK_CHUNK_BYTES,
  STALL_TIMEOUT_MS,
  TRANSFER_BYTES_PER_SECOND_MIN,
} from "@tesseras/core/limits";
import { bulkBytesOf, type Message, REGISTRY } from "@tesseras/wire";
import type { FrameReader } from "./frames.ts";
import { StallWatch } from "./stall.ts";
import { Stride } from "./stride.ts";
import type { Stream } from "./transport.ts";

/** A piece handed over sooner than this found room; a later one waited until the peer had taken others. */
const HANDED_OVER_MS = 10;

/** Octets to send. */
export interface BulkSource {
  /** How many octets {@link chunks} yields. */
  readonly bytes: number;
  /**
   * The octets in order, in pieces of any size, each borrowed until the next is asked for. Called again when those of a request
   * have to be sent again, over another connection, and then begins anew. Must end soon after the signal aborts.
   */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Octets that arrive. Dispose it, or read it to the end: until then it holds its stream. */
export interface BulkReader extends Disposable {
  /** How many octets were announced. */
  readonly bytes: number;
  /**
   * The next octets, borrowed until the next call, or `undefined` when exactly the announced number has arrived.
   *
   * @throws `corrupt` for more or fewer octets than announced, `timeout` when they stand still or trickle, or as {@link Stream.read}
   */
  read(signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** A source over bytes in memory. Borrows them. */
export function bulkOf(bytes: Uint8Array): BulkSource {
  return {
    bytes: bytes.length,
    async *chunks() {
      yield bytes;
    },
  };
}

/**
 * All octets of a reader in one array: for those that are small, or needed as a whole.
 *
 * @throws as {@link BulkReader.read}
 */
export async function collectBulk(
  bulk: BulkReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  using reading = bulk;
  const bytes = new Uint8Array(reading.bytes);
  let length = 0;
  for (;;) {
    const chunk = await reading.read(signal);
    if (chunk === undefined) return bytes;
    bytes.set(chunk, length);
    length += chunk.length;
  }
}

/** How many octets follow a message on its stream, or `undefined` for a message that never has any. */
export function announcedBytes(message: Message): number | undefined {
  return REGISTRY[message.type].hasBulk ? bulkBytesOf(message) : undefined;
}

/** How long a transfer of so many octets may take in all, however it trickles. */
export function transferTimeoutMs(bytes: number): number {
  return STALL_TIMEOUT_MS +
    Math.ceil(bytes / TRANSFER_BYTES_PER_SECOND_MIN) * 1000;
}

/** Where octets go. */
export type BulkSink = {
  readonly stream: Stream;
  readonly clock: Clock;
  /** Hears of every piece that had to wait until the peer took some: that is a sign of life, as finding room at once is not. */
  readonly onTaken: () => void;
};

/**
 * Sends a source behind its header and leaves our side of the stream open.
 *
 * @throws `timeout` when the peer takes nothing for long, or too little in all; `corrupt` when the source yields another number of octets than it announced
 */
export async function sendBulk(
  { stream, clock, onTaken }: BulkSink,
  source: BulkSource,
  signal: AbortSignal,
): Promise<void> {
  using whole = clock.deadline(transferTimeoutMs(source.bytes), signal);
  using watch = new StallWatch(clock, whole.signal);
  const stride = new Stride(BULK_CHUNK_BYTES);
  let sent = 0;
  for await (const chunk of source.chunks(whole.signal)) {
    if (sent + chunk.length > source.bytes) {
      throw wrongLength("send", sent + chunk.length, source.bytes);
    }
    // In steps, so that a slow line shows progress before the stall limit.
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + stride.bytes);
      const beginMs = clock.monotonicMs();
      watch.begin(STALL_TIMEOUT_MS);
      await stream.write(piece, watch.signal);
      watch.end();
      const tookMs = clock.monotonicMs() - beginMs;
      if (tookMs > HANDED_OVER_MS) onTaken();
      stride.took(tookMs);
      at += piece.length;
    }
    sent += chunk.length;
  }
  if (sent !== source.bytes) throw wrongLength("send", sent, source.bytes);
}

/** The octets behind a message that was just read from a stream. */
export class StreamBulk implements BulkReader {
  readonly bytes: number;
  readonly #frames: FrameReader;
  readonly #clock: Clock;
  readonly #onOctets: () => void;
  readonly #release: () => void;
  #received = 0;
  #dueMs: number | undefined;
  #watch: StallWatch | undefined;
  readonly #stride = new Stride(BULK_ARRIVAL_BYTES);
  /** Whether exactly the announced octets came. */
  #whole = false;
  /** Whether the stream is released. */
  #over = false;

  /**
   * @param from `onOctets` hears of every piece that has arrived
   * @param release called once, when the octets are read or given up
   */
  constructor(
    from: {
      readonly frames: FrameReader;
      readonly clock: Clock;
      readonly onOctets: () => void;
    },
    bytes: number,
    release: () => void,
  ) {
    this.bytes = bytes;
    this.#frames = from.frames;
    this.#clock = from.clock;
    this.#onOctets = from.onOctets;
    this.#release = release;
  }

  async read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (this.#whole) return undefined;
    if (this.#over) throw wrongLength("read", this.#received, this.bytes);
    try {
      return await this.#next(signal);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    this.#watch?.[Symbol.dispose]();
    this.#release();
  }

  async #next(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const left = this.bytes - this.#received;
    const watch = this.#watchFor(signal);
    const beginMs = this.#clock.monotonicMs();
    watch.begin(this.#patienceMs());
    // One octet more than is left shows a sender that goes on.
    const chunk = await this.#frames.octets(
      left + 1,
      watch.signal,
      Math.max(1, Math.min(left, this.#stride.bytes)),
    );
    watch.end();
    this.#stride.took(this.#clock.monotonicMs() - beginMs);
    if (chunk === undefined && left === 0) {
      this.#whole = true;
      this[Symbol.dispose]();
      return undefined;
    }
    if (chunk !== undefined) this.#onOctets();
    const received = this.#received + (chunk?.length ?? 0);
    if (chunk === undefined || chunk.length > left) {
      throw wrongLength("read", received, this.bytes);
    }
    this.#received = received;
    return chunk;
  }

  /** One watch serves all reads of the same caller. */
  #watchFor(signal: AbortSignal): StallWatch {
    if (this.#watch?.isFor(signal)) return this.#watch;
    this.#watch?.[Symbol.dispose]();
    return this.#watch = new StallWatch(this.#clock, signal);
  }

  /** The stall limit, or what is left of the time the whole transfer may take. */
  #patienceMs(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#dueMs ??= nowMs + transferTimeoutMs(this.bytes);
    return Math.max(0, Math.min(STALL_TIMEOUT_MS, this.#dueMs - nowMs));
  }
}

function wrongLength(
  verb: "read" | "send",
  seen: number,
  wanted: number,
): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot ${verb} bulk: ${seen} bytes came, ${wanted} were announced`,
  );
}
