/**
 * Blobs taken aside. `leaving/` has those about to be removed, for the moment in which it is asked whether somebody needs them
 * after all; what a killed process left there goes back. `quarantine/` has those that are not what their name says, for a
 * person to look at: nothing here ever removes them.
 */
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { throwIfAborted } from "@tesseras/core";
import { attempt, errnoOf, ifPresent } from "./disk_error.ts";

/** Folders beside the blobs of one store. */
export class AsideFolders {
  readonly #leaving: string;
  readonly #quarantine: string;

  /** @param folder the folder of the blobs */
  constructor(folder: string) {
    this.#leaving = join(folder, "leaving");
    this.#quarantine = join(folder, "quarantine");
  }

  /**
   * Removes a file unless it is needed. It is asked once the file has lost its name: whoever comes to need it before that is
   * heard, and whoever does after that finds it gone.
   *
   * @returns whether a file was removed
   */
  async removeUnless(
    path: string,
    isNeeded: () => Promise<boolean>,
  ): Promise<boolean> {
    const aside = join(
      this.#leaving,
      `${basename(path)}.${crypto.randomUUID()}`,
    );
    await makeFolder(this.#leaving);
    if (!await moved(path, aside)) return false;
    let needed = true;
    try {
      needed = await isNeeded();
    } finally {
      if (needed) await putBack(aside, path);
    }
    if (!needed) await ifPresent(`remove ${aside}`, () => Deno.remove(aside));
    return !needed;
  }

  /** Puts back what killed processes were about to remove; `pathOf` tells where a blob lies. */
  async restore(
    pathOf: (name: string) => string,
    signal: AbortSignal,
  ): Promise<void> {
    const names = await ifPresent(
      `list ${this.#leaving}`,
      () => Array.fromAsync(Deno.readDir(this.#leaving), ({ name }) => name),
    );
    for (const name of names ?? []) {
      throwIfAborted(signal);
      const hex = name.split(".")[0] ?? "";
      if (!/^[0-9a-f]{64}$/.test(hex)) continue;
      await putBack(join(this.#leaving, name), pathOf(hex));
    }
  }

  /** Moves a file away with a note beside it, and returns where it is; `undefined` when there was none. */
  async quarantine(path: string, note: string): Promise<string | undefined> {
    await makeFolder(this.#quarantine);
    const aside = await this.#freePath(basename(path));
    if (!await moved(path, aside)) return undefined;
    await attempt(
      `write ${aside}.txt`,
      () => Deno.writeTextFile(`${aside}.txt`, `${note}\n`, { mode: 0o600 }),
    );
    return aside;
  }

  /** One and the same blob may rot again and again. */
  async #freePath(name: string): Promise<string> {
    for (let count = 1;; count++) {
      const path = join(
        this.#quarantine,
        count === 1 ? name : `${name}-${count}`,
      );
      const there = await ifPresent(`look at ${path}`, () => Deno.lstat(path));
      if (there === undefined) return path;
    }
  }
}

async function makeFolder(folder: string): Promise<void> {
  await attempt(
    `make ${folder}`,
    () => Deno.mkdir(folder, { recursive: true, mode: 0o700 }),
  );
}

/** Whether there was a file to move. */
async function moved(from: string, to: string): Promise<boolean> {
  const done = await ifPresent(`move ${from}`, async () => {
    await rename(from, to);
    return true;
  });
  return done ?? false;
}

/** Gives a file its name again, unless a new one has it by now. */
async function putBack(aside: string, path: string): Promise<void> {
  await ifPresent(`put back ${path}`, async () => {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await Deno.link(aside, path);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    await Deno.remove(aside);
  });
}
