/** A folder worth keeping: real sizes, and every name a file system allows and a careless program trips over. */
import { dirname, join } from "node:path";
import { concat, type Random, utf8 } from "@tesseras/core";

/** Texts under odd names. Each must come back as data, never as a path. */
export const ODD_NAMES: readonly string[] = [
  "two\nlines.txt",
  "what..now.txt",
  "sub..folder/and then.txt",
  "turned \u202egpj.txt",
  'quoted "\\" back.txt',
  "\u001b[31mred\u0007.txt",
  `${"n".repeat(251)}.txt`,
  `${"é".repeat(125)}x.txt`,
];

/** A `.jpg` that is none: kept as declared, and reported. */
export const LYING_NAME = "not really.jpg";

const JPEG_HEAD = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16);
const PARTS = 3;

/** Writes a folder of about so many bytes, different for every state of `random`. */
export async function makeFolder(
  path: string,
  bytes: number,
  random: Random,
): Promise<void> {
  const files = new Map<string, Uint8Array>();
  for (let part = 0; part < PARTS; part++) {
    const body = random.bytes(Math.ceil(bytes / PARTS));
    files.set(`photo ${part}.jpg`, concat([JPEG_HEAD, body]));
  }
  files.set(LYING_NAME, utf8("This is a text, whatever its name says."));
  for (const name of ODD_NAMES) files.set(name, utf8(`I am ${name}`));
  for (const [name, content] of files) {
    await Deno.mkdir(dirname(join(path, name)), { recursive: true });
    await Deno.writeFile(join(path, name), content);
  }
}
