/** What tests say: assertions on top of Node's, which install nowhere and print good differences. */
import {
  deepStrictEqual,
  ok,
  rejects,
  strictEqual,
  throws,
} from "node:assert/strict";
import { codeOf, type ErrorCode, TesserasError } from "@tesseras/core";

/** Deep equality, types included. Byte arrays compare by content. */
export function assertEquals(
  actual: unknown,
  expected: unknown,
  message?: string,
): void {
  if (actual === expected) return;
  if (typeof actual !== "object" || typeof expected !== "object") {
    if (message === undefined) strictEqual(actual, expected);
    else strictEqual(actual, expected, message);
  }
  // Node's newest types want a message or none, but not `undefined`.
  if (message === undefined) deepStrictEqual(actual, expected);
  else deepStrictEqual(actual, expected, message);
}

/** Truth, told with a message. */
export function assertTrue(
  condition: unknown,
  message?: string,
): asserts condition {
  if (message === undefined) ok(condition);
  else ok(condition, message);
}

/** The call throws a {@link TesserasError} of the code, whose message matches. */
export function assertThrowsCode(
  call: () => unknown,
  code: ErrorCode,
  message?: RegExp,
): void {
  throws(call, (error) => expectCode(error, code, message));
}

/** The promise rejects with a {@link TesserasError} of the code, whose message matches. */
export async function assertRejectsCode(
  promise: Promise<unknown>,
  code: ErrorCode,
  message?: RegExp,
): Promise<void> {
  await rejects(promise, (error: unknown) => expectCode(error, code, message));
}

function expectCode(
  error: unknown,
  code: ErrorCode,
  message: RegExp | undefined,
): true {
  ok(error instanceof TesserasError, `not a TesserasError: ${error}`);
  strictEqual(codeOf(error), code, error.message);
  if (message) ok(message.test(error.message), error.message);
  return true;
}
