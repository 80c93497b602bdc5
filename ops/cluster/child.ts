/** One process of a cluster: its output in a file, its log events heard, its life tied to ours. */
import { orAbort, TesserasError } from "@tesseras/core";

/** What a process of the cluster is asked to be. */
export type ChildSpec = {
  readonly name: string;
  readonly role: "bootstrap" | "dht" | "store" | "relay" | "node";
  readonly dataDir: string;
  readonly bootstrap: readonly string[];
  /** The project's root folder. */
  readonly root: string;
  /** Where it listens; a free port of this machine by default. */
  readonly listen?: string;
  /** Settings that differ from the cluster's, as `TESSERAS_SECTION_KEY`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A command that becomes the process, such as one that gives it a small disk. */
  readonly through?: readonly string[];
};

/** How a running process presents itself. */
export type ChildInfo = {
  readonly name: string;
  readonly role: ChildSpec["role"];
  readonly id: string;
  readonly address: string;
  readonly health: string;
  /** Where a bootstrap process serves its directory page. */
  readonly directory?: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly socket: string;
  readonly log: string;
};

/** Lines of a process that failed to start, for its sentence. */
const LAST_LINES = 5;

/** A process of the cluster. */
export class Child {
  readonly spec: ChildSpec;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStream<Uint8Array>;
  readonly #output: Promise<void>;
  readonly #logPath: string;
  readonly #heard = new Map<string, Record<string, unknown>>();
  readonly #waiting: (() => void)[] = [];
  readonly #last: string[] = [];
  #exited = false;

  private constructor(spec: ChildSpec, process: Deno.ChildProcess) {
    this.spec = spec;
    this.#process = process;
    this.#stdin = process.stdin;
    this.#logPath = `${spec.dataDir}.log`;
    this.#output = this.#pump();
    process.status.then(() => {
      this.#exited = true;
      this.#wake();
    });
  }

  /** Starts the process. When we die, however we die, its standard input ends and it stops by itself. */
  static start(spec: ChildSpec): Child {
    const [program, ...before] = [...spec.through ?? [], Deno.execPath()];
    const process = new Deno.Command(program!, {
      args: [
        ...before,
        "run",
        "-A",
        "--no-check",
        // As the start tasks: a young generation of 1 MB is 6 MB less for a process that mostly waits.
        "--v8-flags=--max-semi-space-size=1",
        "--cached-only",
        "--frozen",
        "--config",
        `${spec.root}/deno.json`,
        `${spec.root}/services/${spec.role}/main.ts`,
        "--data-dir",
        spec.dataDir,
        "--listen",
        spec.listen ?? "127.0.0.1:0",
        "--metrics-addr",
        "127.0.0.1:0",
        "--bootstrap",
        spec.bootstrap.join(","),
        "--log-format",
        "json",
        "--log-level",
        "info",
        "--stop-with-stdin",
      ],
      clearEnv: true,
      env: {
        // Nobody but the cluster is spoken to: Deno asks its maker for news when it starts.
        DENO_NO_UPDATE_CHECK: "1",
        ...unconfigured(Deno.env.toObject()),
        TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
        ...(spec.role === "bootstrap" &&
          { TESSERAS_BOOTSTRAP_DIRECTORY_ADDR: "127.0.0.1:0" }),
        ...spec.settings,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // Ctrl-C goes to the launcher alone, which stops everybody in order.
      detached: true,
    }).spawn();
    return new Child(spec, process);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exited(): boolean {
    return this.#exited;
  }

  /** Resolves with how the process ended. */
  get status(): Promise<Deno.CommandStatus> {
    return this.#process.status;
  }

  /** Resolves when the process listens. @throws `unreachable` with its last lines when it ended instead */
  async listening(signal: AbortSignal): Promise<ChildInfo> {
    const listening = await this.#event("daemon.listening", signal);
    const health = await this.#event("health.listening", signal);
    const { spec } = this;
    const directory = spec.role === "bootstrap"
      ? await this.#event("directory.listening", signal)
      : undefined;
    return {
      name: spec.name,
      role: spec.role,
      id: String(listening.id),
      address: String(listening.address),
      health: String(health.address),
      ...(directory && { directory: String(directory.address) }),
      pid: this.pid,
      dataDir: spec.dataDir,
      socket: String(listening.socket),
      log: this.#logPath,
    };
  }

  /** Resolves when the process has joined the network. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#event("daemon ready", signal);
  }

  /** Sends a signal; a process that is gone is left alone. */
  kill(name: Deno.Signal): void {
    if (this.#exited) return;
    try {
      this.#process.kill(name);
    } catch (error) {
      const gone = error instanceof Deno.errors.NotFound ||
        error instanceof TypeError;
      if (!gone) throw error;
    }
  }

  /** Waits until the process and its output have ended. */
  async ended(): Promise<void> {
    await this.#process.status;
    try {
      await this.#stdin.close();
    } catch {
      // The pipe broke with the process that held its other end: nothing was lost.
    }
    await this.#output;
  }

  async #event(
    name: string,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    for (;;) {
      const heard = this.#heard.get(name);
      if (heard !== undefined) return heard;
      if (this.#exited) {
        await this.#output;
        throw new TesserasError(
          "unreachable",
          `Cannot start ${this.spec.name}: it ended with ${
            this.#last.join(" | ") || "no word"
          }; its log is ${this.#logPath}`,
        );
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await orAbort(promise, signal);
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #pump(): Promise<void> {
    using file = await Deno.open(this.#logPath, {
      create: true,
      append: true,
      mode: 0o600,
    });
    const drain = async (stream: ReadableStream<Uint8Array>) => {
      let rest = "";
      const lines = stream.pipeThrough(new TextDecoderStream());
      for await (const text of lines) {
        const parts = (rest + text).split("\n");
        rest = parts.pop()!;
        for (const line of parts) {
          file.writeSync(new TextEncoder().encode(line + "\n"));
          this.#hear(line);
        }
      }
    };
    await Promise.all([
      drain(this.#process.stdout),
      drain(this.#process.stderr),
    ]);
  }

  #hear(line: string): void {
    this.#last.push(line);
    if (this.#last.length > LAST_LINES) this.#last.shift();
    const event = eventOf(line);
    if (event === undefined) return;
    this.#heard.set(String(event.event), event);
    this.#wake();
  }
}

/** The environment without settings of ours: a cluster is not to take up those of a node of this machine. */
function unconfigured(
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith("TESSERAS_")),
  );
}

function eventOf(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // not a log line of ours
  }
}
