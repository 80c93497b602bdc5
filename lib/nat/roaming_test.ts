import fc from "fast-check";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  interfacesChanged,
  reconnectOrder,
  Roaming,
  sleptMs,
} from "./roaming.ts";

/** The phases a machine enters, with their times, when it is asked whenever it said so. */
function played(roaming: Roaming, fromMs: number): string[] {
  const entered: string[] = [];
  for (let nowMs = fromMs;;) {
    const step = roaming.next(nowMs);
    if (step.do === "rest") return entered;
    if (step.do === "wait") nowMs += step.ms;
    else entered.push(`${step.phase}@${nowMs - fromMs}`);
  }
}

Deno.test("goes through the three phases of the guide and comes to rest", () => {
  const roaming = new Roaming();
  assertEquals(roaming.next(0), { do: "rest" });
  roaming.changed("interfaces", 1_000);
  assertEquals(roaming.event(1_500), {
    phase: "migrating",
    cause: "interfaces",
    sinceMs: 500,
  });
  assertEquals(played(roaming, 1_000), [
    "migrating@0",
    "learning@2000",
    "reestablishing@5000",
    "steady@10000",
  ]);
});

Deno.test("goes on at once when a phase is done, and takes no late news for it", () => {
  const roaming = new Roaming();
  roaming.changed("woke", 0);
  roaming.next(0);
  roaming.done("learning");
  assertEquals(roaming.phase, "migrating");
  roaming.done("migrating");
  assertEquals(roaming.next(10), { do: "enter", phase: "learning" });
  roaming.done("migrating");
  assertEquals(roaming.next(10), { do: "wait", ms: 4_990 });
});

Deno.test("begins anew when the network changes in the middle", () => {
  const roaming = new Roaming();
  roaming.changed("told", 0);
  roaming.next(0);
  roaming.next(3_000);
  assertEquals(roaming.phase, "learning");
  roaming.changed("observed", 3_100);
  assertEquals(roaming.next(3_100), { do: "enter", phase: "migrating" });
  assertEquals(roaming.next(3_100), { do: "wait", ms: 2_000 });
});

Deno.test("is at rest ten seconds after the last change, whatever happened before", () => {
  const act = fc.tuple(
    fc.nat(3_000),
    fc.constantFrom(
      "changed",
      "next",
      "migrating",
      "learning",
      "reestablishing",
    ),
  );
  fc.assert(fc.property(fc.array(act), (acts) => {
    const roaming = new Roaming();
    let nowMs = 0;
    for (const [pauseMs, what] of acts) {
      nowMs += pauseMs;
      if (what === "changed") roaming.changed("told", nowMs);
      else if (what === "next") roaming.next(nowMs);
      else roaming.done(what as "migrating");
    }
    assertTrue(played(roaming, nowMs + 10_000).length <= 4);
    assertEquals(roaming.phase, "steady");
  }));
});

Deno.test("dials bootstraps first, then who keeps ours, then whose we keep, then the rest", () => {
  const peer = (
    id: string,
    isBootstrap: boolean,
    keepsOursCount: number,
    weKeepCount: number,
  ) => ({ id, isBootstrap, keepsOursCount, weKeepCount });
  const lost = [
    peer("rest", false, 0, 0),
    peer("weKeep", false, 0, 9),
    peer("keepsOne", false, 1, 50),
    peer("keepsTwo", false, 2, 0),
    peer("entry", true, 0, 0),
  ];
  assertEquals(
    reconnectOrder(lost).map(({ id }) => id),
    ["entry", "keepsTwo", "keepsOne", "weKeep", "rest"],
  );
  assertEquals(lost[0]!.id, "rest", "the list given is left as it was");
});

Deno.test("tells sleep by either clock, and no sleep by a busy machine", () => {
  const moment = (unixMs: number, monotonicMs: number) => ({
    unixMs,
    monotonicMs,
  });
  assertEquals(sleptMs(moment(0, 0), moment(5_000, 5_000), 5_000), 0);
  assertEquals(sleptMs(moment(0, 0), moment(9_000, 9_000), 5_000), 0);
  assertEquals(sleptMs(moment(0, 0), moment(65_000, 5_000), 5_000), 60_000);
  assertEquals(sleptMs(moment(0, 0), moment(-9_000, 65_000), 5_000), 60_000);
});

Deno.test("tells other addresses from the same ones in another order", () => {
  assertTrue(!interfacesChanged(["a", "b"], ["b", "a"]));
  assertTrue(!interfacesChanged(["a", "a"], ["a"]));
  assertTrue(
    interfacesChanged(["a"], ["a", "b"]) && interfacesChanged(["a"], ["b"]),
  );
  assertTrue(interfacesChanged(["a"], []));
});
