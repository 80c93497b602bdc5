/** The folder of the control socket: ours alone, or none. A folder that somebody else made could swap the socket under us. */
import { dirname } from "node:path";
import { TesserasError } from "@tesseras/core";
import { makePrivateFolder } from "./secret_files.ts";

/** Where sockets go whose data directory has too long a path. Anybody may make folders here. */
export const SHARED_FOLDER = "/tmp";

/**
 * Makes the folder, or takes the one of an earlier start.
 *
 * @throws `unusable` when it is a link or belongs to another user
 */
export async function claimSocketFolder(path: string): Promise<void> {
  // Looked at first: tightening follows a link to wherever it leads.
  await refuseForeign(path);
  await makePrivateFolder(path);
  await refuseForeign(path);
}

/**
 * Stops a client from speaking to a socket that another user laid out for it. Inside a data directory the socket is as
 * trustworthy as everything else there.
 *
 * @throws `unusable` when the folder is a link or belongs to another user
 */
export async function checkSocket(socket: string): Promise<void> {
  const folder = dirname(socket);
  if (dirname(folder) === SHARED_FOLDER) await refuseForeign(folder);
}

async function refuseForeign(path: string): Promise<void> {
  let found: Deno.FileInfo;
  try {
    found = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw foreign(path, "it cannot be looked at");
  }
  if (!found.isDirectory) throw foreign(path, "it is no folder");
  if (found.uid !== Deno.uid()) {
    throw foreign(path, `it belongs to user ${found.uid}`);
  }
}

function foreign(path: string, reason: string): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot use ${path} for the control socket: ${reason}; remove it, or choose a data directory with a shorter path`,
  );
}
