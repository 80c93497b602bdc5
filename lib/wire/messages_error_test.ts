import { assertEquals } from "@tesseras/testing";
import { encode } from "@tesseras/codec";
import { ERROR_CODES, TesserasError } from "@tesseras/core";
import { ERROR_TEXT_BYTES_MAX } from "@tesseras/core/limits";
import { decodeMessage, encodeFrame } from "./frame.ts";
import { errorAnswerOf, WIRE_CODES } from "./messages_error.ts";

Deno.test("errorAnswerOf() keeps the codes that travel and says refused for the rest", () => {
  for (const code of ERROR_CODES) {
    const travels = WIRE_CODES.some((other) => other === code);
    assertEquals(
      errorAnswerOf(new TesserasError(code, "Cannot keep it")).code,
      travels ? code : "refused",
    );
  }
});

Deno.test("errorAnswerOf() tells a peer nothing about our bugs and our files", () => {
  const bug = new Error("at /home/someone/secret.ts:1");
  assertEquals(errorAnswerOf(bug).text, "Cannot answer");
  assertEquals(errorAnswerOf("thrown text").text, "Cannot answer");
  const local = "Cannot write /home/someone/file";
  for (const code of ["unusable", "missing", "diskFull"] as const) {
    const { text } = errorAnswerOf(new TesserasError(code, local));
    assertEquals(text.includes("someone"), false);
  }
});

Deno.test("errorAnswerOf() always gives a text that a frame can carry", () => {
  for (
    const text of [
      "€".repeat(1000),
      "😀".repeat(1000),
      "a" + "😀".repeat(1000),
      "\ud800 half",
      "\ufeff\ufeffmarked",
      "a".repeat(5000),
      "",
    ]
  ) {
    const body = errorAnswerOf(new TesserasError("refused", text));
    const frame = encodeFrame({ v: 1, id: 1, body });
    assertEquals(decodeMessage(frame.subarray(4)).body, body);
    const bytes = new TextEncoder().encode(body.text).length;
    assertEquals(bytes <= ERROR_TEXT_BYTES_MAX, true);
  }
});

Deno.test("a code of a newer peer reads as refused", () => {
  const payload = encode({
    v: 1,
    id: 1,
    body: { type: "error", code: "tooNew", text: "Cannot" },
  });
  assertEquals(decodeMessage(payload).body, {
    type: "error",
    code: "refused",
    text: "Cannot",
  });
});
