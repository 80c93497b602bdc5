import { assertEquals } from "@tesseras/testing";
import { Counters } from "./counters.ts";

Deno.test("counters begin at 0, grow, and are told in order of name", () => {
  const counters = new Counters();
  assertEquals([counters.get("b.dropped"), counters.snapshot()], [0, {}]);
  counters.add("b.dropped");
  counters.add("b.dropped", 4);
  counters.add("a.taken");
  counters.add("__proto__");
  assertEquals(counters.get("b.dropped"), 5);
  const snapshot = counters.snapshot();
  assertEquals(Object.keys(snapshot), ["__proto__", "a.taken", "b.dropped"]);
  counters.add("a.taken");
  assertEquals(snapshot["a.taken"], 1);
});
