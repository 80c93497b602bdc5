/** A program of the project as a process: started, listened to, told to stop, and never left behind. */
import { fileURLToPath } from "node:url";
import { orAbort } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const never = new AbortController().signal;
/** How long anything may take on a busy machine before the test gives up. */
const PATIENCE_MS = 30_000;

/** How a program ended, and everything it said. */
export type Ending = {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** One event of a program's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A running program. Disposing it kills it, unless it has ended. */
export class Program implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #texts = { stdout: "", stderr: "" };
  readonly #ended: Promise<Ending>;
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#ended = this.#listen();
  }

  /** Starts `<script>` (from the project's root) with arguments, an environment without settings of ours, and a pipe for input. */
  static start(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Program {
    const inherited = Object.entries(Deno.env.toObject())
      .filter(([name]) => !name.startsWith("TESSERAS_"));
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--quiet",
        "--cached-only",
        "--frozen",
        "--config",
        `${ROOT}deno.json`,
        `${ROOT}${script}`,
        ...args,
      ],
      clearEnv: true,
      env: {
        ...Object.fromEntries(inherited),
        // Tests run side by side on one machine.
        TESSERAS_BOOTSTRAP_DIRECTORY_ADDR: "",
        // Nobody is asked but whom a test names.
        DENO_NO_UPDATE_CHECK: "1",
        TESSERAS_BOOTSTRAP_HARDCODED: "",
        TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
        TESSERAS_NETWORK_ENABLE_MDNS: "false",
        ...env,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Program(process);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until what it has said satisfies. Fails when it ends first. */
  async said<T>(find: (stdout: string) => T | undefined): Promise<T> {
    using deadline = systemClock.deadline(PATIENCE_MS, never);
    for (;;) {
      const found = find(this.#texts.stdout);
      if (found !== undefined) return found;
      if (this.#isOver) {
        throw new Error(`it ended with: ${JSON.stringify(await this.#ended)}`);
      }
      await orAbort(this.#wake.promise, deadline.signal);
    }
  }

  /** Waits for an event of its log. */
  event(name: string): Promise<LogLine> {
    return this.said((stdout) =>
      eventsIn(stdout).find((e) => e.event === name)
    );
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Ends its standard input. */
  async closeInput(): Promise<void> {
    await this.#process.stdin.close();
  }

  /** Waits for its end. */
  async ended(): Promise<Ending> {
    using deadline = systemClock.deadline(PATIENCE_MS, never);
    return await orAbort(this.#ended, deadline.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#process.kill("SIGKILL");
    await this.#ended;
    // Its other end may be gone already, and then there is nothing to close.
    await this.#process.stdin.close().catch(() => {});
  }

  async #listen(): Promise<Ending> {
    const { stdout, stderr } = this.#process;
    const [{ code, signal }] = await Promise.all([
      this.#process.status,
      this.#gather(stdout, "stdout"),
      this.#gather(stderr, "stderr"),
    ]);
    this.#isOver = true;
    this.#wake.resolve();
    return { code, signal, ...this.#texts };
  }

  async #gather(
    stream: ReadableStream<Uint8Array>,
    to: "stdout" | "stderr",
  ): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#texts[to] += decoder.decode(bytes, { stream: true });
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }
}

/** Runs a program to its end. */
export async function runProgram(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ending> {
  await using program = Program.start(script, args, env);
  return await program.ended();
}

/** The log events in what a program has written, whole lines only. */
export function eventsIn(stdout: string): readonly LogLine[] {
  return stdout.slice(0, stdout.lastIndexOf("\n") + 1).split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): LogLine => JSON.parse(line));
}

/** Whether a process runs; one that is dead and not yet buried does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/^\d+ \(.*\) [ZX]/s.test(stat);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return false;
  }
}

/** Waits until something holds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  using deadline = systemClock.deadline(PATIENCE_MS, never);
  while (!await holds()) {
    if (deadline.signal.aborted) {
      throw new Error(`waited in vain until ${what}`);
    }
    await systemClock.sleep(25, never);
  }
}

/** A temporary folder; dispose it to remove it with everything in it. */
export async function temporaryFolder(): Promise<
  AsyncDisposable & { readonly path: string }
> {
  const path = await Deno.makeTempDir({ prefix: "tesseras-e2e-" });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}
