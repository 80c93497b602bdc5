/** From what a person typed to a command with its arguments and options. */
import { parseArgs, type ParsedArgs } from "@std/cli/parse-args";
import {
  COMMANDS,
  type CommandSpec,
  GLOBAL_OPTIONS,
  type OptionSpec,
} from "./command_table.ts";
import { usageOf } from "./help.ts";
import { didYouMean } from "./nearest.ts";
import { UsageError } from "./usage_error.ts";

/** A command line that can be used. */
export type CommandLine = {
  /** `undefined` when none was named, which `--help` and `--version` alone allow. */
  readonly command: CommandSpec | undefined;
  readonly arguments: readonly string[];
  /** Options that were given: their value, `true` for a flag. */
  readonly options: ReadonlyMap<string, string | true>;
};

/**
 * Reads a command line against the table of commands.
 *
 * @throws {UsageError} with one sentence, and what may have been meant
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const unknown: string[] = [];
  const known = allOptions();
  const parsed = parseArgs(args, {
    boolean: known.filter(isFlag).map(({ name }) => name),
    string: known.filter((one) => !isFlag(one)).map(({ name }) => name),
    alias: Object.fromEntries(
      known.flatMap(({ name, short }) => short ? [[short, name]] : []),
    ),
    unknown: (flag) => unknown.push(flag),
  });
  const [word, ...values] = parsed._;
  const command = word === undefined ? undefined : commandNamed(word);
  const allowed = [...command?.options ?? [], ...GLOBAL_OPTIONS];
  const [odd] = unknown;
  if (odd !== undefined) throw unknownOption(odd, command, allowed);
  const options = optionsIn(parsed, known);
  for (const [name] of options) {
    if (allowed.some((option) => option.name === name)) continue;
    throw unknownOption(`--${name}`, command, allowed);
  }
  const asks = options.has("help") || options.has("version");
  if (command === undefined && !asks) {
    throw new UsageError(
      "Cannot tell what to do: there is no command; see tes --help",
    );
  }
  if (command !== undefined && !asks) checkArguments(command, values);
  return { command, arguments: values, options };
}

/** @throws {UsageError} when there is no command of this name */
export function commandNamed(name: string): CommandSpec {
  const command = COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((one) => one.name);
  throw new UsageError(
    `Cannot run ${JSON.stringify(name.slice(0, 80))}: there is no such command${
      didYouMean(name, names) || "; see tes --help"
    }`,
  );
}

function allOptions(): readonly OptionSpec[] {
  const own = COMMANDS.flatMap(({ options }) => options);
  return [...own, ...GLOBAL_OPTIONS];
}

function isFlag({ value }: OptionSpec): boolean {
  return value === undefined;
}

function optionsIn(
  parsed: ParsedArgs,
  known: readonly OptionSpec[],
): ReadonlyMap<string, string | true> {
  const options = new Map<string, string | true>();
  for (const { name } of known) {
    const given = parsed[name];
    if (given === undefined || given === false) continue;
    if (given === true) options.set(name, true);
    else if (typeof given === "string" && given !== "") {
      options.set(name, given);
    } else {
      throw new UsageError(
        Array.isArray(given)
          ? `Cannot use --${name}: it was given more than once`
          : `Cannot use --${name}: it needs a value; one that begins with - is given as --${name}=VALUE`,
      );
    }
  }
  return options;
}

function unknownOption(
  typed: string,
  command: CommandSpec | undefined,
  allowed: readonly OptionSpec[],
): UsageError {
  const [flag = typed] = typed.split("=");
  const names = allowed.map(({ name }) => `--${name}`);
  const name = command === undefined ? "tes" : `tes ${command.name}`;
  return new UsageError(
    `Cannot use ${
      JSON.stringify(flag.slice(0, 80))
    }: ${name} has no such option${
      didYouMean(flag, names) || `; see ${name} --help`
    }`,
  );
}

function checkArguments(
  command: CommandSpec,
  values: readonly string[],
): void {
  const places = command.arguments;
  const missing = places.find(({ optional }, at) =>
    !optional && (values[at] ?? "") === ""
  );
  if (missing !== undefined) {
    throw new UsageError(
      `Cannot run tes ${command.name}: ${missing.name} is missing; the usage is ${
        usageOf(command)
      }`,
    );
  }
  if (values.length > places.length) {
    const extra = values[places.length]!;
    throw new UsageError(
      `Cannot run tes ${command.name}: ${
        JSON.stringify(extra.slice(0, 80))
      } is one argument too many; the usage is ${usageOf(command)}`,
    );
  }
}
