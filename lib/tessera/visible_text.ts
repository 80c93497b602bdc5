/** Text of people in files for strangers: every character that would break a line or deceive the eye is spelled out. */
import { TesserasError } from "@tesseras/core";

/**
 * What is never written as itself: control characters, line and paragraph separators, the marks that turn the
 * direction of text around (with which `gpj.exe` looks like `exe.jpg`), and the byte order mark.
 */
const HIDDEN =
  // deno-lint-ignore no-control-regex -- control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Characters of a quotation: enough for any path of a tessera. */
const QUOTED_CHARS_MAX = 160;

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/**
 * One line of visible text: `\` becomes `\\`, hidden characters `\n`, `\r`, `\t` or `\u{hex}`, and so does a space at
 * either end. {@link unescapeText} gives the text back. Half surrogate pairs become U+FFFD, as UTF-8 cannot hold them.
 *
 * @example
 * ```ts
 * import { escapeText } from "@tesseras/tessera";
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(escapeText("a\\b\nc\u202e"), "a\\\\b\\nc\\u{202e}");
 * ```
 */
export function escapeText(text: string): string {
  return text.toWellFormed()
    .replaceAll("\\", "\\\\")
    .replace(HIDDEN, (char) => SHORT[char] ?? spelled(char))
    .replace(/^ | $/g, spelled);
}

/**
 * The text that {@link escapeText} made a line of.
 *
 * @throws `malformed` for a line it would not have made: a text has one spelling
 */
export function unescapeText(line: string): string {
  const text = line.replace(
    /\\(?:u\{([0-9a-f]{1,6})\}|(.))/gsu,
    (whole, hex: string | undefined, short: string | undefined) => {
      if (hex !== undefined) {
        const point = Number.parseInt(hex, 16);
        return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
      }
      return { "\\": "\\", n: "\n", r: "\r", t: "\t" }[short ?? ""] ?? whole;
    },
  );
  if (escapeText(text) !== line) {
    throw new TesserasError(
      "malformed",
      `Cannot read text ${quoteText(line)}: wrong escape`,
    );
  }
  return text;
}

/** A text in quotation marks for an error message: visible, and at most {@link QUOTED_CHARS_MAX} characters of it. */
export function quoteText(text: string): string {
  const line = escapeText(text.slice(0, QUOTED_CHARS_MAX + 1));
  return line.length <= QUOTED_CHARS_MAX
    ? `"${line}"`
    : `"${line.slice(0, QUOTED_CHARS_MAX).toWellFormed()}…"`;
}

/** JSON of a value, two spaces an indent and a line feed at the end, with hidden characters spelled `\uXXXX`. */
export function printVisibleJson(value: unknown): string {
  const json = JSON.stringify(value, null, 2).replace(
    HIDDEN,
    (char) =>
      char === "\n"
        ? char // between tokens; inside strings JSON has already spelled it
        : "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"),
  );
  return json + "\n";
}

function spelled(char: string): string {
  return `\\u{${char.codePointAt(0)!.toString(16)}}`;
}
