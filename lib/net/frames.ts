/** Messages on a stream of bytes: cutting them out of what arrives, and handing on the raw octets that follow. */
import { TesserasError } from "@tesseras/core";
import { LENGTH_BYTES } from "@tesseras/core/limits";
import { frameLength } from "@tesseras/wire";
import type { Stream } from "./transport.ts";

/** What is set aside for a message before its bytes arrive: an announcement alone must not cost its sender's word in memory. */
const FIRST_BYTES = 2048;
const NOTHING = new Uint8Array(0);

/** Reads framed messages, and the raw octets behind them, from one stream. Owns nothing but what it has not handed on. */
export class FrameReader {
  readonly #stream: Stream;
  /** Borrowed from the stream: used up before the stream is read again. */
  #pending: Uint8Array = NOTHING;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Bytes that have arrived behind what was read, as far as we know without waiting. */
  get leftoverBytes(): number {
    return this.#pending.length;
  }

  /**
   * The next message without its length prefix, in an array of its own; `undefined` when the stream ends before one begins.
   *
   * @throws `malformed` for a length of 0 or over 64 KiB, `corrupt` when the stream ends inside a message
   */
  async next(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const prefix = await this.#take(LENGTH_BYTES, signal);
    if (prefix === undefined) return undefined;
    const length = frameLength(prefix);
    const message = await this.#take(length, signal);
    if (message === undefined) throw truncated(0, length);
    return message;
  }

  /**
   * The next raw octets, at most `bytesMax` of them, or `undefined` at the end. Borrowed until the next call.
   *
   * @param bytesMin what to wait for where nothing has arrived yet, as in {@link Stream.read}
   */
  async octets(
    bytesMax: number,
    signal: AbortSignal,
    bytesMin = 1,
  ): Promise<Uint8Array | undefined> {
    if (this.#pending.length === 0) {
      const chunk = await this.#stream.read(signal, bytesMin);
      if (chunk === undefined) return undefined;
      this.#pending = chunk;
    }
    const octets = this.#pending.subarray(0, bytesMax);
    this.#pending = this.#pending.subarray(octets.length);
    return octets;
  }

  /** Exactly `count` bytes in an array that grows with what arrives, or `undefined` when the stream ends before the first. */
  async #take(
    count: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    // What has arrived already is copied once.
    const first = Math.max(FIRST_BYTES, this.#pending.length);
    let taken = new Uint8Array(Math.min(count, first));
    let length = 0;
    while (length < count) {
      const part = await this.octets(count - length, signal);
      if (part === undefined) {
        if (length === 0) return undefined;
        throw truncated(length, count);
      }
      taken = withRoom(taken, length + part.length, count);
      taken.set(part, length);
      length += part.length;
    }
    return taken;
  }
}

/** Doubles until the bytes fit, so that copying stays linear, and never beyond what was announced. */
function withRoom(
  bytes: Uint8Array<ArrayBuffer>,
  needed: number,
  most: number,
): Uint8Array<ArrayBuffer> {
  if (needed <= bytes.length) return bytes;
  const grown = new Uint8Array(
    Math.min(most, Math.max(needed, 2 * bytes.length)),
  );
  grown.set(bytes);
  return grown;
}

function truncated(seen: number, wanted: number): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot read message: the stream ended after ${seen} of ${wanted} bytes`,
  );
}
