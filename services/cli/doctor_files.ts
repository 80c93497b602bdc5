/** The disk of a data directory: who may read what, how much is free, what was left behind. Only looks. */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Config, type DataPaths, seedPath } from "@tesseras/run";
import { advice, type Finding, fine, problem } from "./finding.ts";
import { counted, printSize } from "./printed.ts";

/** Entries of a folder that are counted; a folder that has more has too many. */
const COUNTED_MAX = 10_000;
/** How old a temporary file is that nobody is still writing. */
const LEFTOVER_MS = 3_600_000;

/** Whether what is there is ours alone. */
export async function checkPrivacy(
  paths: DataPaths,
): Promise<readonly Finding[]> {
  const check = "Permissions";
  const folders = [
    paths.dataDir,
    paths.identity,
    paths.blobs,
    dirname(paths.database),
  ];
  const files = [seedPath(paths), paths.nodeKey, paths.database];
  const findings: Finding[] = [];
  for (const path of [...folders, ...files]) {
    const found = await lookAt(path);
    if (found === undefined) continue;
    if (found.uid !== null && found.uid !== Deno.uid()) {
      findings.push(problem(
        check,
        `${path} belongs to user ${found.uid}, and this program runs as ${Deno.uid()}`,
        `Run tes and tesd as the user whose it is, or change that: chown -R ${Deno.uid()} ${paths.dataDir}`,
      ));
    } else if (((found.mode ?? 0) & 0o077) !== 0) {
      findings.push(openToOthers(check, path, found.isDirectory));
    }
  }
  return findings.length > 0
    ? findings
    : [fine(check, `${paths.dataDir} is open to nobody but its owner`)];
}

function openToOthers(check: string, path: string, isFolder: boolean): Finding {
  return problem(
    check,
    `Others on this machine may open ${path}`,
    `Close it to them: chmod ${isFolder ? "700" : "600"} ${path}`,
  );
}

/** Whether there is room for fragments of others, and for our own. */
export async function checkSpace(
  paths: DataPaths,
  config: Config | undefined,
): Promise<readonly Finding[]> {
  const check = "Free space";
  const { bavail, bsize } = await statfs(paths.dataDir);
  const freeBytes = bavail * bsize;
  const floor = config?.replication.min_free_space_bytes ?? 0;
  const what = `${printSize(freeBytes)} are free, and ${
    printSize(floor)
  } are to stay free`;
  if (freeBytes <= floor) {
    return [problem(
      check,
      `${what}: the node takes no fragments`,
      "Make room on this disk, or lower [replication] min_free_space_bytes",
    )];
  }
  return freeBytes < 2 * floor
    ? [advice(check, what, "Make room on this disk before it is full")]
    : [fine(check, what)];
}

/** What killed programs left, and what was set aside for a person. */
export async function checkLeftovers(
  paths: DataPaths,
  nowMs: number,
): Promise<readonly Finding[]> {
  const check = "Leftovers";
  const old = await leftoversIn(paths, nowMs);
  const aside = await countIn(join(paths.blobs, "quarantine"));
  const findings: Finding[] = [];
  if (old > 0) {
    findings.push(advice(
      check,
      `${counted(old, "file was", "files were")} left by programs that died`,
      "Nothing to do by hand: the next start of the node clears them away",
    ));
  }
  if (aside > 0) {
    findings.push(advice(
      check,
      `${
        counted(aside, "file lies", "files lie")
      } in quarantine, since they are not what they should be`,
      `Read the notes in ${
        join(paths.blobs, "quarantine")
      }; tes store check says what is missing`,
    ));
  }
  return findings.length > 0 ? findings : [fine(check, "Nothing was left")];
}

/** Halves of secrets beside the secrets, and temporary files of blobs in the folders of their sessions. */
async function leftoversIn(paths: DataPaths, nowMs: number): Promise<number> {
  let count = 0;
  for (const folder of [paths.dataDir, paths.identity]) {
    for (const name of await namesIn(folder)) {
      if (!/\.[0-9a-f]{12}\.tmp$/.test(name)) continue;
      if (await isOld(join(folder, name), nowMs)) count++;
    }
  }
  const sessions = join(paths.blobs, "tmp");
  for (const session of await namesIn(sessions)) {
    for (const name of await namesIn(join(sessions, session))) {
      if (await isOld(join(sessions, session, name), nowMs)) count++;
    }
  }
  return count;
}

async function isOld(path: string, nowMs: number): Promise<boolean> {
  const found = await lookAt(path);
  return found?.isFile === true &&
    nowMs - (found.mtime?.getTime() ?? nowMs) > LEFTOVER_MS;
}

async function countIn(folder: string): Promise<number> {
  return (await namesIn(folder)).length;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      names.push(name);
      if (names.length >= COUNTED_MAX) break;
    }
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return names;
}

/** What is at a path, or where a link leads; `undefined` when nothing is. */
export async function lookAt(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}
