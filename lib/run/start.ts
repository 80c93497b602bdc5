/** What a program is told when it starts: its flags, the environment and the configuration file. */
import { resolve } from "node:path";
import { LOG_LEVELS, type LogLevel, TesserasError } from "@tesseras/core";
import { parseArgs } from "@std/cli/parse-args";
import { type Config, type ConfigSources, readConfig } from "./config.ts";
import type { RoleName } from "./daemon.ts";
import { dataPaths, defaultDataDir, type PathEnvironment } from "./paths.ts";

/** A program: what it is called and what it offers. */
export type Program = {
  readonly name: string;
  readonly summary: string;
  readonly roles: readonly RoleName[];
  /** Settings whose default is another in this program, as `section.key`. */
  readonly defaults?: Readonly<Record<string, string>>;
};

/** A start as it was asked for. */
export type Start = {
  readonly config: Config;
  /** Absolute. */
  readonly dataDir: string;
  /** Stop when standard input ends: a launcher that dies, however it dies, then leaves nothing behind. */
  readonly stopWithStdin: boolean;
};

/** Where a start is told from. */
export type StartSources = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly paths: PathEnvironment;
  /** The text of a file, `undefined` when there is none. */
  readonly readFile: (path: string) => string | undefined;
};

const FLAGS = {
  listen: "node.listen_addr",
  bootstrap: "bootstrap.hardcoded",
  "metrics-addr": "observability.metrics_addr",
  "directory-addr": "bootstrap.directory_addr",
  "log-format": "observability.log_format",
  "log-level": "observability.log_level",
} as const;

/** What else a flag sets. */
const IMPLIED: Readonly<
  Record<string, readonly (readonly [string, string])[]>
> = {
  // A flag wins over the file, whose list would win over one address.
  listen: [["node.listen_addrs", ""]],
  // Exactly these: a network of one's own must not end up in the public one because its nodes are down.
  bootstrap: [
    ["bootstrap.dns_domain", ""],
    ["bootstrap.directories", ""],
    ["network.enable_mdns", "false"],
  ],
};

const TEXTS = ["config", "data-dir", ...Object.keys(FLAGS)];

/**
 * Reads everything a program is told.
 *
 * @returns `"help"` when that was all it was asked for
 * @throws `unusable` with one sentence that names what cannot be used
 */
export function readStart(
  { name, defaults = {} }: Program,
  sources: StartSources,
): Start | "help" {
  const parsed = parseFlags(name, sources.args);
  if (parsed === "help") return "help";
  const { texts, stopWithStdin } = parsed;
  const flags = new Map<string, { typed: string; value: string }>();
  for (const [flag, setting] of Object.entries(FLAGS)) {
    const value = texts.get(flag);
    if (value === undefined) continue;
    const typed = `--${flag}`;
    flags.set(setting, { typed, value });
    for (const [other, also] of IMPLIED[flag] ?? []) {
      flags.set(other, { typed, value: also });
    }
  }
  const env = settingVariables(sources.env);
  const file = configFile(texts, env, sources);
  const config = readConfig({ ...file, defaults, env, flags });
  const { data_dir } = config.node;
  const dataDir = dataDirOf(texts.get("data-dir") ?? data_dir, sources.paths);
  return { config, dataDir, stopWithStdin };
}

function parseFlags(
  name: string,
  args: readonly string[],
):
  | "help"
  | { readonly texts: Map<string, string>; readonly stopWithStdin: boolean } {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    boolean: ["help", "stop-with-stdin"],
    string: TEXTS,
    alias: {
      c: "config",
      l: "listen",
      b: "bootstrap",
      d: "data-dir",
      h: "help",
    },
    unknown: (flag) => unknown.push(flag),
  });
  if (parsed.help) return "help";
  const odd = unknown[0] ?? parsed._[0];
  if (odd !== undefined) {
    throw new TesserasError(
      "unusable",
      `Cannot start: ${JSON.stringify(odd)} is not known; see ${name} --help`,
    );
  }
  const texts = new Map<string, string>();
  for (const flag of TEXTS) {
    const value = parsed[flag];
    if (value === undefined) continue;
    const mayBeEmpty = flag === "bootstrap" || flag.endsWith("-addr");
    if (typeof value !== "string" || (value === "" && !mayBeEmpty)) {
      throw new TesserasError(
        "unusable",
        `Cannot use --${flag}: wanted one value; see ${name} --help`,
      );
    }
    texts.set(flag, value);
  }
  return { texts, stopWithStdin: parsed["stop-with-stdin"] === true };
}

/** `TESSERAS_LOG` is the log level in short; `RUST_LOG` of the guide has no meaning here. */
function settingVariables(
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  const { TESSERAS_LOG: level, ...rest } = env;
  if (level === undefined) return rest;
  if (!LOG_LEVELS.includes(level as LogLevel)) {
    throw new TesserasError(
      "unusable",
      `Cannot use TESSERAS_LOG=${JSON.stringify(level)}: wanted ${
        LOG_LEVELS.join(", ")
      }`,
    );
  }
  return { TESSERAS_OBSERVABILITY_LOG_LEVEL: level, ...rest };
}

/** The file that was named, or the one in the data directory, which need not be there. */
function configFile(
  texts: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
  { readFile, paths }: StartSources,
): Pick<ConfigSources, "file"> {
  const named = texts.get("config");
  const folder = texts.get("data-dir") ?? env.TESSERAS_NODE_DATA_DIR ?? "";
  const name = named ?? dataPaths(dataDirOf(folder, paths)).config;
  let text: string | undefined;
  try {
    text = readFile(name);
  } catch (cause) {
    throw new TesserasError(
      "unusable",
      `Cannot read the configuration file ${name}: may it be read, and is it a file?`,
      { cause },
    );
  }
  if (text !== undefined) return { file: { name, text } };
  if (named === undefined) return {};
  throw new TesserasError(
    "unusable",
    `Cannot read the configuration file ${name}: it is not there`,
  );
}

function dataDirOf(chosen: string, paths: PathEnvironment): string {
  const path = chosen === ""
    ? defaultDataDir(paths)
    : expandHome(chosen, paths.home);
  if (path !== undefined) return resolve(path);
  throw new TesserasError(
    "unusable",
    "Cannot choose a data directory: HOME is not set; say --data-dir PATH",
  );
}

function expandHome(path: string, home: string | undefined): string {
  return home !== undefined && (path === "~" || path.startsWith("~/"))
    ? home + path.slice(1)
    : path;
}

/** What `--help` prints. */
export function help({ name, summary }: Program): string {
  return `${summary}

Usage: ${name} [OPTIONS]

Options:
  -c, --config <PATH>        TOML configuration file [default: config.toml in the data directory, if there is one]
  -l, --listen <ADDR>        Address and port to listen on [default: 0.0.0.0:4433]
  -b, --bootstrap <ADDRS>    Comma-separated peers to join through and nothing else, "" for none
  -d, --data-dir <PATH>      Data directory
      --metrics-addr <ADDR>  HTTP address of /healthz, /readyz and /metrics, "" for none [default: 127.0.0.1:9190]
      --directory-addr <ADDR>  HTTP address of /.well-known/tesseras, "" for none [default: 127.0.0.1:9180 in tesseras-bootstrap]
      --log-format <FORMAT>  json or text [default: json]
      --log-level <LEVEL>    debug, info, warn or error [default: info]
      --stop-with-stdin      Stop when standard input ends, for launchers
  -h, --help                 Print this help

Every setting of the configuration file can also be given as TESSERAS_SECTION_KEY in the environment. The token of the
libSQL server in [storage] state_url is in TESSERAS_STATE_TOKEN and nowhere else.`;
}
