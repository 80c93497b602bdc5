import { Counters } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { countFailure } from "./failures.ts";

Deno.test("a failed request is counted, and by what it says of the peer", () => {
  const counters = new Counters();
  for (
    const code of [
      "timeout",
      "overloaded",
      "malformed",
      "forged",
      "refused",
    ] as const
  ) countFailure(counters, code);
  countFailure(counters, undefined);
  const counted = Object.entries(counters.snapshot())
    .filter(([, value]) => value > 0);
  assertEquals(Object.fromEntries(counted), {
    "rpc.answer_distrusted": 2,
    "rpc.answer_late": 1,
    "rpc.answer_overloaded": 1,
    "rpc.failed": 6,
  });
});
