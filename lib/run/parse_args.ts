/**
 * Command-line flags, with the interface of `@std/cli/parse-args` as far as we use it, on `minimist`, from which that
 * package descends. The import map points here; where it can be had, switching is one line.
 *
 * @module
 */
import minimist from "minimist";

/** Which flags there are and how they read. */
export type ParseOptions = {
  readonly boolean?: readonly string[];
  readonly string?: readonly string[];
  readonly alias?: Readonly<Record<string, string>>;
  readonly default?: Readonly<Record<string, unknown>>;
  /** Called with each flag that is not declared; returning `false` drops it. */
  readonly unknown?: (flag: string) => unknown;
  /** Keep what follows `--` apart, in `"--"`. */
  readonly "--"?: boolean;
};

/** Flags by name, positionals in `_`. A boolean flag is always there, a text flag only when it was given. */
export type ParsedArgs = { _: string[]; "--"?: string[] } & {
  [flag: string]: unknown;
};

/** Parses arguments. Never throws by itself; check what came out. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions = {},
): ParsedArgs {
  const { unknown } = options;
  const parsed = minimist(spelledOut(args), {
    boolean: [...options.boolean ?? []],
    // Positionals stay texts: a hash of digits is no number.
    string: ["_", ...options.string ?? []],
    alias: { ...options.alias },
    default: { ...options.default },
    "--": options["--"] ?? false,
    unknown: (arg: string) => !arg.startsWith("-") || unknown?.(arg) !== false,
  });
  return parsed as ParsedArgs;
}

/**
 * `minimist` reads `--no-x` as `x` being false; here, as in that package, it is a flag of its own. And it takes an empty text
 * after a letter for a positional.
 */
function spelledOut(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  const flags = args.slice(0, end < 0 ? args.length : end);
  const spelled = flags.flatMap((arg, at) => {
    const isLetter = /^-[A-Za-z]$/.test(arg);
    if (isLetter && flags[at + 1] === "") return `${arg}=`;
    if (arg === "" && /^-[A-Za-z]$/.test(flags[at - 1] ?? "")) return [];
    return /^--no-[^=]+$/.test(arg) ? `${arg}=true` : arg;
  });
  return [...spelled, ...args.slice(flags.length)];
}
