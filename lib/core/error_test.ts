import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { throws } from "node:assert/strict";
import {
  abortError,
  assert,
  codeOf,
  ERROR_CODES,
  groupOf,
  messageOf,
  TesserasError,
  throwIfAborted,
  unreachable,
} from "./error.ts";

Deno.test("every code stands once and belongs to one group", () => {
  assertEquals(new Set(ERROR_CODES).size, ERROR_CODES.length);
  const groups = Object.groupBy(ERROR_CODES, groupOf);
  assertEquals(groups.stop, ["cancelled"]);
  assertEquals(groups.distrust, ["malformed", "forged", "corrupt"]);
  assertTrue(groups.askAnother?.includes("timeout"));
  assertTrue(groups.tellPerson?.includes("diskFull"));
});

Deno.test("an error keeps its code, its sentence and its cause", () => {
  const cause = new Error("disk");
  const error = new TesserasError("diskFull", "Cannot write: full", { cause });
  assertEquals([codeOf(error), error.name, messageOf(error)], [
    "diskFull",
    "TesserasError",
    "Cannot write: full",
  ]);
  assertTrue(error.cause === cause && error instanceof Error);
});

Deno.test("any thrown value has a sentence, and only ours a code", () => {
  const values = [
    undefined,
    null,
    "text",
    7,
    { code: "timeout" },
    new Error("x"),
  ];
  for (const value of values) {
    assertEquals(codeOf(value), undefined);
    assertEquals(typeof messageOf(value), "string");
  }
});

Deno.test("an aborted signal stands for its own error when that is ours, else for cancelled", () => {
  const timeout = new TesserasError("timeout", "No answer within 5 ms");
  assertTrue(abortError(AbortSignal.abort(timeout)) === timeout);
  const other = AbortSignal.abort("because");
  assertEquals(abortError(other).code, "cancelled");
  assertEquals(abortError(other).cause, "because");
  assertThrowsCode(() => throwIfAborted(other), "cancelled");
  throwIfAborted(new AbortController().signal);
});

Deno.test("broken invariants stop with an error that no code hides", () => {
  throws(() => assert(0, "zero holds"), (error: unknown) => {
    return codeOf(error) === undefined && /zero holds/.test(messageOf(error));
  });
  throws(() => unreachable("odd" as never), /unexpected "odd"/);
  assert(1, "one holds");
});
