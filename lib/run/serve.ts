/** A program around a node: it starts, says so, and ends in order. */
import {
  codeOf,
  Counters,
  formatAddress,
  messageOf,
  type Runtime,
  toHex,
} from "@tesseras/core";
import { lineLog, systemClock, systemRandom } from "@tesseras/core/system";
import type { Config } from "./config.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { pathEnvironment } from "./paths.ts";
import { help, type Program, readStart, type Start } from "./start.ts";

/** How long a shutdown may take before it is forced (user guide, "Shutting down"). */
const SHUTDOWN_MS = 5_000;
/** Ctrl-C reaches a group twice within a moment: only a later signal means "now". */
const SAME_SIGNAL_MS = 500;

/** Exit codes of every program. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs a program until it is told to stop. Ends the process. */
export async function serve(program: Program): Promise<never> {
  try {
    const start = readStart(program, {
      args: Deno.args,
      env: Deno.env.toObject(),
      paths: pathEnvironment(),
      readFile: readTextIfThere,
    });
    if (start === "help") console.log(help(program));
    else await run(program, start);
    Deno.exit(EXIT.ok);
  } catch (error) {
    const told = tellableOf(error);
    if (told === undefined) throw error;
    console.error(`${program.name}: ${messageOf(told)}`);
    Deno.exit(codeOf(told) === "unusable" ? EXIT.usage : EXIT.failed);
  }
}

async function run(program: Program, start: Start): Promise<void> {
  const runtime = systemRuntime(start.config);
  const stop = new AbortController();
  const stopNow = (): void => {
    if (stop.signal.aborted) return;
    forceLater();
    stop.abort();
  };
  onSignals(stopNow);
  if (start.stopWithStdin) onStdinEnd(stopNow);
  const daemon = await startUnlessStopped(program, start, {
    runtime,
    signal: stop.signal,
  });
  if (daemon === undefined) return;
  announce(program, daemon, runtime);
  const failure = await Promise.race([
    aborted(stop.signal),
    daemon.failed.then((error) => ({ error })),
  ]);
  const { log } = runtime;
  log.info("daemon.stopping");
  if (failure !== undefined) {
    forceLater();
    log.error("daemon.failed", { reason: messageOf(failure.error) });
  }
  const closing = await closeAll(daemon, runtime);
  log.info("daemon.stopped");
  // What broke the node comes first: whatever failed while it was closed followed from it.
  if (failure !== undefined) throw failure.error;
  if (closing !== undefined) throw closing.error;
}

/** `undefined` when it was told to stop before it had started. */
async function startUnlessStopped(
  program: Program,
  { config, dataDir }: Start,
  { runtime, signal }: {
    readonly runtime: Runtime;
    readonly signal: AbortSignal;
  },
): Promise<Daemon | undefined> {
  const { name, roles } = program;
  try {
    return await startDaemon({ name, config, dataDir, roles }, runtime, signal);
  } catch (error) {
    if (signal.aborted && codeOf(error) === "cancelled") return undefined;
    throw error;
  }
}

/** Closes the daemon; everything that fails meanwhile is logged, and all of it is returned as one. */
async function closeAll(
  daemon: Daemon,
  { log }: Runtime,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await daemon[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    for (const one of flatErrors(error)) {
      log.error("daemon.close_failed", { reason: messageOf(one) });
    }
    return { error };
  }
}

/** Several failures of one disposal come nested; the first to happen lies deepest. */
export function flatErrors(error: unknown): readonly unknown[] {
  return error instanceof SuppressedError
    ? [...flatErrors(error.suppressed), ...flatErrors(error.error)]
    : [error];
}

/** The failure that one sentence tells: the first, when all are of a kind we foresaw. */
function tellableOf(error: unknown): unknown {
  const all = flatErrors(error);
  return all.every((one) => codeOf(one) !== undefined) ? all[0] : undefined;
}

function announce(program: Program, daemon: Daemon, runtime: Runtime): void {
  const { log } = runtime;
  log.info("daemon.listening", {
    program: program.name,
    id: toHex(daemon.node.id),
    address: formatAddress(daemon.listening),
    pid: Deno.pid,
    socket: daemon.paths.socket,
  });
  daemon.joined.then(() => log.info("daemon ready"));
}

/** The first request stops in order, a later one at once. SIGHUP comes when a terminal is closed. */
function onSignals(stop: () => void): void {
  let askedMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = systemClock.monotonicMs();
    askedMs ??= nowMs;
    if (nowMs - askedMs > SAME_SIGNAL_MS) Deno.exit(EXIT.failed);
    stop();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, onSignal);
  }
}

function onStdinEnd(stop: () => void): void {
  const drain = async (): Promise<void> => {
    const buffer = new Uint8Array(64);
    while (await Deno.stdin.read(buffer) !== null);
  };
  // An input that breaks has ended, too.
  drain().then(stop, stop);
}

function forceLater(): void {
  setTimeout(() => Deno.exit(EXIT.failed), SHUTDOWN_MS);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((end) => {
    if (signal.aborted) end(undefined);
    signal.addEventListener("abort", () => end(undefined), { once: true });
  });
}

function readTextIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (isAbsent) return undefined;
    throw error;
  }
}

function systemRuntime({ observability }: Config): Runtime {
  const { log_format, log_level } = observability;
  return {
    clock: systemClock,
    random: systemRandom,
    log: lineLog(log_format, log_level, (line) => console.log(line)),
    counters: new Counters(),
  };
}
