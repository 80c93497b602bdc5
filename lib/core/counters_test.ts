import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  COUNTER_HELP,
  DROP_GROUPS,
  DROPS,
  type Listed,
} from "./counter_names.ts";
import { EVENTS } from "./event_names.ts";
import { Counters } from "./counters.ts";

Deno.test("counters begin at 0, grow, and are all told in order of name", () => {
  const counters = new Counters();
  assertEquals(counters.get("rpc.asked"), 0);
  counters.add("rpc.asked");
  counters.add("rpc.asked", 4);
  counters.add("hello.accepted");
  assertEquals(counters.get("rpc.asked"), 5);
  const snapshot = counters.snapshot();
  assertEquals(Object.keys(snapshot), [...COUNTER_HELP.keys()].sort());
  assertEquals([snapshot["rpc.asked"], snapshot["rpc.served"]], [5, 0]);
  counters.add("hello.accepted");
  assertEquals(snapshot["hello.accepted"], 1);
});

Deno.test("a counter that is not listed does not compile, and the message says where to list it", () => {
  const wanted: Listed<"rpc.aksed"> =
    "add a line for rpc.aksed to lib/core/counter_names.ts";
  const counters = new Counters();
  // @ts-expect-error a misspelt name
  counters.add("rpc.aksed");
  assertTrue(wanted.includes("counter_names.ts"));
});

Deno.test("every counter has a name of two parts and a sentence, and stands in one group", () => {
  for (const [name, help] of COUNTER_HELP) {
    assertTrue(/^[a-z]+\.[a-zA-Z_]+$/.test(name), name);
    // Prometheus takes such a part for a unit.
    assertTrue(!/[._](n|u|m|h)?s(ecs?)?(_|$)|[._]total$/.test(name), name);
    assertTrue(/^[A-Z][^\n\\]{8,}[^.\s]$/.test(help), `${name}: ${help}`);
  }
  const names = [...Object.values(DROPS), EVENTS].flatMap(Object.keys);
  assertEquals(new Set(names).size, names.length);
  assertEquals([...DROP_GROUPS], Object.keys(DROPS));
});
