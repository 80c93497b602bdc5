/** One command line from beginning to end: parse, run, print, exit code. */
import {
  codeOf,
  Counters,
  messageOf,
  silentLog,
  TesserasError,
} from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { type CommandLine, parseCommandLine } from "./command_line.ts";
import type { Outcome, Person } from "./context.ts";
import { peakResidentBytes } from "./peak_memory.ts";
import { jsonLine, visible } from "./printed.ts";
import { Progress } from "./progress.ts";
import { runCommand } from "./run_command.ts";
import { UsageError } from "./usage_error.ts";

/** Exit codes, as help documents them. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Ctrl-C reaches us twice when a launcher passes it on; only a later one means "now". */
const ONE_PRESS_MS = 500;

/** Between two tries to write to a pipe that is full. */
const RETRY_MS = 10;

/** Runs `tes` with these arguments, prints what came of it, and returns the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const json = asksForJson(args);
  try {
    const outcome = await outcomeOf(parseCommandLine(args), json);
    print(json ? jsonOf(outcome) : text(outcome.lines));
    return outcome.failed ? EXIT.failed : EXIT.ok;
  } catch (error) {
    const { code, message } = described(error);
    if (json) print(jsonLine({ error: { code, message } }));
    else complain(`tes: ${message}`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** Asked before anything is parsed: an error in the command line is JSON, too. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

async function outcomeOf(line: CommandLine, json: boolean): Promise<Outcome> {
  const stop = new AbortController();
  onInterrupt(() => stop.abort());
  const isQuiet = line.options.has("quiet");
  using progress = new Progress(isQuiet ? undefined : stderrSink());
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const person = json ? undefined : personAtTerminal();
  return await runCommand(line, { runtime, progress, person }, stop.signal);
}

/** With what the command took of memory, which watchers of big tesseras want to know. */
function jsonOf({ json }: Outcome): string {
  return jsonLine({ ...json, peakRssBytes: peakResidentBytes() ?? null });
}

/** The first request stops in order, a later one at once. */
function onInterrupt(stop: () => void): void {
  let askedMs: number | undefined;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      const nowMs = systemClock.monotonicMs();
      askedMs ??= nowMs;
      if (nowMs - askedMs > ONE_PRESS_MS) Deno.exit(EXIT.failed);
      stop();
    });
  }
}

function stderrSink() {
  const terminal = Deno.stderr.isTerminal();
  return {
    terminal,
    columns: () => terminal ? Deno.consoleSize().columns : 80,
    write: (text: string) => writeAll(Deno.stderr, text),
    monotonicMs: () => systemClock.monotonicMs(),
  };
}

function personAtTerminal(): Person | undefined {
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return undefined;
  const ask = (question: string, fallback: string): string => {
    const shown = fallback === "" ? "" : ` [${visible(fallback)}]`;
    const answer = prompt(`${visible(question)}${shown}`);
    // Only Ctrl-C and the end of input give nothing at all.
    if (answer === null) {
      throw new TesserasError("cancelled", "Stopped on request");
    }
    return answer.trim() === "" ? fallback : answer.trim();
  };
  return {
    say: (line) => print(text([line])),
    ask,
    confirm(question, fallback) {
      const answer = ask(`${question} ${fallback ? "[Y/n]" : "[y/N]"}`, "");
      return answer === "" ? fallback : /^y(es)?$/i.test(answer);
    },
  };
}

/** One sentence for any failure. A fault of ours is named as such. */
function described(
  error: unknown,
): { readonly code: string; readonly message: string } {
  const code = codeOf(error);
  if (code !== undefined) return { code, message: messageOf(error) };
  const refused = error instanceof Error && "code" in error &&
    typeof error.code === "string" && /^E[A-Z]+$/.test(error.code);
  return refused
    ? { code: "unusable", message: `Cannot use the disk: ${messageOf(error)}` }
    : {
      code: "internal",
      message: `Cannot go on, by a fault of this program: ${messageOf(error)}`,
    };
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${visible(line)}\n`).join("");
}

function complain(line: string): void {
  writeAll(Deno.stderr, text([line]));
}

function print(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Writes all of a text. A reader that has gone, as `head` does, wanted no more; a slow one is waited for. */
function writeAll(
  to: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += to.writeSync(bytes.subarray(at));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return;
      // Whoever started us may have set the pipe not to wait.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}
