import { concat, u32be, utf8 } from "@tesseras/core";
import { MESSAGE_BYTES_MAX } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { FrameReader } from "./frames.ts";
import type { Stream } from "./transport.ts";

const { signal } = new AbortController();

/** A stream that delivers these pieces in one reused buffer, as a real one may. */
function arriving(pieces: readonly Uint8Array[]): Stream {
  const buffer = new Uint8Array(2 * MESSAGE_BYTES_MAX);
  const left = [...pieces];
  return {
    read() {
      const piece = left.shift();
      buffer.fill(0xee);
      if (piece) buffer.set(piece);
      return Promise.resolve(piece && buffer.subarray(0, piece.length));
    },
    write: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    abandon() {},
  };
}

function framed(message: Uint8Array): Uint8Array {
  return concat([u32be(message.length), message]);
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((p) => p % (bytes.length + 1)), bytes.length]
    .sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.slice(at[i], end))
    .filter((piece) => piece.length > 0);
}

Deno.test("messages and the octets behind them survive any cutting", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 }), {
      maxLength: 3,
    }),
    fc.uint8Array({ maxLength: 3000 }),
    fc.array(fc.nat(), { maxLength: 12 }),
    async (messages, bulk, places) => {
      const all = concat([...messages.map(framed), bulk]);
      const frames = new FrameReader(arriving(cut(all, places)));
      for (const message of messages) {
        assertEquals(await frames.next(signal), new Uint8Array(message));
      }
      const octets: Uint8Array[] = [];
      for (;;) {
        const part = await frames.octets(700, signal);
        if (part === undefined) break;
        assertTrue(part.length <= 700);
        octets.push(part.slice());
      }
      assertEquals(concat(octets), new Uint8Array(bulk));
    },
  ));
});

Deno.test("takes a message of exactly the largest size", async () => {
  const message = new Uint8Array(MESSAGE_BYTES_MAX).fill(7);
  const pieces = cut(framed(message), [1, 5000, 40_000]);
  assertEquals(await new FrameReader(arriving(pieces)).next(signal), message);
});

Deno.test("refuses a length of nothing or over 64 KiB before the message arrives", async () => {
  for (const length of [0, MESSAGE_BYTES_MAX + 1, 0xffff_ffff]) {
    const frames = new FrameReader(arriving([u32be(length)]));
    await assertRejectsCode(frames.next(signal), "malformed");
  }
});

Deno.test("tells an end between messages from one inside a message", async () => {
  const whole = framed(utf8("hello"));
  const between = new FrameReader(arriving([whole]));
  await between.next(signal);
  assertEquals(await between.next(signal), undefined);
  for (let length = 1; length < whole.length; length++) {
    const frames = new FrameReader(arriving([whole.slice(0, length)]));
    await assertRejectsCode(frames.next(signal), "corrupt");
  }
});

Deno.test("knows what has arrived behind a message", async () => {
  const frames = new FrameReader(
    arriving([concat([framed(utf8("one")), utf8("rest")])]),
  );
  await frames.next(signal);
  assertEquals(frames.leftoverBytes, 4);
});
