/** What a setting is, and the plain kinds of them. */

/** A setting: its default, what it allows in words, and how it is read from TOML or from a text. */
export type Setting<T> = {
  readonly fallback: T;
  readonly allowed: string;
  /** `undefined` when the value is not allowed. */
  readonly read: (value: unknown) => T | undefined;
  readonly help: string;
};

/** One that is read by a function of its own. */
export function setting<T>(
  fallback: T,
  allowed: string,
  help: string,
  read: (value: unknown) => T | undefined,
): Setting<T> {
  return { fallback, allowed, read, help };
}

/** A whole number within bounds. */
export function whole(
  fallback: number,
  least: number,
  most: number,
  help: string,
): Setting<number> {
  return setting(
    fallback,
    `a whole number from ${least} to ${most}`,
    help,
    (value) => {
      const number = typeof value === "string" && /^\d+$/.test(value)
        ? Number(value)
        : value;
      return typeof number === "number" && Number.isSafeInteger(number) &&
          number >= least && number <= most
        ? number
        : undefined;
    },
  );
}

/** True or false. */
export function flag(fallback: boolean, help: string): Setting<boolean> {
  return setting(fallback, "true or false", help, (value) => {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    return undefined;
  });
}

/** Any text. */
export function text(fallback: string, help: string): Setting<string> {
  return setting(
    fallback,
    "a text",
    help,
    (value) => typeof value === "string" ? value : undefined,
  );
}

/** One of a few words. */
export function oneOf<T extends string>(
  fallback: T,
  values: readonly T[],
  help: string,
): Setting<T> {
  return setting(
    fallback,
    values.map((v) => `"${v}"`).join(" or "),
    help,
    (value) => values.find((v) => v === value),
  );
}
