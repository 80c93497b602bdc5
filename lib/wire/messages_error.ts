/** The answer of one who cannot give the answer asked for. */
import { codeOf, messageOf } from "@tesseras/core";
import { ERROR_TEXT_BYTES_MAX } from "@tesseras/core/limits";
import type { Definition } from "./definition.ts";

/** The codes that travel: those whose meaning a peer far away can act on. */
export const WIRE_CODES = [
  "timeout",
  "overloaded",
  "refused",
  "absent",
  "malformed",
  "forged",
  "corrupt",
  "diskFull",
] as const;

/** A code that travels. */
export type WireCode = typeof WIRE_CODES[number];

/** I cannot. The code says what the asker does next, the text tells a person why. */
export type ErrorAnswer = {
  readonly type: "error";
  readonly code: WireCode;
  /** One sentence of at most 512 bytes, never a stack. Whoever shows it treats it as a stranger's words. */
  readonly text: string;
};

/** Bytes of a code: room for those of newer peers. */
const CODE_BYTES_MAX = 32;

/** `error`: see {@link ErrorAnswer}. A code of a newer peer reads as `refused`: ask another. */
export const error: Definition<ErrorAnswer> = {
  kind: "error",
  hasBulk: false,
  read(fields) {
    const code = fields.text("code", CODE_BYTES_MAX);
    return {
      type: "error",
      code: isWireCode(code) ? code : "refused",
      text: fields.text("text", ERROR_TEXT_BYTES_MAX),
    };
  },
  write: ({ code, text }) => ({ code, text }),
};

/**
 * The answer that stands for a failure here. A failure whose code travels keeps its code and its sentence. Of anything
 * else, our bug or our machine's trouble, the peer learns nothing: such sentences name our files.
 */
export function errorAnswerOf(failure: unknown): ErrorAnswer {
  const code = codeOf(failure);
  if (code === undefined || !isWireCode(code)) {
    return { type: "error", code: "refused", text: "Cannot answer" };
  }
  const text = code === "diskFull" ? "No room left" : messageOf(failure);
  return { type: "error", code, text: shortened(text) };
}

function isWireCode(code: string): code is WireCode {
  return (WIRE_CODES as readonly string[]).includes(code);
}

/** The text in as many UTF-16 units as surely fit: a unit is at most three bytes. */
function shortened(text: string): string {
  const unitsMax = Math.floor(ERROR_TEXT_BYTES_MAX / 3);
  // A cut may split a surrogate pair, and a file name may hold half of one; neither has an encoding.
  const whole = text.replace(/^\ufeff+/, "").slice(0, unitsMax);
  return whole.toWellFormed();
}
