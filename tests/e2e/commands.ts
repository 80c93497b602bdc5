/** Runs the programs of this repository as a person would: as processes, judged by what they print and how they end. */
import { ROOT } from "@tesseras/ops/cluster";

/** How a program is run. */
export type RunOptions = {
  /** A command that becomes the program, such as one that gives it a small disk. */
  readonly through?: readonly string[];
  /** Environment beside our own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kill it with SIGKILL after so many milliseconds. */
  readonly killAfterMs?: number;
};

/** How a program ended. */
export type Ended = {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
};

/** Runs a program of the repository to its end, or to the moment it is killed. */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const [program, ...before] = [...options.through ?? [], Deno.execPath()];
  const startMs = performance.now();
  const child = new Deno.Command(program!, {
    args: [
      ...before,
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "--cached-only",
      "--frozen",
      "--config",
      `${ROOT}/deno.json`,
      `${ROOT}/${path}`,
      ...args,
    ],
    clearEnv: true,
    env: { ...plainEnvironment(), ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const killer = options.killAfterMs === undefined
    ? undefined
    : setTimeout(() => kill(child), options.killAfterMs);
  const { code, signal, stdout, stderr } = await child.output();
  clearTimeout(killer);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const ms = performance.now() - startMs;
  return { code, signal, out: text(stdout), err: text(stderr), ms };
}

/** Runs `tes` on a data directory. */
export function runTes(
  dataDir: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const path = "services/cli/main.ts";
  return runProgram(path, ["--data-dir", dataDir, ...args], options);
}

/** Runs `tes` and reads the JSON it answers with. @throws {Error} with all it said when it fails */
export async function tesJson<T>(
  dataDir: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<T> {
  const ended = await runTes(dataDir, ["--json", ...args], options);
  if (ended.code === 0) return JSON.parse(ended.out);
  const { code, signal, out, err } = ended;
  throw new Error(
    `tes ${args.join(" ")} ended with ${code} ${signal}: ${out}${err}`,
  );
}

/** What `tes create` answers with, as far as these tests look. */
export type Created = {
  readonly hash: string;
  readonly memories: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly path: string;
  }[];
  readonly leftOut: readonly {
    readonly name: string;
    readonly reason: string;
  }[];
  readonly warnings: readonly string[];
};

/** What `tes publish` answers with, as far as these tests look. */
export type Published = {
  readonly plan: string;
  readonly dataCount: number;
  readonly parityCount: number;
  readonly holders: readonly { readonly index: number; readonly id: string }[];
  readonly unplaced: readonly number[];
};

/** What `tes fetch` answers with, as far as these tests look. */
export type Fetched = {
  readonly status: "fetched" | "exists";
  readonly used: readonly { readonly index: number; readonly holder: string }[];
  readonly rebuiltCount: number;
  readonly failedCount: number;
};

/** The hashes that `tes list` shows. */
export async function listed(dataDir: string): Promise<readonly string[]> {
  const { tesseras } = await tesJson<{ tesseras: { hash: string }[] }>(
    dataDir,
    ["list"],
  );
  return tesseras.map(({ hash }) => hash);
}

/** The one sentence a failed program said. @throws {Error} when it said more, or nothing, or did not fail */
export function sentenceOf({ code, err }: Ended): string {
  const lines = err.split("\n").filter((line) => line !== "");
  const [line] = lines;
  if (code !== 0 && lines.length === 1 && line !== undefined) return line;
  throw new Error(`Ended with ${code}, wanted one sentence: ${err}`);
}

/** Our environment without settings of ours: what whoever runs the tests prefers must not change them. */
function plainEnvironment(): Readonly<Record<string, string>> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(
    all.filter(([name]) => !name.startsWith("TESSERAS_")),
  );
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It ended by itself a moment ago.
    const gone = error instanceof Deno.errors.NotFound ||
      error instanceof TypeError;
    if (!gone) throw error;
  }
}
