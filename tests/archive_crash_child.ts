/**
 * A process that is killed while it works on a real archive: `create|import|prepare <root>`. It says when it begins.
 */
import { Archive } from "@tesseras/archive";
import { openTessera, scanFolder } from "@tesseras/archive/folder";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { Counters, silentLog, TesserasError } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { nobleMlDsa } from "@tesseras/crypto";
import { openLibsqlState } from "@tesseras/state/libsql";
import { keys, never, orderOf } from "@tesseras/testing/archive";

/** The archive below a folder, on a real disk and a real database. Dispose it. */
export async function openArchive(root: string) {
  await using stack = new AsyncDisposableStack();
  const blobs = stack.use(await openDiskBlobs(`${root}/blobs`, never));
  const url = new URL(`file://${root}/db/tesseras.db`).href;
  const state = stack.use(
    await openLibsqlState({ url, worker: false }, never),
  );
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const archive = new Archive({ state, blobs, suite: nobleMlDsa, runtime });
  const opened = stack.move();
  return {
    archive,
    blobs,
    state,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Does one piece of work, as a person would ask for it. */
export async function work(
  what: string,
  root: string,
  onBegin = (): void => {},
): Promise<void> {
  await using opened = await openArchive(root);
  const { archive } = opened;
  onBegin();
  switch (what) {
    case "create": {
      const folder = await scanFolder(`${root}/folder`, never);
      await archive.create(orderOf(folder), keys, () => {}, never);
      return;
    }
    case "import": {
      await using source = await openTessera(`${root}/export`, never);
      await archive.import({ source }, () => {}, never);
      return;
    }
    case "prepare": {
      const [row] = await archive.list(never);
      if (row !== undefined) {
        await archive.prepare(row.id, keys, () => {}, never);
      }
      return;
    }
    default:
      throw new TesserasError("unusable", `Cannot do ${what}`);
  }
}

if (import.meta.main) {
  const [what, root] = Deno.args;
  await work(what ?? "", root ?? "", () => console.log("begun"));
}
