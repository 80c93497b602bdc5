import { hash, nodeId, tesseraId } from "@tesseras/core";
import {
  BULK_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  MIB,
  PROVIDERS_PER_MESSAGE_MAX,
} from "@tesseras/core/limits";
import { assertEquals } from "@tesseras/testing";
import { answerCost, workOf } from "./cost.ts";

const plan = hash(new Uint8Array(32));
const entry = { record: new Uint8Array(1), holder: new Uint8Array(1) };

Deno.test("what is answered from the routing table is no work", () => {
  const target = nodeId(new Uint8Array(20));
  assertEquals(workOf({ type: "ping" }), 0);
  assertEquals(workOf({ type: "find_node", target, want: 0 }), 0);
});

Deno.test("work grows with what has to be checked, looked up and moved", () => {
  const store = (count: number) =>
    workOf({ type: "store", entries: Array(count).fill(entry) });
  assertEquals([0, 1, PROVIDERS_PER_MESSAGE_MAX].map(store), [1, 1, 20]);
  const tessera = tesseraId(new Uint8Array(32));
  assertEquals(workOf({ type: "find_value", tessera, skip: 40 }), 1);
  assertEquals(workOf({ type: "get_plan", plan }), 1);
  assertEquals(workOf({ type: "attest", plan }), 1);
  const tombstone = new Uint8Array(1);
  assertEquals(workOf({ type: "forget", tombstone }), 20);
  const get = (length: number) =>
    workOf({ type: "get_fragment", plan, index: 0, offset: 0, length });
  const put = (bulk: number) =>
    workOf({ type: "put_fragment", plan: new Uint8Array(1), index: 0, bulk });
  for (const workFor of [get, put]) {
    assertEquals([0, MIB - 1, MIB, BULK_BYTES_MAX].map(workFor), [1, 1, 2, 33]);
  }
  // The paths of a single leaf may take a pass over the whole fragment.
  assertEquals(workOf({ type: "audit", plan, index: 0, leaves: [0] }), 33);
});

Deno.test("an answer costs by its size, a small one nothing more than its request", () => {
  assertEquals(answerCost(300, 0), 0);
  assertEquals(answerCost(MESSAGE_BYTES_MAX, 0), 16);
  assertEquals(answerCost(100, BULK_BYTES_MAX), 32);
});
