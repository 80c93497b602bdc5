/** `tes init`: identity, database, configuration. */
import { toHex, utf8 } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import {
  type DataPaths,
  initCreator,
  loadCreator,
  printDefaults,
  readSecret,
  writeNewSecret,
} from "@tesseras/run";
import type { Context, Outcome } from "../context.ts";
import { makeArchive } from "../open_archive.ts";

/** Far more than any configuration has. */
const CONFIG_BYTES_MAX = 1 * MIB;

/** Makes what is missing and leaves what is there. */
export async function init(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime } = context;
  const paths = await context.paths();
  {
    // Opening it makes the folders and the tables.
    await using _archive = await makeArchive(paths, runtime, signal);
  }
  const isNewIdentity = await initCreator(paths, runtime);
  const isNewConfig = await writeConfig(paths);
  const { publicKeys } = await loadCreator(paths);
  return {
    json: {
      dataDir: paths.dataDir,
      identity: isNewIdentity ? "created" : "exists",
      config: isNewConfig ? "written" : "exists",
      creator: { ed25519: toHex(publicKeys.ed25519) },
    },
    lines: [
      isNewIdentity
        ? "Generated Ed25519 and ML-DSA-65 identity"
        : "Ed25519 and ML-DSA-65 identity already exists",
      "Database initialized",
      ...(isNewConfig ? [`Config written to ${paths.config}`] : []),
      `Tesseras initialized at ${paths.dataDir}`,
      ...(isNewIdentity
        ? [
          `Keep a copy of ${paths.identity} in a safe place: whoever has it can sign as you, and nobody can make it again`,
        ]
        : []),
    ],
  };
}

/** Returns whether there was none. What a person wrote is never touched. */
async function writeConfig({ config }: DataPaths): Promise<boolean> {
  const there = async (): Promise<boolean> =>
    await readSecret(config, CONFIG_BYTES_MAX) !== undefined;
  if (await there()) return false;
  try {
    await writeNewSecret(config, utf8(printDefaults()));
    return true;
  } catch (error) {
    // Two at once: the other one's is as good.
    if (await there()) return false;
    throw error;
  }
}
