/**
 * One configuration: defaults, then a TOML file, then `TESSERAS_SECTION_KEY` from the environment, then flags.
 * Whatever is unknown or not allowed stops the start with one sentence.
 */
import { type Address, parseAddress, TesserasError } from "@tesseras/core";
import { parse } from "@std/toml";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

type Sections = typeof SETTINGS;
type Value<S> = S extends Setting<infer T> ? T : never;

/** What the libSQL server of `storage.state_url` wants to be shown: from the environment alone, where no file and no list of processes shows it. */
export const STATE_TOKEN = "TESSERAS_STATE_TOKEN";

/** Every value, checked. */
export type Config = {
  readonly [S in keyof Sections]: {
    readonly [K in keyof Sections[S]]: Value<Sections[S][K]>;
  };
};

/** Where values come from, in rising precedence after the defaults. */
export type ConfigSources = {
  /** Defaults of one program that are not those of all, as `section.key`. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** Name and text of the TOML file. */
  readonly file?: { readonly name: string; readonly text: string };
  readonly env?: Readonly<Record<string, string>>;
  /** Flags as `section.key`, with the name that the person typed. */
  readonly flags?: ReadonlyMap<
    string,
    { readonly typed: string; readonly value: string }
  >;
};

/**
 * Merges all sources.
 *
 * @throws `unusable` with one sentence naming source, key, value and what is allowed
 */
export function readConfig(sources: ConfigSources): Config {
  const values = new Map<string, unknown>();
  for (const [name, one] of allSettings()) values.set(name, one.fallback);
  for (const [name, value] of Object.entries(sources.defaults ?? {})) {
    const [section, key] = name.split(".") as [string, string];
    set(values, { section, key, typed: name }, value);
  }
  if (sources.file !== undefined) readFile(sources.file, values);
  for (const [name, value] of Object.entries(sources.env ?? {})) {
    readVariable(name, value, values);
  }
  for (const [name, { typed, value }] of sources.flags ?? []) {
    const [section, key] = name.split(".") as [string, string];
    set(values, { section, key, typed }, value);
  }
  const config: Record<string, Record<string, unknown>> = {};
  for (const [name] of allSettings()) {
    const [section, key] = name.split(".") as [string, string];
    (config[section] ??= {})[key] = values.get(name);
  }
  return Object.freeze(config) as Config;
}

/**
 * The address to listen on. A node has one UDP port, which punching through NATs needs; `[::]` on it serves IPv4 as well, so
 * `0.0.0.0` and `[::]` together are one address.
 *
 * @throws `unusable` for several addresses that one port cannot serve
 */
export function listenAddress(config: Config): Address {
  const { listen_addr, listen_addrs } = config.node;
  const all = (listen_addrs.length > 0 ? listen_addrs : [listen_addr])
    .map(parseAddress);
  const [first] = all;
  if (first !== undefined && all.length === 1) return first;
  const every = all.every(({ ip, port }) =>
    (ip === "0.0.0.0" || ip === "::") && port === first?.port
  );
  if (first !== undefined && every) return { ip: "::", port: first.port };
  throw new TesserasError(
    "unusable",
    `Cannot use [node] listen_addrs = ${
      JSON.stringify(listen_addrs)
    }: wanted one address, or 0.0.0.0 and [::] with the same port`,
  );
}

/** A TOML file with every setting, its default and what it means, commented out. */
export function printDefaults(): string {
  const lines = [
    "# Every setting with its default. Remove the # of those you change.",
  ];
  for (const [section, settings] of Object.entries(SETTINGS)) {
    lines.push("", `[${section}]`);
    for (const [key, one] of Object.entries(settings)) {
      lines.push(`# ${one.help}: ${one.allowed}`);
      lines.push(`#${key} = ${JSON.stringify(one.fallback)}`);
    }
  }
  return lines.join("\n") + "\n";
}

function allSettings(): [string, Setting<unknown>][] {
  return Object.entries(SETTINGS).flatMap(([section, settings]) =>
    Object.entries(settings).map((
      [key, one],
    ): [string, Setting<unknown>] => [`${section}.${key}`, one])
  );
}

function readFile(
  file: { readonly name: string; readonly text: string },
  values: Map<string, unknown>,
): void {
  let document: Record<string, unknown>;
  try {
    document = parse(file.text);
  } catch (cause) {
    const [reason] = String(cause instanceof Error ? cause.message : cause)
      .split("\n");
    throw new TesserasError("unusable", `Cannot read ${file.name}: ${reason}`, {
      cause,
    });
  }
  for (const [section, body] of Object.entries(document)) {
    if (!Object.hasOwn(SETTINGS, section) || !isTable(body)) {
      throw new TesserasError(
        "unusable",
        `Cannot use ${file.name}: [${section}] is not a section; there are ${
          Object.keys(SETTINGS).map((s) => `[${s}]`).join(", ")
        }`,
      );
    }
    for (const [key, value] of Object.entries(body)) {
      const typed = `${file.name}: [${section}] ${key}`;
      set(values, { section, key, typed }, value);
    }
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `TESSERAS_SECTION_KEY`; other names that start so are refused, for a typing error must not pass silently. */
function readVariable(
  name: string,
  value: string,
  values: Map<string, unknown>,
): void {
  if (!name.startsWith("TESSERAS_") || name === STATE_TOKEN) return;
  for (const [known] of allSettings()) {
    if (name === `TESSERAS_${known.replace(".", "_").toUpperCase()}`) {
      const [section, key] = known.split(".") as [string, string];
      return set(values, { section, key, typed: name }, value);
    }
  }
  throw new TesserasError(
    "unusable",
    `Cannot use ${name} from the environment: there is no such setting; names are TESSERAS_SECTION_KEY, as in TESSERAS_NODE_LISTEN_ADDR`,
  );
}

/** A value as it may be told: a URL without its name, password and query, where people put secrets. */
function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes("://")
    ? text.replaceAll(/(:\/\/)[^"\/?#]*@|([?#])[^"]*/g, "$1$2...")
    : text;
}

function set(
  values: Map<string, unknown>,
  { section, key, typed }: {
    readonly section: string;
    readonly key: string;
    /** What the person wrote to set it. */
    readonly typed: string;
  },
  value: unknown,
): void {
  const settings: Readonly<Record<string, Setting<unknown>>> =
    SETTINGS[section as keyof Sections];
  const one = Object.hasOwn(settings, key) ? settings[key] : undefined;
  if (one === undefined) {
    throw new TesserasError(
      "unusable",
      `Cannot use ${typed}: there is no such setting; [${section}] has ${
        Object.keys(settings).join(", ")
      }`,
    );
  }
  const read = one.read(value);
  if (read === undefined) {
    throw new TesserasError(
      "unusable",
      `Cannot use ${typed} = ${shown(value)}: wanted ${one.allowed}`,
    );
  }
  values.set(`${section}.${key}`, read);
}
