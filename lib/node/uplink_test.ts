import { assertEquals } from "@tesseras/testing";
import { nodeId } from "@tesseras/core";
import { DIAL_FAILURES_MAX } from "@tesseras/core/limits";
import { latestOf, Uplink } from "./uplink.ts";

const id = (number: number) => {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, number);
  return nodeId(bytes);
};

Deno.test("silence counts only when somebody was heard since the question", () => {
  const uplink = new Uplink();
  assertEquals(uplink.blames(id(1), 0, 4_000), false);
  uplink.heard(1_000);
  assertEquals(uplink.blames(id(1), 1_000, 5_000), false);
  assertEquals(uplink.blames(id(1), 999, 5_000), true);
});

Deno.test("questions that met the same silence together count once", () => {
  const uplink = new Uplink();
  uplink.heard(3_000);
  assertEquals(uplink.blames(id(1), 0, 4_000), true);
  assertEquals(uplink.blames(id(1), 1, 4_001), false);
  assertEquals(uplink.blames(id(2), 1, 4_001), true);
  uplink.heard(6_000);
  assertEquals(uplink.blames(id(1), 5_000, 9_000), true);
});

Deno.test("what is heard late does not turn time back", () => {
  const uplink = new Uplink();
  uplink.heard(5_000);
  uplink.heard(2_000);
  assertEquals(uplink.blames(id(1), 3_000, 7_000), true);
});

Deno.test("only so many peers are remembered as blamed, the latest", () => {
  const uplink = new Uplink();
  uplink.heard(10);
  for (let number = 0; number <= DIAL_FAILURES_MAX; number++) {
    assertEquals(uplink.blames(id(number), 0, 20), true);
  }
  // The first is forgotten, so it counts again; the last is not.
  assertEquals(uplink.blames(id(DIAL_FAILURES_MAX), 0, 20), false);
  assertEquals(uplink.blames(id(0), 0, 20), true);
});

Deno.test("an old record that somebody hands on does not hide a newer one", () => {
  const [old, fresh] = [{ sequence: 1 }, { sequence: 2 }];
  assertEquals(latestOf(old, fresh), fresh);
  assertEquals(latestOf(fresh, old), fresh);
  assertEquals(latestOf(old, undefined), old);
});
