/** `tes show`: what a tessera is and what is in it. */
import { type Memory, quoted, type Shown } from "@tesseras/archive";
import { toHex } from "@tesseras/core";
import { escapeText, printTime } from "@tesseras/tessera";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { openArchive } from "../open_archive.ts";
import { printSize } from "../printed.ts";

/** Tells what the MANIFEST and the files beside each memory say. */
export async function show(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime } = context;
  await using opened = await openArchive(
    await context.paths(),
    runtime,
    signal,
  );
  const { archive } = opened;
  const id = await archive.resolve(argumentAt(context, 0), signal);
  const shown = await archive.show(id, signal);
  return { json: jsonOf(shown), lines: linesOf(shown) };
}

function jsonOf({ row, manifest, memories }: Shown) {
  const { title, language, tags, location, visibility } = manifest;
  return {
    hash: toHex(row.id),
    title,
    createdAt: printTime(row.createdAtMs),
    addedAt: printTime(row.addedAtMs),
    origin: row.origin,
    language,
    tags,
    location: location ?? null,
    visibility,
    creator: {
      ed25519: toHex(manifest.creatorEd25519),
      mlDsaBlake3: toHex(manifest.creatorMlDsa),
    },
    bytes: row.bytes,
    packBytes: row.packBytes,
    memories: memories.map((memory) => ({ ...memory })),
  };
}

function linesOf({ row, manifest, memories }: Shown): readonly string[] {
  const { title, language, tags, location, visibility } = manifest;
  const facts: readonly (readonly [string, string])[] = [
    ["Tessera", toHex(row.id)],
    ["Title", escapeText(title)],
    ["Created", printTime(row.createdAtMs)],
    ["Language", language],
    ...(tags.length === 0
      ? []
      : [["Tags", tags.map(escapeText).join(", ")] as const]),
    ...(location === undefined
      ? []
      : [["Location", escapeText(location)] as const]),
    ["Visibility", visibility],
    ["Creator", `${toHex(manifest.creatorEd25519)} (Ed25519)`],
    ["Size", `${printSize(row.bytes)}, ${printSize(row.packBytes)} as a pack`],
    ["Here since", `${printTime(row.addedAtMs)} (${row.origin})`],
  ];
  return [
    ...facts.map(([name, value]) => `${`${name}:`.padEnd(12)} ${value}`),
    `${"Memories:".padEnd(12)} ${memories.length}`,
    ...memories.flatMap(memoryLines),
  ];
}

function memoryLines(memory: Memory): readonly string[] {
  const { path, bytes, mime, name, memoryType, takenAt, place } = memory;
  const details = [
    ...(memoryType === undefined ? [] : [escapeText(memoryType)]),
    escapeText(mime),
    printSize(bytes),
    ...(takenAt === undefined ? [] : [`taken ${escapeText(takenAt)}`]),
    ...(place === undefined
      ? []
      : [`at ${place.latitude}, ${place.longitude}`]),
  ];
  return [
    `  ${name === undefined ? "(no name told)" : quoted(name)}: ${
      details.join(", ")
    }`,
    `    ${path}`,
  ];
}
