/** Memory that `recvmmsg` fills and `sendmmsg` empties, laid out once: a packet is never copied and nothing is allocated for it. */
import { type Libc, NAME_BYTES } from "./kernel_libc.ts";

/** Packets of one call: a burst of ten fits, and the slots stay in the second-level cache. */
export const BATCH = 16;
/** Larger than any packet between two networks; what is longer is cut, and dropped here. */
const SLOT_BYTES = 2_048;
/** Bytes of `struct mmsghdr` on 64-bit Linux: `msghdr` is 56, then the length. */
const HEADER_WORDS = 64 / 4;
/** `msg_namelen`, `msg_flags` and `msg_len` in words of 4 bytes. */
const NAME_LENGTH_WORD = 2;
const FLAGS_WORD = 12;
const LENGTH_WORD = 14;
/** `iov_len` in words of 4 bytes, of 4 that an `iovec` has. */
const IOV_LENGTH_WORD = 2;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
/** Words of 4 bytes from one name to the next: a `sockaddr_in6` has seven. */
const NAME_WORDS = 8;

/** An address as the kernel wrote it, in words: quick to compare. */
export type Name = Uint32Array<ArrayBuffer>;

/** One call's worth of packets in, and those of them that go on. */
export class Batch {
  readonly #libc: Libc;
  readonly #data = new Uint8Array(BATCH * SLOT_BYTES);
  readonly #slots: readonly Uint8Array[];
  readonly #names = new Uint32Array(BATCH * NAME_WORDS);
  readonly #inParts = new BigUint64Array(BATCH * 2);
  readonly #inHeaders = new BigUint64Array(BATCH * 8);
  readonly #inWords = new Uint32Array(this.#inHeaders.buffer);
  readonly #outParts = new BigUint64Array(BATCH * 2);
  readonly #outPartWords = new Uint32Array(this.#outParts.buffer);
  readonly #outHeaders = new BigUint64Array(BATCH * 8);
  readonly #outWords = new Uint32Array(this.#outHeaders.buffer);
  /** As large as a whole page of names: what is small may be moved by the garbage collector. */
  readonly #outName = new Uint32Array(BATCH * NAME_WORDS);
  /** Where each slot lies, as two words: whole addresses would be allocated anew for each packet. */
  readonly #slotWords: Uint32Array;
  /** Headers that the last call wrote to. */
  #inCount = BATCH;
  #outCount = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
    const data = addressOf(this.#data);
    const slots = BigUint64Array.from(
      { length: BATCH },
      (_, i) => data + BigInt(i * SLOT_BYTES),
    );
    this.#slotWords = new Uint32Array(slots.buffer);
    const names = addressOf(this.#names);
    const outName = addressOf(this.#outName);
    const inParts = addressOf(this.#inParts);
    const outParts = addressOf(this.#outParts);
    for (let i = 0; i < BATCH; i++) {
      const part = BigInt(16 * i);
      this.#inParts[2 * i] = slots[i]!;
      this.#inParts[2 * i + 1] = BigInt(SLOT_BYTES);
      this.#inHeaders[8 * i] = names + BigInt(4 * NAME_WORDS * i);
      this.#inHeaders[8 * i + 2] = inParts + part;
      this.#inHeaders[8 * i + 3] = 1n;
      this.#outHeaders[8 * i] = outName;
      this.#outHeaders[8 * i + 2] = outParts + part;
      this.#outHeaders[8 * i + 3] = 1n;
    }
    this.#slots = Array.from(
      { length: BATCH },
      (_, i) => this.#data.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES),
    );
  }

  /** Takes what has arrived, at most {@link BATCH} packets; says how many. Whatever was to be sent is forgotten. */
  receive(fd: number): number {
    this.#outCount = 0;
    for (let i = 0; i < this.#inCount; i++) {
      this.#inWords[HEADER_WORDS * i + NAME_LENGTH_WORD] = NAME_BYTES;
    }
    const count = this.#libc.recvmmsg(
      fd,
      this.#inHeaders,
      BATCH,
      MSG_DONTWAIT,
      null,
    );
    this.#inCount = Math.max(0, count);
    return this.#inCount;
  }

  /** Bytes of the n-th packet; -1 when it was cut. */
  lengthOf(n: number): number {
    const at = HEADER_WORDS * n;
    const wasCut = (this.#inWords[at + FLAGS_WORD]! & MSG_TRUNC) !== 0;
    return wasCut ? -1 : this.#inWords[at + LENGTH_WORD]!;
  }

  /** Where the n-th packet lies: it is the first {@link lengthOf} bytes, until the next {@link receive}. */
  slot(n: number): Uint8Array {
    return this.#slots[n]!;
  }

  /** Whether the n-th packet came from this name, as {@link copyName} gave it. */
  isFrom(n: number, name: Name): boolean {
    const at = NAME_WORDS * n;
    for (let i = 0; i < name.length; i++) {
      if (this.#names[at + i] !== name[i]) return false;
    }
    return name.length > 0;
  }

  /** Where the n-th packet came from. */
  copyName(n: number): Name {
    const bytes = this.#inWords[HEADER_WORDS * n + NAME_LENGTH_WORD]!;
    const at = NAME_WORDS * n;
    return this.#names.slice(at, at + Math.min(bytes, NAME_BYTES) / 4);
  }

  /** Lets the n-th packet go on with the next {@link send}. */
  pass(n: number): void {
    this.#line(n, this.#inWords[HEADER_WORDS * n + LENGTH_WORD]!);
  }

  /** Lets a packet go that was kept from earlier, once all that was received has gone: it takes a slot of theirs. */
  put(packet: Uint8Array): void {
    const n = this.#outCount;
    this.#slots[n]!.set(packet);
    this.#line(n, packet.length);
  }

  /** Packets that wait for {@link send}. */
  get outCount(): number {
    return this.#outCount;
  }

  /** Sends what was let through; says how many the kernel did not take. */
  send(fd: number, name: Name): number {
    const count = this.#outCount;
    this.#outCount = 0;
    this.#outName.set(name);
    for (let i = 0; i < count; i++) {
      this.#outWords[HEADER_WORDS * i + NAME_LENGTH_WORD] = 4 * name.length;
    }
    const sent = this.#libc.sendmmsg(fd, this.#outHeaders, count, MSG_DONTWAIT);
    return count - Math.max(0, sent);
  }

  #line(n: number, bytes: number): void {
    const at = 4 * this.#outCount++;
    this.#outPartWords[at] = this.#slotWords[2 * n]!;
    this.#outPartWords[at + 1] = this.#slotWords[2 * n + 1]!;
    this.#outPartWords[at + IOV_LENGTH_WORD] = bytes;
  }
}

function addressOf(memory: BufferSource): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory));
}
