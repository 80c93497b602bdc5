/** `tes store check`: is everything on this disk what it should be, and what can be put right? */
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type CheckReport, checkStore, quoted } from "@tesseras/archive";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { codeOf, TesserasError, toHex } from "@tesseras/core";
import { nativeMlDsa } from "@tesseras/crypto/native";
import { type DataPaths, lockDataDir, makePrivateFolder } from "@tesseras/run";
import { MemoryState, type State } from "@tesseras/state";
import { libsqlDamage, openLibsqlState } from "@tesseras/state/libsql";
import { STORE_ACTIONS } from "../command_table.ts";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { didYouMean } from "../nearest.ts";
import { hasArchive } from "../open_archive.ts";
import { counted, printSize } from "../printed.ts";
import { UsageError } from "../usage_error.ts";

/** Damaged blobs and files shown to people; `--json` has all. */
const SHOWN_MAX = 20;

/** Runs the action that was named; there is one. */
export async function store(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const action = argumentAt(context, 0);
  if (action === "check") return await check(context, signal);
  throw new UsageError(
    `Cannot do ${JSON.stringify(action.slice(0, 80))} with the store: wanted ${
      STORE_ACTIONS.join(", ")
    }${didYouMean(action, STORE_ACTIONS)}`,
  );
}

async function check(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const paths = await context.paths();
  const repair = context.flag("repair");
  if (!await isFolder(paths.blobs)) {
    throw new TesserasError(
      "missing",
      `Cannot check: there is no store in ${paths.dataDir}; make one with "tes init", or choose another with --data-dir`,
    );
  }
  using _lock = await lockStopped(paths);
  await using stack = new AsyncDisposableStack();
  const index = await openIndex(paths, repair, signal);
  const state = stack.use(index.state);
  const blobs = stack.use(await openDiskBlobs(paths.blobs, signal));
  const suite = await nativeMlDsa();
  const { runtime, progress } = context;
  const report = await checkStore({ state, blobs, suite, runtime }, {
    repair,
    onProgress: ({ doneBytes, totalBytes }) =>
      progress.show("Reading", doneBytes, totalBytes),
  }, signal);
  return outcomeOf(report, index);
}

/** A node writes while we look. */
async function lockStopped(paths: DataPaths): Promise<Disposable> {
  try {
    return await lockDataDir(paths.lock);
  } catch (error) {
    if (codeOf(error) !== "inUse") throw error;
    throw new TesserasError(
      "inUse",
      "Cannot check: a node is running on this data directory; stop it and try again",
    );
  }
}

/** The index as it is; `state` of an absent or damaged one is empty, and without `repair` it is not written down. */
type Index = {
  readonly state: State;
  readonly condition: "ok" | "absent" | "damaged";
  /** Where the damaged one was moved. */
  readonly aside?: string;
};

async function openIndex(
  paths: DataPaths,
  repair: boolean,
  signal: AbortSignal,
): Promise<Index> {
  const url = pathToFileURL(paths.database).href;
  const open = () => openLibsqlState({ url, worker: false }, signal);
  const isThere = await hasArchive(paths);
  if (!isThere) {
    if (!repair) return { state: new MemoryState(), condition: "absent" };
    await makePrivateFolder(dirname(paths.database));
    return { state: await open(), condition: "absent" };
  }
  const problems = await libsqlDamage(url, signal);
  if (problems.length === 0) return { state: await open(), condition: "ok" };
  if (!repair) return { state: new MemoryState(), condition: "damaged" };
  const aside = await moveAside(paths.database);
  return { state: await open(), condition: "damaged", aside };
}

/** Moves a database with its companions into a new folder beside it; nothing of it is deleted. */
async function moveAside(database: string): Promise<string> {
  const folder = await Deno.makeTempDir({
    dir: dirname(database),
    prefix: "damaged-",
  });
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      const name = `${basename(database)}${suffix}`;
      await Deno.rename(`${database}${suffix}`, join(folder, name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return folder;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (absent) return false;
    throw error;
  }
}

function outcomeOf(report: CheckReport, index: Index): Outcome {
  const passed = report.passed &&
    (index.condition === "ok" || report.repaired);
  return {
    json: {
      passed,
      repaired: report.repaired,
      index: index.condition,
      indexAside: index.aside ?? null,
      blobCount: report.blobCount,
      bytes: report.bytes,
      damaged: report.damaged.map(({ hash, bytes, aside }) => ({
        hash: toHex(hash),
        bytes,
        aside: aside ?? null,
      })),
      unlisted: report.unlisted,
      damagedTesseras: report.damagedTesseras.map(({ id, paths }) => ({
        hash: toHex(id),
        paths,
      })),
      lostFragments: report.lostFragmentCount,
      plansWritten: report.planCount,
      found: {
        tesseras: report.found.tesseras.map((id) => toHex(id)),
        fragments: report.found.fragmentCount,
      },
    },
    lines: [
      `Read ${counted(report.blobCount, "blob", "blobs")}, ${
        printSize(report.bytes)
      }`,
      ...indexLines(index),
      ...damageLines(report),
      ...foundLines(report),
      ...tesseraLines(report),
      lastLine(report, passed),
    ],
    failed: !passed,
  };
}

function indexLines({ condition, aside }: Index): readonly string[] {
  if (condition === "ok") return [];
  if (condition === "absent") return ["The index is gone"];
  return [
    aside === undefined
      ? "The index is damaged"
      : `The index was damaged and is in ${aside} now`,
    "Not on this disk a second time: who holds what of ours, accounts, known peers",
  ];
}

function damageLines(report: CheckReport): readonly string[] {
  const { damaged, lostFragmentCount, repaired } = report;
  const lines = damaged.slice(0, SHOWN_MAX).map(({ hash, bytes, aside }) =>
    `  [DAMAGED] ${toHex(hash)}, ${printSize(bytes)}${
      aside === undefined ? "" : `: moved to ${aside}`
    }`
  );
  if (damaged.length > SHOWN_MAX) {
    lines.push(`  and ${damaged.length - SHOWN_MAX} more, see --json`);
  }
  if (lostFragmentCount > 0) {
    lines.push(
      `${counted(lostFragmentCount, "fragment", "fragments")} of others ${
        repaired ? "forgotten" : "promised"
      } whose bytes are gone`,
    );
  }
  return lines;
}

function foundLines(report: CheckReport): readonly string[] {
  const { found, unlisted, repaired } = report;
  const lines: string[] = [];
  const listed = repaired ? "listed again" : "not listed";
  for (const id of found.tesseras) {
    lines.push(`  [FOUND] tessera ${toHex(id)}, whole and ${listed}`);
  }
  if (found.fragmentCount > 0) {
    const count = counted(found.fragmentCount, "fragment", "fragments");
    lines.push(`  [FOUND] ${count}, whole and ${listed}`);
  }
  if (unlisted.count > 0) {
    lines.push(
      `${counted(unlisted.count, "blob was", "blobs were")} in no list, ${
        printSize(unlisted.bytes)
      }; what nobody lists is cleared away by the node in time`,
    );
  }
  return lines;
}

function tesseraLines({ damagedTesseras }: CheckReport): readonly string[] {
  return damagedTesseras.flatMap(({ id, title, paths }) => [
    `  [FAILED] ${quoted(title)}, ${toHex(id)}: ${
      counted(paths.length, "file is", "files are")
    } gone or damaged`,
    ...paths.slice(0, SHOWN_MAX).map((path) => `    ${quoted(path)}`),
    `    An export of it heals it with "tes import"; if it was published, "tes delete" and then "tes fetch" bring it back`,
  ]);
}

function lastLine({ repaired }: CheckReport, passed: boolean): string {
  if (passed) return repaired ? "Store: REPAIRED" : "Store: OK";
  return repaired
    ? "Store: FAILED, what could be put right was"
    : 'Store: FAILED; "tes store check --repair" puts right what can be';
}
