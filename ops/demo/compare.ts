/** Whether an exported tessera holds every byte of the folder it was made of. */
import { join, relative } from "node:path";
import { toHex } from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";

/** A memory as `tes create` reported it. */
export type KeptMemory = {
  readonly name: string;
  readonly bytes: number;
  readonly path: string;
};

/** What the comparison found. */
export type Comparison = {
  readonly comparedFiles: number;
  readonly comparedBytes: number;
  /** Files that differ or are missing, each with a reason. */
  readonly differences: readonly string[];
};

/** Reads both sides from disk, byte for byte; trusts no list. */
export async function compareExport(
  folder: string,
  exported: string,
  memories: readonly KeptMemory[],
): Promise<Comparison> {
  const differences: string[] = [];
  let comparedBytes = 0;
  for (const { name, path } of memories) {
    const original = await digest(join(folder, name));
    const back = await digest(join(exported, path));
    if (original === undefined) differences.push(`${name}: original is gone`);
    else if (back === undefined) differences.push(`${name}: did not come back`);
    else if (original.hash !== back.hash) differences.push(`${name}: differs`);
    comparedBytes += back?.bytes ?? 0;
  }
  return { comparedFiles: memories.length, comparedBytes, differences };
}

/** Files below a folder, relative, for counting what was given. */
export async function countFiles(folder: string): Promise<number> {
  let count = 0;
  const walk = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(path)) {
      if (entry.isFile) count++;
      else if (entry.isDirectory) await walk(join(path, entry.name));
    }
  };
  await walk(folder);
  return count;
}

/** A path as it is shown: relative when that is shorter. */
export function shown(path: string): string {
  const near = relative(Deno.cwd(), path);
  return near.length < path.length && !near.startsWith("..") ? near : path;
}

async function digest(
  path: string,
): Promise<{ readonly hash: string; readonly bytes: number } | undefined> {
  try {
    using file = await Deno.open(path);
    const hasher = new Blake3();
    const buffer = new Uint8Array(1024 * 1024);
    let bytes = 0;
    for (;;) {
      const count = await file.read(buffer);
      if (count === null) return { hash: toHex(hasher.digest()), bytes };
      hasher.update(buffer.subarray(0, count));
      bytes += count;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
