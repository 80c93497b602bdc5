/** A simulated stream: reliable, in order, with a window, and as unforgiving as QUIC where a caller breaks the port's rules. */
import { assert, concat, TesserasError, throwIfAborted } from "@tesseras/core";
import { BULK_STRIDE_BYTES_MAX, KIB } from "@tesseras/core/limits";
import { Bell } from "./bell.ts";
import type { SimConnection } from "./sim_connection.ts";
import type { Stream } from "./transport.ts";

/** Bytes a writer may be ahead of its reader, as in real QUIC (measured: about 1.25 MB). */
export const SIM_WINDOW_BYTES = 1_250_000;
/** A reader reports what it took in quarters of the window: rarely enough to cost nothing, often enough to stall nobody. */
const CREDIT_BYTES = SIM_WINDOW_BYTES / 4;
/** Bytes that travel as one message. */
const SEGMENT_BYTES = 64 * KIB;
/** What a lent array turns into at the next read: whoever kept it notices. */
const SCRIBBLE = 0xdb;

/** What travels on one stream in one direction, in order. */
type Message = { readonly arrive: () => void; arrived: boolean };

/** One end of a stream. Both ends are made together; the far one stays unheard of until something arrives. */
export class SimStream implements Stream {
  readonly #connection: SimConnection;
  #peer!: SimStream;
  readonly #bell = new Bell();
  /** Messages under way to this end. One that arrives early waits for those before it. */
  readonly #underWay: Message[] = [];
  readonly #chunks: Uint8Array[] = [];
  #lent: Uint8Array | undefined;
  #sentBytes = 0;
  /** Bytes that have arrived and were not read. */
  #heldBytes = 0;
  /** Bytes the read under way waits for; one that was aborted leaves that to the next. */
  #waitedBytes = 0;
  #takenBytes = 0;
  #reportedBytes = 0;
  #roomUntilBytes = SIM_WINDOW_BYTES;
  #peerEnded = false;
  #peerStopped = false;
  #readDone = false;
  #finished = false;
  #abandoned = false;
  #announce: ((stream: SimStream) => void) | undefined;
  #release: (() => void) | undefined;

  private constructor(connection: SimConnection) {
    this.#connection = connection;
  }

  /** Makes both ends of a stream that `opener` opens. */
  static pair(
    opener: SimConnection,
    hooks: {
      /** Called once, when the acceptor's end has heard of the stream. */
      readonly announce: (stream: SimStream) => void;
      /** Called once, when the acceptor's end is done with both directions. */
      readonly release: () => void;
    },
  ): SimStream {
    const near = new SimStream(opener);
    const far = new SimStream(opener.peer);
    near.#peer = far;
    far.#peer = near;
    far.#announce = hooks.announce;
    far.#release = hooks.release;
    return near;
  }

  async read(
    signal: AbortSignal,
    bytesMin = 1,
  ): Promise<Uint8Array | undefined> {
    assert(
      bytesMin >= 1 && bytesMin <= BULK_STRIDE_BYTES_MAX,
      `a read waits for 1 to ${BULK_STRIDE_BYTES_MAX} bytes, not ${bytesMin}`,
    );
    this.#waitedBytes = Math.max(this.#waitedBytes, bytesMin);
    this.#lent?.fill(SCRIBBLE);
    this.#lent = undefined;
    for (;;) {
      throwIfAborted(signal);
      if (this.#abandoned) throw abandoned("read from");
      if (this.#readDone) return undefined;
      this.#connection.throwIfOver("read from a stream");
      const enough = this.#peerEnded || this.#heldBytes >= this.#waitedBytes;
      if (enough && this.#heldBytes > 0) return this.#take();
      if (this.#peerEnded) {
        this.#readDone = true;
        this.#settle();
        return undefined;
      }
      await this.#bell.wait(signal);
    }
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#throwIfClosed("write to", signal);
    for (let at = 0; at < bytes.length;) {
      const room = this.#roomUntilBytes - this.#sentBytes;
      if (room === 0) {
        await this.#waitForRoom(signal);
        continue;
      }
      const end = Math.min(at + Math.min(room, SEGMENT_BYTES), bytes.length);
      const segment = bytes.slice(at, end);
      this.#sentBytes += segment.length;
      this.#send(segment.length, (far) => far.#keep(segment));
      at = end;
    }
  }

  // deno-lint-ignore require-await -- QUIC has to wait here, so the port does
  async finish(signal: AbortSignal): Promise<void> {
    this.#throwIfClosed("finish", signal);
    this.#end();
  }

  abandon(): void {
    if (this.#abandoned) return;
    if (!this.#finished && !this.#connection.isOver) this.#end();
    this.#abandoned = true;
    this.#chunks.length = 0;
    this.#heldBytes = 0;
    if (!this.#readDone) {
      this.#connection.send(0, () => this.#peer.#onStop());
    }
    this.#bell.ring();
    this.#settle();
  }

  /** Wakes whoever waits on this end; the connection does it when it is over. */
  wake(): void {
    this.#bell.ring();
  }

  #keep(chunk: Uint8Array): void {
    if (this.#abandoned) return;
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
  }

  /** As many pieces as it takes for what is waited for. */
  #take(): Uint8Array {
    let bytes = 0;
    const end = this.#chunks.findIndex((chunk) => {
      bytes += chunk.length;
      return bytes >= this.#waitedBytes;
    });
    const parts = this.#chunks.splice(
      0,
      end < 0 ? this.#chunks.length : end + 1,
    );
    const chunk = parts.length === 1 ? parts[0]! : concat(parts);
    this.#waitedBytes = 0;
    this.#heldBytes -= chunk.length;
    this.#lent = chunk;
    this.#takenBytes += chunk.length;
    const taken = this.#takenBytes;
    if (taken - this.#reportedBytes >= CREDIT_BYTES) {
      this.#reportedBytes = taken;
      this.#connection.send(0, () => this.#peer.#onCredit(taken));
    }
    return chunk;
  }

  #end(): void {
    this.#finished = true;
    this.#send(0, (far) => {
      far.#peerEnded = true;
    });
    this.#settle();
  }

  /** Sends one message to the far end, which takes it after all those before it. */
  #send(bytes: number, arrive: (far: SimStream) => void): void {
    const far = this.#peer;
    const message = { arrive: () => arrive(far), arrived: false };
    far.#underWay.push(message);
    this.#connection.send(bytes, () => far.#onArrival(message));
  }

  #onArrival(message: Message): void {
    message.arrived = true;
    this.#announce?.(this);
    this.#announce = undefined;
    while (this.#underWay[0]?.arrived) this.#underWay.shift()!.arrive();
    this.#bell.ring();
    this.#settle();
  }

  #onCredit(takenBytes: number): void {
    this.#roomUntilBytes = Math.max(
      this.#roomUntilBytes,
      takenBytes + SIM_WINDOW_BYTES,
    );
    this.#bell.ring();
  }

  #onStop(): void {
    this.#peerStopped = true;
    this.#bell.ring();
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    try {
      await this.#bell.wait(signal);
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#throwIfClosed("write to", signal);
  }

  #throwIfClosed(doing: string, signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#abandoned) throw abandoned(doing);
    this.#connection.throwIfOver(`${doing} a stream`);
    if (this.#peerStopped) {
      throw new TesserasError(
        "refused",
        `Cannot ${doing} a stream: the peer abandoned it`,
      );
    }
    if (this.#finished) {
      throw new TesserasError(
        "unreachable",
        `Cannot ${doing} a stream: it is finished`,
      );
    }
  }

  /**
   * Forgets the stream once this end is done with both directions. The acceptor's end also gives the opener its place back, but
   * not before the opener has ended its own direction: so it is in QUIC, where only the sender can end what it sends.
   */
  #settle(): void {
    if (!this.#finished || !(this.#readDone || this.#abandoned)) return;
    this.#connection.forget(this);
    if (!this.#peerEnded || this.#release === undefined) return;
    this.#connection.send(0, this.#release);
    this.#release = undefined;
  }
}

function abandoned(doing: string): TesserasError {
  return new TesserasError(
    "cancelled",
    `Cannot ${doing} a stream: it was abandoned`,
  );
}
