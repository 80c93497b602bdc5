/**
 * Other people's Reed-Solomon, built from a few lines of ours around their library when it is installed: Debian's
 * `libisal-dev` with `gcc`, and `golang-github-klauspost-reedsolomon-dev` with `golang-go`.
 *
 * @module
 */
import { codeOf, messageOf, TesserasError } from "@tesseras/core";

/** Which implementation, by the name of its source file. */
export type ReferenceName = "isal" | "klauspost";

/** Which shards of which code: `present` has as many as there are data shards. */
export type ReferenceTask = {
  readonly dataCount: number;
  readonly parityCount: number;
  readonly shardBytes: number;
  readonly present: readonly number[];
  readonly wanted: readonly number[];
};

/** Where Debian puts the sources of Go libraries. */
const GO_PATH = "/usr/share/gocode";
/** One round of a benchmark is measured inside the program, so a buffer for its figure is small. */
const LINE_BYTES = 64;

/** Builds an implementation into a file of that folder. Nothing is fetched. @throws `missing` with the reason */
export async function buildReference(
  name: ReferenceName,
  folder: string,
): Promise<string> {
  const path = `${folder}/${name}`;
  const source = (end: string) =>
    new URL(`./${name}.${end}`, import.meta.url).pathname;
  const { success, stderr } = name === "isal"
    ? await outputOf(name, "gcc", {
      args: ["-O2", source("c"), "-o", path, "-lisal"],
    })
    : await outputOf(name, "go", {
      args: ["build", "-o", path, source("go")],
      env: {
        GO111MODULE: "off",
        GOPATH: GO_PATH,
        GOPROXY: "off",
        GOFLAGS: "",
      },
    });
  if (success) return path;
  throw new TesserasError(
    "missing",
    `Cannot build ${name}: ${new TextDecoder().decode(stderr).trim()}`,
  );
}

/** The reason why an implementation cannot be built here, as one line. Other failures are thrown. */
export function reasonOf(error: unknown): string {
  if (codeOf(error) !== "missing") throw error;
  return messageOf(error).split("\n")[0]!;
}

/** The wanted shards, made by the program from those present. */
export async function decodeBy(
  program: string,
  task: ReferenceTask,
  present: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const child = new Deno.Command(program, {
    args: argumentsOf("decode", task),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  for (const shard of present) await writer.write(shard);
  await writer.close();
  const { success, stdout } = await output;
  const { shardBytes, wanted } = task;
  if (!success || stdout.length !== wanted.length * shardBytes) {
    throw new Error(`${program} gave ${stdout.length} bytes`);
  }
  return wanted.map((_, i) =>
    stdout.subarray(i * shardBytes, (i + 1) * shardBytes)
  );
}

/** A program that measures itself, a short round whenever it is asked. */
export class ReferenceRate implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamBYOBReader;

  constructor(program: string, task: ReferenceTask) {
    this.#child = new Deno.Command(program, {
      args: argumentsOf("bench", task),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader({ mode: "byob" });
  }

  /** Megabytes of data a second in one round of 10 ms. */
  async round(): Promise<number> {
    await this.#writer.write(new TextEncoder().encode("\n"));
    const { value } = await this.#reader.read(new Uint8Array(LINE_BYTES));
    return Number(new TextDecoder().decode(value));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}

function argumentsOf(work: "decode" | "bench", task: ReferenceTask): string[] {
  const { dataCount, parityCount, shardBytes, present, wanted } = task;
  return [
    work,
    `${dataCount}`,
    `${parityCount}`,
    `${shardBytes}`,
    present.join(","),
    wanted.join(","),
  ];
}

async function outputOf(
  name: ReferenceName,
  command: string,
  options: Deno.CommandOptions,
): Promise<Deno.CommandOutput> {
  try {
    return await new Deno.Command(command, options).output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new TesserasError(
      "missing",
      `Cannot build ${name}: ${command} is not installed`,
      { cause },
    );
  }
}
