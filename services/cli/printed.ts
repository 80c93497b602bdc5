/** Figures and texts as people read them. */

const UNITS = ["KB", "MB", "GB", "TB"] as const;

/**
 * What a terminal would obey or a reader be deceived by: controls, line separators, the marks that turn the direction of
 * text around, the byte order mark.
 */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/gu;

/** A line that is safe to print, whatever got into it: hidden characters become `\u{hex}`. */
export function visible(line: string): string {
  return line.toWellFormed().replace(
    HIDDEN,
    (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
}

/** One line of JSON in which hidden characters are spelled `\uXXXX`. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    HIDDEN,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ) + "\n";
}

/** `284 KB`, `4.2 MB`: powers of 1000, one digit behind the point below 10. */
export function printSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes / 1000;
  let unit = 0;
  // 999.5 would print as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const text = value < 9.95
    ? value.toFixed(1).replace(/\.0$/, "")
    : value.toFixed(0);
  return `${text} ${UNITS[unit]}`;
}

/** `1 memory`, `3 memories`. */
export function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** `42 s`, `3 min 20 s`. */
export function printSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
