/** Where things lie on this machine. */
import { isAbsolute, join } from "node:path";
import { toHex, utf8 } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { SHARED_FOLDER } from "./socket_folder.ts";

/** What decides the default data directory. */
export type PathEnvironment = {
  readonly home: string | undefined;
  readonly xdgDataHome: string | undefined;
  readonly os: string;
  readonly exists: (path: string) => boolean;
};

/** Bytes a Unix socket's path may have: `sun_path` is 104 on macOS and 108 on Linux, with its NUL. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * The data directory without `--data-dir`: `~/.tesseras` when it is there, else the platform's own place. `undefined` when
 * there is no home.
 */
export function defaultDataDir(env: PathEnvironment): string | undefined {
  const home = absolute(env.home);
  if (home === undefined) return undefined;
  const plain = join(home, ".tesseras");
  if (env.exists(plain)) return plain;
  if (env.os === "darwin") {
    return join(home, "Library", "Application Support", "tesseras");
  }
  const data = absolute(env.xdgDataHome) ?? join(home, ".local", "share");
  return join(data, "tesseras");
}

/** An empty or relative variable counts as unset (XDG Base Directory Specification, "Basics"). */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/** The real environment, for {@link defaultDataDir}. */
export function pathEnvironment(): PathEnvironment {
  return {
    home: Deno.env.get("HOME"),
    xdgDataHome: Deno.env.get("XDG_DATA_HOME"),
    os: Deno.build.os,
    exists(path) {
      try {
        return Deno.statSync(path).isDirectory;
      } catch {
        return false; // what cannot be looked at is not used by default
      }
    },
  };
}

/** The files and folders of one data directory. */
export type DataPaths = {
  readonly dataDir: string;
  readonly config: string;
  /** The creator's identity. */
  readonly identity: string;
  /** The node's identity. */
  readonly nodeKey: string;
  readonly blobs: string;
  readonly database: string;
  /** The name of the database in a libSQL server that has the state instead. */
  readonly serverDatabase: string;
  /** The peers that this node tells newcomers of over HTTP. */
  readonly directory: string;
  /** Locked while a node runs here. */
  readonly lock: string;
  readonly socketDir: string;
  readonly socket: string;
};

/** @param dataDir an absolute path */
export function dataPaths(dataDir: string): DataPaths {
  const socketDir = socketDirectory(dataDir);
  return {
    dataDir,
    config: join(dataDir, "config.toml"),
    identity: join(dataDir, "identity"),
    nodeKey: join(dataDir, "identity.key"),
    blobs: join(dataDir, "blobs"),
    database: join(dataDir, "db", "tesseras.db"),
    serverDatabase: join(dataDir, "db", "server"),
    directory: join(dataDir, "db", "directory.kv"),
    lock: join(dataDir, "lock"),
    socketDir,
    socket: join(socketDir, "tesd.sock"),
  };
}

/** Inside the data directory, unless its path is too long for a socket. */
function socketDirectory(dataDir: string): string {
  const inside = join(dataDir, "run");
  if (utf8(join(inside, "tesd.sock")).length <= SOCKET_PATH_BYTES_MAX) {
    return inside;
  }
  const digest = toHex(blake3(utf8(dataDir))).slice(0, 24);
  return join(SHARED_FOLDER, `tesseras-${digest}`);
}
