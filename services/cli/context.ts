/** What every command is given and what it gives back. */
import type { Runtime } from "@tesseras/core";
import type { DataPaths, JsonObject } from "@tesseras/run";
import type { Progress } from "./progress.ts";

/** Somebody at a terminal who answers questions. */
export interface Person {
  /** Shows a line. */
  say(line: string): void;
  /** A line of text, the fallback for an empty one. @throws `cancelled` at Ctrl-C or the end of input */
  ask(question: string, fallback: string): string;
  /** Yes or no; an empty answer is the fallback. @throws as {@link ask} */
  confirm(question: string, fallback: boolean): boolean;
}

/** The world as a command sees it. */
export type Context = {
  readonly arguments: readonly string[];
  /** The value of an option, `undefined` when it was not given. */
  readonly text: (option: string) => string | undefined;
  /** Whether a flag was given. */
  readonly flag: (option: string) => boolean;
  /** Where things lie. @throws {UsageError} when there is no home and no `--data-dir` */
  readonly paths: () => Promise<DataPaths>;
  readonly runtime: Runtime;
  readonly progress: Progress;
  /** `undefined` unless standard input and output are both a terminal and no JSON is wanted. */
  readonly person: Person | undefined;
};

/** What came of a command: the same for machines and for people. */
export type Outcome = {
  readonly json: JsonObject;
  readonly lines: readonly string[];
  /** Whether the exit code says that something is wrong. */
  readonly failed?: boolean;
};

/** One command. */
export type Command = (
  context: Context,
  signal: AbortSignal,
) => Promise<Outcome>;

/** The argument at a place that the table of commands says is always there. */
export function argumentAt(context: Context, at: number): string {
  return context.arguments[at] ?? "";
}
