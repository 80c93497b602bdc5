/** Help texts, printed from the table of commands. */
import {
  COMMANDS,
  type CommandSpec,
  GLOBAL_OPTIONS,
  type OptionSpec,
  VERSION,
} from "./command_table.ts";

/** Columns of a line of help. */
const WIDTH = 100;

const EXIT_CODES = `Exit codes:
  0  Done
  1  Verification failed, or the command could not do what was asked
  2  The command line cannot be used; nothing was done`;

/**
 * The answer to command lines that only ask for help or the version, without loading anything else; `undefined` for all
 * others.
 */
export function quickAnswer(args: readonly string[]): string | undefined {
  const [first, second] = args;
  if (first === undefined || args.length > 2) return undefined;
  if (args.length === 1) {
    if (first === "--version" || first === "-V") return versionText();
    return isHelp(first) || first === "help" ? overview() : undefined;
  }
  const name = isHelp(second) ? first : first === "help" ? second : undefined;
  const command = COMMANDS.find((one) => one.name === name);
  return command && commandHelp(command);
}

/** `tes 0.1.0`. */
export function versionText(): string {
  return `tes ${VERSION}`;
}

/** The help of `tes` itself. */
export function overview(): string {
  const commands = COMMANDS.map(({ name, summary }) =>
    [name, summary] as const
  );
  return `Create and preserve human memories

Usage: tes [OPTIONS] <COMMAND>

Commands:
${table(commands)}

Options:
${table(GLOBAL_OPTIONS.map(optionRow))}

${EXIT_CODES}`;
}

/** The help of one command. */
export function commandHelp(command: CommandSpec): string {
  const { summary, options, notes } = command;
  const rows = command.arguments.map(({ name, help, optional }) =>
    [optional ? `[${name}]` : `<${name}>`, help] as const
  );
  const parts = [summary, `Usage: ${usageOf(command)}`];
  if (rows.length > 0) parts.push(`Arguments:\n${table(rows)}`);
  const all = [...options, ...GLOBAL_OPTIONS.filter(isForCommands)];
  parts.push(`Options:\n${table(all.map(optionRow))}`);
  if (notes !== undefined) {
    parts.push(notes.split("\n").map((line) => wrapped(line, 0)).join("\n"));
  }
  parts.push(EXIT_CODES);
  return parts.join("\n\n");
}

/** `tes create [OPTIONS] <PATH>`. */
export function usageOf(command: CommandSpec): string {
  const places = command.arguments.map(({ name, optional }) =>
    optional ? ` [${name}]` : ` <${name}>`
  );
  return `tes ${command.name} [OPTIONS]${places.join("")}`;
}

function isHelp(word: string | undefined): boolean {
  return word === "--help" || word === "-h";
}

function isForCommands({ name }: OptionSpec): boolean {
  return name !== "version";
}

function optionRow({ name, short, value, help }: OptionSpec) {
  const flag = short === undefined ? `    --${name}` : `-${short}, --${name}`;
  return [value === undefined ? flag : `${flag} ${value}`, help] as const;
}

/** Two columns, the second wrapped. */
function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) =>
    `  ${left.padEnd(width)}  ${wrapped(right, width + 4)}`
  ).join("\n");
}

/** Breaks a text between words, further lines indented. */
function wrapped(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
