/** Where the state of a node lies, which its data directory remembers: its blobs are worth nothing beside another state. */
import { pathToFileURL } from "node:url";
import { type NodeId, TesserasError, toHex } from "@tesseras/core";
import type { State } from "@tesseras/state";
import { openLibsqlState, openServerState } from "@tesseras/state/libsql";
import { type Config, STATE_TOKEN } from "./config.ts";
import type { DataPaths } from "./paths.ts";
import {
  makePrivateFolder,
  readSecret,
  writeNewSecret,
} from "./secret_files.ts";
import { dirname } from "node:path";

/** Bytes of the name of a database, which is what the data directory remembers. */
const NAME_BYTES = 16;

/** An open state. Dispose it. */
export type PlacedState = {
  readonly state: State;
  /** Resolves with why it is of no use any more; pending while all is well. */
  readonly lost: Promise<unknown>;
};

/**
 * Opens the state where the configuration says.
 *
 * @param worker whether a file gets a thread of its own
 * @throws `unusable` when the state of this data directory lies elsewhere; as `openLibsqlState` and `openServerState`
 */
export async function openState(
  { config, paths, node, worker }: {
    readonly config: Config;
    readonly paths: DataPaths;
    readonly node: NodeId;
    readonly worker: boolean;
  },
  signal: AbortSignal,
): Promise<PlacedState> {
  const { state_url: url } = config.storage;
  const known = await databaseInServer(paths);
  if (url === "") {
    if (known !== undefined) throw inServer("start", paths);
    const file = pathToFileURL(paths.database).href;
    const state = await openLibsqlState({ url: file, worker }, signal);
    return { state, lost: PENDING };
  }
  if (known === undefined && await isThere(paths.database)) {
    throw new TesserasError(
      "unusable",
      `Cannot use [storage] state_url: ${paths.dataDir} has a database of its own, ${paths.database}, which cannot be moved to a server; choose a new data directory, or remove the setting`,
    );
  }
  const token = Deno.env.get(STATE_TOKEN);
  const opened = await openServerState(
    { url, token, node, database: known },
    signal,
  );
  await using stack = new AsyncDisposableStack();
  stack.use(opened.state);
  if (known === undefined) {
    await makePrivateFolder(dirname(paths.serverDatabase));
    await writeNewSecret(paths.serverDatabase, opened.database);
  }
  stack.move();
  return { state: opened.state, lost: opened.lost };
}

/**
 * The name of the database in a server that has the state of a data directory; `undefined` when it lies in a file.
 *
 * @throws `unusable` when it cannot be read
 */
export async function databaseInServer(
  paths: DataPaths,
): Promise<Uint8Array | undefined> {
  const name = await readSecret(paths.serverDatabase, NAME_BYTES);
  if (name === undefined || name.length === NAME_BYTES) return name;
  throw new TesserasError(
    "unusable",
    `Cannot read ${paths.serverDatabase}: wanted ${NAME_BYTES} bytes, got ${
      toHex(name)
    }`,
  );
}

/** What cannot be done with a state that lies in a server. */
export function inServer(what: string, paths: DataPaths): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot ${what}: the state of ${paths.dataDir} is in a libSQL server, which only the node with [storage] state_url uses`,
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const PENDING = new Promise<never>(() => {});
