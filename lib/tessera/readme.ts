/** README.decode: the first thing a stranger reads, in plain words, with a list of what is inside. */
import { utf8 } from "@tesseras/core";
import type { PlacedMemory, TesseraInput } from "./compose.ts";
import { README_TEXT } from "./texts/readme.ts";
import { printTime } from "./time.ts";
import { escapeText } from "./visible_text.ts";

/** The bytes of README.decode. */
export function printReadme(
  input: TesseraInput,
  memories: readonly PlacedMemory[],
): Uint8Array {
  const { title, createdAtMs, language, location, tags } = input;
  const about = [
    `Title:     ${escapeText(title)}`,
    `Created:   ${printTime(createdAtMs)}`,
    `Language:  ${language} (of what the creator wrote; this text is English)`,
    ...(location === undefined ? [] : [`Location:  ${escapeText(location)}`]),
    ...tags.map((tag) => `Tag:       ${escapeText(tag)}`),
    `Memories:  ${memories.length}`,
  ];
  const inside = memories.flatMap(({ folder, memory }) => [
    escapeText(memory.name),
    `    ${folder}/media.${memory.kind.extension}`,
    `    ${memory.kind.label}, ${memory.bytes} bytes${
      memory.takenAt === undefined ? "" : `, taken ${memory.takenAt}`
    }`,
  ]);
  return utf8(
    README_TEXT
      .replace("@ABOUT@", () => about.join("\n"))
      .replace("@INSIDE@", () => inside.join("\n")),
  );
}
