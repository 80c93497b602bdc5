/** `tes create`: a folder becomes a tessera. */
import { basename, resolve } from "node:path";
import {
  type CreateOrder,
  type CreateReport,
  type FolderScan,
  type LeftOut,
  type Memory,
  quoted,
} from "@tesseras/archive";
import { scanFolder } from "@tesseras/archive/folder";
import { TesserasError, toHex } from "@tesseras/core";
import { loadCreator } from "@tesseras/run";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { makeArchive } from "../open_archive.ts";
import { counted, printSize } from "../printed.ts";
import { UsageError } from "../usage_error.ts";

/** What a person says about a tessera. */
type Words = Pick<
  CreateOrder,
  "title" | "language" | "tags" | "location" | "visibility"
>;

/** Scans, asks where somebody is there to answer, signs and stores. */
export async function create(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const path = argumentAt(context, 0);
  const given = wordsGiven(context, path);
  const folder = await scanFolder(path, signal);
  if (context.flag("dry-run")) return preview(folder, given);
  const paths = await context.paths();
  const keys = await loadCreator(paths);
  const person = context.flag("non-interactive") ? undefined : context.person;
  const words = person === undefined
    ? given
    : askWords({ ...context, person }, folder, given);
  const { runtime, progress } = context;
  await using opened = await makeArchive(paths, runtime, signal);
  const report = await opened.archive.create(
    {
      ...words,
      folder,
      keepPlaces: !context.flag("no-location"),
      createdAtMs: runtime.clock.nowMs(),
    },
    keys,
    ({ doneBytes, totalBytes }) =>
      progress.show("Reading and storing", doneBytes, totalBytes),
    signal,
  );
  const { memories } = await opened.archive.show(report.id, signal);
  return created(report, words, memories);
}

function wordsGiven({ text }: Context, path: string): Words {
  const location = text("location");
  const visibility = text("visibility") ?? "public";
  if (visibility !== "public") {
    throw new UsageError(
      `Cannot make a tessera ${
        JSON.stringify(visibility.slice(0, 80))
      }: only public is there, encryption is not in this version`,
    );
  }
  return {
    title: text("title") ?? (basename(resolve(path)) || "Memories"),
    language: text("language") ?? "en",
    tags: tagsIn(text("tags") ?? ""),
    ...(location === undefined ? {} : { location }),
    visibility,
  };
}

function tagsIn(list: string): readonly string[] {
  const tags = list.split(",").map((tag) => tag.trim());
  return [...new Set(tags.filter((tag) => tag !== ""))];
}

/** Asks for what was not given on the command line, and whether to go on. */
function askWords(
  { person, text }: Context & {
    readonly person: NonNullable<Context["person"]>;
  },
  folder: FolderScan,
  given: Words,
): Words {
  for (const line of summary(folder)) person.say(line);
  const title = text("title") ?? person.ask("Title", given.title);
  const tags = text("tags") ?? person.ask("Tags, comma-separated", "");
  const location = text("location") ?? person.ask("Location", "");
  if (!person.confirm("Create this tessera?", true)) {
    throw new TesserasError(
      "cancelled",
      "Stopped on request, nothing was made",
    );
  }
  return {
    ...given,
    title,
    tags: tagsIn(tags),
    ...(location === "" ? {} : { location }),
  };
}

function preview(folder: FolderScan, words: Words): Outcome {
  return {
    json: {
      dryRun: true,
      title: words.title,
      memories: folder.files.map(({ name, kind, bytes }) => ({
        name,
        bytes,
        mime: kind.mime,
        type: kind.memoryType,
      })),
      leftOut: folder.leftOut,
      bytes: folder.bytes,
    },
    lines: [
      `Would create ${quoted(words.title)}`,
      ...summary(folder),
      "Nothing was created",
    ],
  };
}

function summary(folder: FolderScan): readonly string[] {
  return [
    `${counted(folder.files.length, "memory", "memories")}, ${
      printSize(folder.bytes)
    }:`,
    ...folder.files.map(({ name, kind, bytes }) =>
      `  ${quoted(name)} (${kind.label}, ${printSize(bytes)})`
    ),
    ...leftOutLines(folder.leftOut),
  ];
}

function created(
  report: CreateReport,
  words: Words,
  memories: readonly Memory[],
): Outcome {
  const { id, status, row, kept, leftOut, warnings } = report;
  const hash = toHex(id);
  const byName = new Map(memories.map((memory) => [memory.name, memory]));
  return {
    json: {
      hash,
      title: words.title,
      status,
      memories: kept.map(({ name, hash, bytes, place }) => ({
        name,
        hash: toHex(hash),
        bytes,
        place,
        // What was written into the tessera is well-formed.
        mime: byName.get(name.toWellFormed())?.mime ?? null,
        path: byName.get(name.toWellFormed())?.path ?? null,
      })),
      leftOut,
      warnings,
      bytes: row.bytes,
      packBytes: row.packBytes,
    },
    lines: [
      `Kept ${counted(kept.length, "memory", "memories")}, ${
        printSize(kept.reduce((sum, { bytes }) => sum + bytes, 0))
      }:`,
      ...kept.map(({ name, kind, bytes }) =>
        `  ${quoted(name)} (${kind}, ${printSize(bytes)})`
      ),
      ...leftOutLines(leftOut),
      ...warnings.map((warning) => `Note: ${warning}`),
      ...(status === "exists" ? ["This tessera was here already"] : []),
      `Created ${quoted(words.title)}`,
      `Content hash: ${hash}`,
    ],
  };
}

function leftOutLines(leftOut: readonly LeftOut[]): readonly string[] {
  if (leftOut.length === 0) return [];
  return [
    `Left out ${counted(leftOut.length, "entry", "entries")}:`,
    ...leftOut.map(({ name, reason }) => `  ${quoted(name)}: ${reason}`),
  ];
}
