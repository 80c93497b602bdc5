import { concat, VirtualClock } from "@tesseras/core";
import {
  BULK_ARRIVAL_BYTES,
  BULK_CHUNK_BYTES,
  BULK_STRIDE_BYTES_MAX,
  MIB,
  STALL_TIMEOUT_MS,
  TRANSFER_BYTES_PER_SECOND_MIN,
} from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  bulkOf,
  type BulkSink,
  type BulkSource,
  collectBulk,
  sendBulk,
  StreamBulk,
  transferTimeoutMs,
} from "./bulk.ts";
import { FrameReader } from "./frames.ts";
import type { Stream } from "./transport.ts";

const { signal } = new AbortController();

/** The half of a stream that a reader has no use for. */
const quiet = {
  write: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  abandon() {},
};

/** Delivers pieces at the pace given, then ends; keeps what is written, at the same pace, and takes nothing more once `full`. */
class Line implements Stream {
  readonly written: Uint8Array[] = [];
  full = false;
  readonly #clock: VirtualClock;
  readonly #pieces: Uint8Array[];
  readonly #pauseMs: number;

  constructor(
    clock: VirtualClock,
    pieces: readonly Uint8Array[] = [],
    pauseMs = 0,
  ) {
    this.#clock = clock;
    this.#pieces = [...pieces];
    this.#pauseMs = pauseMs;
  }

  async read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    await this.#clock.sleep(this.#pauseMs, signal);
    return this.#pieces.shift();
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const pauseMs = this.full ? 1e9 : this.#pauseMs;
    if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
    this.written.push(bytes.slice());
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  abandon(): void {}
}

function sinkOf(stream: Stream, clock: VirtualClock): BulkSink {
  return { stream, clock, onTaken: () => {} };
}

function receiving(
  pieces: readonly Uint8Array[],
  announced: number,
  pauseMs = 0,
): { clock: VirtualClock; bulk: StreamBulk; released: () => number } {
  const clock = new VirtualClock();
  const frames = new FrameReader(new Line(clock, pieces, pauseMs));
  let releasedCount = 0;
  const bulk = new StreamBulk(
    { frames, clock, onOctets: () => {} },
    announced,
    () => {
      releasedCount++;
    },
  );
  return { clock, bulk, released: () => releasedCount };
}

Deno.test("octets arrive whole in any pieces, and the stream is released once", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), {
      maxLength: 8,
    }),
    async (pieces) => {
      const all = concat(pieces);
      const { clock, bulk, released } = receiving(pieces, all.length);
      assertEquals(await clock.run(collectBulk(bulk, signal)), all);
      assertEquals(await bulk.read(signal), undefined);
      assertEquals(released(), 1);
    },
  ));
});

Deno.test("refuses one octet too few or too many, and releases the stream", async () => {
  for (const announced of [0, 9, 11, 4096]) {
    const { clock, bulk, released } = receiving(
      [new Uint8Array(10)],
      announced,
    );
    await assertRejectsCode(clock.run(collectBulk(bulk, signal)), "corrupt");
    assertEquals(released(), 1);
    await assertRejectsCode(bulk.read(signal), "corrupt");
  }
});

Deno.test("waits for larger pieces while they come quickly, never for more than is to come, and looks whether more comes", async () => {
  const asked: (number | undefined)[] = [];
  const sizes = [1, 2, 4, 8].map((times) => times * BULK_ARRIVAL_BYTES);
  const pieces = [...sizes, 1000].map((bytes) => new Uint8Array(bytes));
  const line = {
    ...quiet,
    read(_signal: AbortSignal, bytesMin?: number) {
      asked.push(bytesMin);
      return Promise.resolve(pieces.shift());
    },
  };
  const bytes = 15 * BULK_ARRIVAL_BYTES + 1000;
  const from = {
    frames: new FrameReader(line),
    clock: new VirtualClock(),
    onOctets: () => {},
  };
  await collectBulk(new StreamBulk(from, bytes, () => {}), signal);
  assertEquals(asked, [...sizes, 1000, 1]);
});

Deno.test("gives up a sender that stands still", async () => {
  const { clock, bulk, released } = receiving([], 10, STALL_TIMEOUT_MS * 2);
  await assertRejectsCode(clock.run(bulk.read(signal)), "timeout");
  assertEquals(clock.monotonicMs(), STALL_TIMEOUT_MS);
  assertEquals(released(), 1);
});

Deno.test("gives up a sender that trickles, however lively it looks", async () => {
  const bytes = 4 * TRANSFER_BYTES_PER_SECOND_MIN;
  const pieces = Array.from({ length: bytes }, () => new Uint8Array(1));
  const { clock, bulk } = receiving(pieces, bytes, 1000);
  await assertRejectsCode(clock.run(collectBulk(bulk, signal)), "timeout");
  assertEquals(clock.monotonicMs(), STALL_TIMEOUT_MS + 4000);
});

Deno.test("an abort ends the wait with the caller's reason", async () => {
  const { clock, bulk, released } = receiving([], 10, 60_000);
  using deadline = clock.deadline(100, signal);
  await assertRejectsCode(clock.run(bulk.read(deadline.signal)), "timeout");
  assertEquals([clock.monotonicMs(), released()], [100, 1]);
});

Deno.test("sends a source in writes that a slow line can finish, and in fewer where the line is quick", async () => {
  const bytes = new Uint8Array(20 * BULK_CHUNK_BYTES + 5).map((_, i) => i);
  const longest: number[] = [];
  for (const pauseMs of [STALL_TIMEOUT_MS / 2, 0]) {
    const clock = new VirtualClock();
    const line = new Line(clock, [], pauseMs);
    const sending = sendBulk(sinkOf(line, clock), bulkOf(bytes), signal);
    await clock.run(sending);
    assertEquals(concat(line.written), bytes);
    longest.push(Math.max(...line.written.map((part) => part.length)));
  }
  assertEquals(longest, [BULK_CHUNK_BYTES, BULK_STRIDE_BYTES_MAX]);
});

Deno.test("refuses a source that yields another number of octets than it announced", async () => {
  const clock = new VirtualClock();
  for (const bytes of [0, 9, 11]) {
    let closed = false;
    const source: BulkSource = {
      bytes,
      async *chunks() {
        try {
          yield new Uint8Array(10);
        } finally {
          closed = true;
        }
      },
    };
    const line = new Line(clock);
    await assertRejectsCode(
      sendBulk(sinkOf(line, clock), source, signal),
      "corrupt",
    );
    assertTrue(closed);
    assertTrue(concat(line.written).length <= bytes);
  }
});

Deno.test("gives up a receiver that takes nothing", async () => {
  const clock = new VirtualClock();
  const line = new Line(clock);
  line.full = true;
  const sending = sendBulk(
    sinkOf(line, clock),
    bulkOf(new Uint8Array(10)),
    signal,
  );
  await assertRejectsCode(clock.run(sending), "timeout");
  assertEquals(clock.monotonicMs(), STALL_TIMEOUT_MS);
});

Deno.test("gives up a receiver that trickles, however lively it looks", async () => {
  const clock = new VirtualClock();
  const bytes = 1 * MIB;
  const pieceMs = STALL_TIMEOUT_MS - 1_000;
  const line = new Line(clock, [], pieceMs);
  const sending = sendBulk(
    sinkOf(line, clock),
    bulkOf(new Uint8Array(bytes)),
    signal,
  );
  await assertRejectsCode(clock.run(sending), "timeout");
  assertEquals(clock.monotonicMs(), transferTimeoutMs(bytes));
});

Deno.test("hears of octets that were taken after a wait, and not of those that found room", async () => {
  for (const pauseMs of [0, 1_000]) {
    const clock = new VirtualClock();
    let takenCount = 0;
    const sink = {
      stream: new Line(clock, [], pauseMs),
      clock,
      onTaken: () => takenCount++,
    };
    const source = bulkOf(new Uint8Array(3 * BULK_CHUNK_BYTES));
    await clock.run(sendBulk(sink, source, signal));
    assertEquals(takenCount, pauseMs === 0 ? 0 : 3);
  }
});
