/** From a command line to what came of it. Nothing here prints. */
import { resolve } from "node:path";
import type { DataPaths } from "@tesseras/run";
import { type CommandLine, commandNamed } from "./command_line.ts";
import type { Command, Context, Outcome } from "./context.ts";
import { commandHelp, overview, versionText } from "./help.ts";
import { UsageError } from "./usage_error.ts";

/** Each is loaded when it runs, so that none pays for another. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import("./commands/init.ts")).init,
  create: async () => (await import("./commands/create.ts")).create,
  list: async () => (await import("./commands/list.ts")).list,
  show: async () => (await import("./commands/show.ts")).show,
  verify: async () => (await import("./commands/verify.ts")).verify,
  export: async () => (await import("./commands/export.ts")).exportCommand,
  import: async () => (await import("./commands/import.ts")).importCommand,
  publish: async () => (await import("./commands/publish.ts")).publish,
  fetch: async () => (await import("./commands/fetch.ts")).fetchCommand,
  status: async () => (await import("./commands/status.ts")).status,
  delete: async () => (await import("./commands/delete.ts")).deleteCommand,
  store: async () => (await import("./commands/store.ts")).store,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  completions: async () =>
    (await import("./commands/completions.ts")).completions,
};

/** Runs the command of a command line. @throws {UsageError}, and what the command throws */
export async function runCommand(
  line: CommandLine,
  world: Pick<Context, "runtime" | "progress" | "person">,
  signal: AbortSignal,
): Promise<Outcome> {
  const { command, options } = line;
  const answer = answerOf(line);
  if (answer !== undefined) {
    return { json: { text: answer }, lines: answer.split("\n") };
  }
  const load = command && COMMANDS[command.name];
  if (load === undefined) {
    throw new UsageError("Cannot run this command: see tes --help");
  }
  const run = await load();
  return await run({
    ...world,
    arguments: line.arguments,
    text: (name) => {
      const value = options.get(name);
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => options.get(name) === true,
    paths: () => pathsFor(options.get("data-dir")),
  }, signal);
}

/** What help and version say; `undefined` when something is to be done. */
function answerOf({ command, options, arguments: values }: CommandLine) {
  if (options.has("version")) return versionText();
  if (command?.name === "help") {
    const [name] = values;
    return name === undefined ? overview() : commandHelp(commandNamed(name));
  }
  if (!options.has("help")) return undefined;
  return command === undefined ? overview() : commandHelp(command);
}

async function pathsFor(flag: string | true | undefined): Promise<DataPaths> {
  const { dataPaths, defaultDataDir, pathEnvironment } = await import(
    "@tesseras/run"
  );
  const dataDir = typeof flag === "string"
    ? flag
    : defaultDataDir(pathEnvironment());
  if (dataDir !== undefined) return dataPaths(resolve(dataDir));
  throw new UsageError(
    "Cannot choose a data directory: HOME is not set; say --data-dir PATH",
  );
}
