import {
  BULK_CHUNK_BYTES,
  BULK_STRIDE_BYTES_MAX,
  STALL_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { Stride } from "./stride.ts";

Deno.test("quick pieces grow to the largest and no further; one late piece takes all of it back", () => {
  const stride = new Stride(BULK_CHUNK_BYTES);
  assertEquals(stride.bytes, BULK_CHUNK_BYTES);
  for (let i = 0; i < 10; i++) stride.took(1);
  assertEquals(stride.bytes, BULK_STRIDE_BYTES_MAX);
  stride.took(200);
  assertEquals(stride.bytes, BULK_STRIDE_BYTES_MAX);
  stride.took(STALL_TIMEOUT_MS);
  assertEquals(stride.bytes, BULK_CHUNK_BYTES);
});

Deno.test("whatever the times, a piece stays within its bounds", () => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0 })), (times) => {
    const stride = new Stride(BULK_CHUNK_BYTES);
    for (const ms of times) {
      stride.took(ms);
      assertTrue(stride.bytes >= BULK_CHUNK_BYTES);
      assertTrue(stride.bytes <= BULK_STRIDE_BYTES_MAX);
    }
  }));
});
