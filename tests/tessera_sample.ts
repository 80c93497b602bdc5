/** A small real tessera for tests: made by the code under test, kept in memory. */
import { concat, toHex, utf8 } from "@tesseras/core";
import {
  blake3,
  type CreatorKeys,
  creatorKeysFromSeed,
  sha256,
} from "@tesseras/crypto";
import {
  type ByteSource,
  type Composed,
  composeTessera,
  kindOf,
  type MemoryInput,
  type OpenEntry,
  packLayout,
  packReader,
  type TesseraInput,
  type TesseraSource,
} from "@tesseras/tessera";

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** The creator of the samples. */
export const sampleKeys: CreatorKeys = creatorKeysFromSeed(
  new Uint8Array(32).fill(1),
);

/** Files of a sample folder by name: each kind once, equal bytes under two names, and a hostile name. */
export const sampleFiles: ReadonlyMap<string, Uint8Array> = new Map([
  [
    "garden.jpg",
    concat([
      Uint8Array.of(0xff, 0xd8, 0xff, 0xe0),
      utf8("garden".repeat(150)),
    ]),
  ],
  ["notes/sunday.txt", utf8("A warm Sunday afternoon with the family.\n")],
  ["notes/copy.txt", utf8("A warm Sunday afternoon with the family.\n")],
  ["voice.wav", concat([utf8("RIFF\x24\0\0\0WAVE"), new Uint8Array(1_500)])],
  ["a\nb\u202e../\u0007.txt", utf8("é")],
]);

/** What a scan of the files finds. */
export function sampleMemories(
  files: ReadonlyMap<string, Uint8Array> = sampleFiles,
): readonly MemoryInput[] {
  return [...files].map(([name, content]) => ({
    name,
    kind: kindOf(name)!,
    bytes: content.length,
    blake3: blake3(content),
    sha256: sha256(content),
  }));
}

/** The sample's input, changed where a test wants it. */
export function sampleInput(
  changes: Partial<TesseraInput> = {},
): TesseraInput {
  return {
    memories: sampleMemories(),
    title: "Café \\ Sunday",
    createdAtMs: 1_771_066_800_123,
    language: "pt-BR",
    tags: ["family", "two words"],
    location: "Florianópolis",
    visibility: "public",
    ...changes,
  };
}

/** A tessera and the bytes of its files, which a test may change. */
export type Sample = {
  readonly composed: Composed;
  readonly files: Map<string, Uint8Array>;
};

/** A composed sample with the contents of every file. */
export function sampleTessera(
  input: TesseraInput = sampleInput(),
  keys: CreatorKeys = sampleKeys,
  media: ReadonlyMap<string, Uint8Array> = sampleFiles,
): Sample {
  const composed = composeTessera(input, keys);
  const files = new Map(
    composed.entries.map(({ path, content, memory }) => [
      path,
      (content ?? media.get(memory!.name)!).slice(),
    ]),
  );
  return { composed, files };
}

/** The files as somebody's copy, in pieces of a few bytes. */
export function sourceOf(
  files: ReadonlyMap<string, Uint8Array>,
  pieceBytes = 777,
): TesseraSource {
  return {
    list: () =>
      Promise.resolve(
        [...files].map(([path, { length }]) => ({ path, bytes: length })),
      ),
    async *read(path) {
      const bytes = files.get(path)!;
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
      }
    },
  };
}

/** Bytes as a source that fills at most `pieceBytes` a call. */
export function byteSource(
  bytes: Uint8Array,
  pieceBytes = Infinity,
): ByteSource {
  return {
    bytes: bytes.length,
    read(offset, into) {
      const end = offset + Math.min(into.length, pieceBytes);
      const piece = bytes.subarray(offset, end);
      into.set(piece);
      return Promise.resolve(piece.length);
    },
  };
}

/** Opens files in memory and counts how many are open. */
export class OpenCount {
  open = 0;
  most = 0;
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  readonly openEntry: OpenEntry = async (path) => {
    await Promise.resolve();
    const { read } = byteSource(this.#files.get(path)!, 1_000);
    this.open++;
    this.most = Math.max(this.most, this.open);
    return {
      read,
      [Symbol.asyncDispose]: () => {
        this.open--;
        return Promise.resolve();
      },
    };
  };
}

/** The whole pack of a sample. */
export async function packOf(sample: Sample): Promise<Uint8Array> {
  const layout = packLayout(sample.composed.entries);
  const pack = new Uint8Array(layout.bytes);
  const opened = new OpenCount(sample.files);
  await using reader = packReader(layout, opened.openEntry);
  await reader.read(0, pack, never);
  return pack;
}

/** Writes the files into a folder. */
export async function writeFiles(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  for (const [path, bytes] of files) {
    const at = `${folder}/${path}`;
    await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(at, bytes);
  }
}

/** What a tool did, or `undefined` where it is not installed. */
export async function runTool(
  tool: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly ok: boolean; readonly output: string } | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(tool, {
      args: [...args],
      cwd,
      stdout: "piped",
      stderr: "piped",
    }).output();
    const output = new TextDecoder().decode(concat([stdout, stderr]));
    return { ok: success, output };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`skipped: ${tool} is not installed`);
    return undefined;
  }
}

/** The folder of the sample's first text in its tessera. */
export function folderOf(content: Uint8Array): string {
  return `memories/${toHex(blake3(content))}`;
}
