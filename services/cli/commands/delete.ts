/** `tes delete`: a tessera leaves this disk, and with `--everywhere` its holders are asked to forget it, too. */
import { type Archive, quoted } from "@tesseras/archive";
import {
  codeOf,
  parseTesseraId,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { callControl, type DataPaths } from "@tesseras/run";
import type { State } from "@tesseras/state";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import {
  bury,
  coverageOf,
  type Grave,
  keysFor,
  tellForgetting,
} from "../forgetting.ts";
import { openArchive } from "../open_archive.ts";
import { counted } from "../printed.ts";
import { UsageError } from "../usage_error.ts";

/** Asks on a terminal, wants `--yes` elsewhere, and touches what others hold only when it is told to. */
export async function deleteCommand(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!context.flag("yes") && context.person === undefined) {
    throw new UsageError(
      "Cannot delete: nobody is here to ask; say --yes to delete without asking",
    );
  }
  const paths = await context.paths();
  const isEverywhere = context.flag("everywhere");
  // Asked before anything is gone: without a node nobody would hear of it.
  if (isEverywhere) {
    await callControl(paths.socket, "status", {}, () => {}, signal);
  }
  const { outcome, grave } = await deleteHere(context, paths, signal);
  if (grave === undefined) return outcome;
  const report = await callControl(
    paths.socket,
    "forget",
    { tessera: toHex(grave.tesseraId), creator: toHex(grave.creator) },
    (event) => tellForgetting(context.progress, event),
    signal,
  );
  const coverage = coverageOf(grave, report);
  return {
    json: { ...outcome.json, ...coverage.json },
    lines: [...outcome.lines, ...coverage.lines],
  };
}

async function deleteHere(
  context: Context,
  paths: DataPaths,
  signal: AbortSignal,
): Promise<
  { readonly outcome: Outcome; readonly grave: Grave | undefined }
> {
  const isEverywhere = context.flag("everywhere");
  await using opened = await openArchive(paths, context.runtime, signal);
  const { archive, state } = opened;
  const id = await idOf(context, archive, signal);
  const found = await look(state, id, signal);
  const keys = isEverywhere
    ? await keysFor({ ...opened, paths }, id, signal)
    : undefined;
  if (!context.flag("yes")) ask(context, found, isEverywhere);
  // First what goes on by itself after a stop, then what cannot be undone.
  const { clock } = context.runtime;
  const grave = keys && await bury({ state, clock }, { id, keys }, signal);
  const removed = await archive.remove(id, signal);
  return { outcome: outcomeOf(found, { removed, isEverywhere }), grave };
}

/** What is to be deleted. With `--everywhere` that need not be on this disk any more, if it is named in full. */
async function idOf(
  context: Context,
  archive: Archive,
  signal: AbortSignal,
): Promise<TesseraId> {
  const text = argumentAt(context, 0);
  try {
    return await archive.resolve(text, signal);
  } catch (error) {
    const isNamed = context.flag("everywhere") &&
      /^[0-9a-fA-F]{64}$/.test(text);
    if (codeOf(error) !== "missing" || !isNamed) throw error;
    return parseTesseraId(text);
  }
}

/** What is known of a tessera before it goes. */
type Found = {
  readonly hash: string;
  /** As a person reads it; the hash when it is not on this disk. */
  readonly name: string;
  readonly memoryCount: number | undefined;
  readonly published: boolean;
};

async function look(
  state: State,
  id: TesseraId,
  signal: AbortSignal,
): Promise<Found> {
  const row = await state.tessera(id, signal);
  const hash = toHex(id);
  return {
    hash,
    name: row === undefined ? hash : quoted(row.title),
    memoryCount: row?.memoryCount,
    published: await state.publication(id, signal) !== undefined,
  };
}

/** @throws `cancelled` unless the person agrees */
function ask(
  { person }: Context,
  { hash, name, memoryCount, published }: Found,
  isEverywhere: boolean,
): void {
  person?.say(
    memoryCount === undefined
      ? `${hash} is not on this disk`
      : `${name}, ${counted(memoryCount, "memory", "memories")}: ${hash}`,
  );
  if (memoryCount !== undefined && (isEverywhere || !published)) {
    person?.say(
      isEverywhere
        ? "Its holders will be asked to forget it: this may become the only copy"
        : "It was never published: this may be the only copy",
    );
  }
  if (isEverywhere) {
    person?.say(
      "For a year it cannot be published again with this identity; copies that others made cannot be recalled",
    );
  }
  const question = isEverywhere
    ? "Delete it from this disk and ask every holder to forget it?"
    : "Delete it from this disk?";
  if (person?.confirm(question, false)) return;
  throw new TesserasError(
    "cancelled",
    "Stopped on request, nothing was deleted",
  );
}

function outcomeOf(
  { hash, name, published }: Found,
  { removed, isEverywhere }: {
    readonly removed: boolean;
    readonly isEverywhere: boolean;
  },
): Outcome {
  return {
    json: { hash, removed, published },
    lines: [
      removed
        ? `Deleted ${name} from this disk: ${hash}`
        : `Nothing on this disk to delete: ${hash}`,
      ...(published && !isEverywhere
        ? ["Fragments in the network are not touched; tes fetch brings it back"]
        : []),
    ],
  };
}
