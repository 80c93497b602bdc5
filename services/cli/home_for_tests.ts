/** A person's machine made small: a data directory, folders of memories, and `tes` in this process. */
import { Counters, silentLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { parseCommandLine } from "./command_line.ts";
import type { Outcome, Person } from "./context.ts";
import { Progress } from "./progress.ts";
import { runCommand } from "./run_command.ts";

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** A temporary folder with a data directory in it, gone on dispose. */
export class Home implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** A home without anything in it. */
  static async empty(): Promise<Home> {
    return new Home(await Deno.makeTempDir({ prefix: "tesseras-cli-" }));
  }

  /** A home after `tes init`. */
  static async ready(): Promise<Home> {
    const home = await Home.empty();
    await home.tes(["init"]);
    return home;
  }

  /** Where `tes` keeps everything. */
  get dataDir(): string {
    return `${this.path}/data`;
  }

  /** Makes a folder of files and returns its path. */
  async folder(
    name: string,
    files: Readonly<Record<string, string | Uint8Array>>,
  ): Promise<string> {
    const folder = `${this.path}/${name}`;
    await Deno.mkdir(folder);
    for (const [file, content] of Object.entries(files)) {
      const path = `${folder}/${file}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), {
        recursive: true,
      });
      if (typeof content === "string") await Deno.writeTextFile(path, content);
      else await Deno.writeFile(path, content);
    }
    return folder;
  }

  /** Runs a command in this process, for the person if there is one. */
  async tes(args: readonly string[], person?: Person): Promise<Outcome> {
    const runtime = {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      counters: new Counters(),
    };
    using progress = new Progress(undefined);
    const line = parseCommandLine(["--data-dir", this.dataDir, ...args]);
    return await runCommand(line, { runtime, progress, person }, never);
  }

  /** Makes a tessera of a few texts and returns its hash. */
  async tessera(name = "sunday"): Promise<string> {
    const folder = await this.folder(name, {
      "story.txt": `A warm ${name}.\n`,
    });
    return textOf((await this.tes(["create", folder, "-n"])).json.hash);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The text that a JSON value must be. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError(`wanted a text, saw ${JSON.stringify(value)}`);
}

/** A person who gives these answers one after the other, and remembers what was said. */
export class ScriptedPerson implements Person {
  readonly said: string[] = [];
  readonly #answers: string[];

  constructor(answers: readonly string[]) {
    this.#answers = [...answers];
  }

  say(line: string): void {
    this.said.push(line);
  }

  ask(question: string, fallback: string): string {
    this.said.push(question);
    return this.#next(question) || fallback;
  }

  confirm(question: string, fallback: boolean): boolean {
    this.said.push(question);
    const answer = this.#next(question);
    return answer === "" ? fallback : answer === "y";
  }

  #next(question: string): string {
    const answer = this.#answers.shift();
    if (answer !== undefined) return answer;
    throw new Error(`nobody answers: ${question}`);
  }
}
