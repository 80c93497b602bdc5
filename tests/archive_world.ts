/**
 * Small real things for tests of the archive: keys, photographs with coordinates, folders, and a store that fails on
 * demand.
 */
import { type Access, MemoryBlobs } from "@tesseras/blobs";
import type {
  BlobEntry,
  BlobReader,
  Blobs,
  BlobWriter,
  Scratch,
} from "@tesseras/blobs";
import {
  concat,
  Counters,
  type Hash,
  type Runtime,
  SeededRandom,
  silentLog,
  TesserasError,
  u32be,
  utf8,
  VirtualClock,
} from "@tesseras/core";
import { creatorKeysFromSeed, nobleMlDsa } from "@tesseras/crypto";
import { Archive, type CreateOrder, type FolderScan } from "@tesseras/archive";
import { scanFolder } from "@tesseras/archive/folder";
import { crc32 } from "node:zlib";
import { MemoryState, type State } from "@tesseras/state";

/** A creator, and another one. */
export const keys = creatorKeysFromSeed(new Uint8Array(32).fill(7));
export const otherKeys = creatorKeysFromSeed(new Uint8Array(32).fill(8));

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** An archive and what it stands on. */
export type World<B extends Blobs = MemoryBlobs> = {
  readonly archive: Archive;
  readonly blobs: B;
  readonly state: State;
  readonly clock: VirtualClock;
};

/** An archive in memory, over other blobs or another state where given. */
export function world(): World;
export function world<B extends Blobs>(blobs: B, state?: State): World<B>;
export function world(
  blobs: Blobs = new MemoryBlobs(),
  state: State = new MemoryState(),
): World<Blobs> {
  const clock = new VirtualClock();
  const runtime: Runtime = {
    clock,
    random: new SeededRandom(1),
    log: silentLog,
    counters: new Counters(),
  };
  const archive = new Archive({ state, blobs, suite: nobleMlDsa, runtime });
  return { archive, blobs, state, clock };
}

/** A folder of these files, gone on dispose. Names may have folders in them. */
export async function folderOf(
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "tesseras-test-" });
  for (const [name, content] of Object.entries(files)) {
    const at = `${path}/${name}`;
    await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(
      at,
      typeof content === "string" ? utf8(content) : content,
    );
    // File times go into the tessera.
    await Deno.utime(at, 1_700_000_000, 1_700_000_000);
  }
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** What is said about the tesseras of the tests. */
export function orderOf(
  folder: FolderScan,
  changes: Partial<CreateOrder> = {},
): CreateOrder {
  return {
    folder,
    keepPlaces: true,
    title: "A Sunday",
    createdAtMs: 1_700_000_000_000,
    language: "en",
    tags: ["family"],
    visibility: "public",
    ...changes,
  };
}

/** Creates a tessera of these files. */
export async function created(
  { archive }: Pick<World<Blobs>, "archive">,
  files: Readonly<Record<string, Uint8Array | string>>,
  changes: Partial<CreateOrder> = {},
) {
  await using folder = await folderOf(files);
  const order = orderOf(await scanFolder(folder.path, never), changes);
  return await archive.create(order, keys, () => {}, never);
}

/** The sample memories of the project. */
export const SAMPLES = new URL("samples/family_sunday", import.meta.url)
  .pathname;

/** A few memories of every kind that matters here. */
export const SUNDAY = {
  "garden.jpg": photo(),
  "notes/story.txt": "A warm Sunday afternoon with the family.\n",
  "bell.wav": concat([utf8("RIFF\x24\0\0\0WAVEfmt "), new Uint8Array(60)]),
};

/** Bytes that no compression or zero page hides, the same for one seed. */
export function noise(bytes: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  return new Uint8Array(words.buffer, 0, bytes);
}

/** How a {@link photo} is made. */
export type PhotoOptions = {
  /** Byte order of its Exif. */
  readonly order?: "II" | "MM";
  /** Whether it tells the place, in Exif and in XMP. */
  readonly place?: boolean;
  /** Told apart from others by this. */
  readonly seed?: number;
};

/** The beginning of a JPEG with date and place (48 degrees 30 minutes north, 9 degrees east), followed by noise. */
export function photo(options: PhotoOptions = {}): Uint8Array {
  const { order = "II", place = true, seed = 1 } = options;
  const exif = concat([utf8("Exif\0\0"), tiff(order === "II", place)]);
  const xmp = utf8(
    "http://ns.adobe.com/xap/1.0/\0" +
      (place
        ? '<x exif:GPSLatitude="48,30.0N"><exif:GPSLongitude>9,0E</exif:GPSLongitude></x>'
        : "<x/>"),
  );
  return concat([
    Uint8Array.of(0xff, 0xd8),
    segment(exif),
    segment(xmp),
    Uint8Array.of(0xff, 0xda, 0, 2),
    noise(500, seed),
    Uint8Array.of(0xff, 0xd9),
  ]);
}

function segment(content: Uint8Array): Uint8Array {
  const length = content.length + 2;
  return concat([
    Uint8Array.of(0xff, 0xe1, length >> 8, length & 255),
    content,
  ]);
}

/** One chunk of a PNG. */
export type PngChunk = readonly [type: string, data: Uint8Array];

/** A PNG of these chunks before and after its picture, which is noise. */
export function png(
  before: readonly PngChunk[],
  after: readonly PngChunk[] = [],
): Uint8Array {
  const header = concat([u32be(1), u32be(1), Uint8Array.of(8, 0, 0, 0, 0)]);
  const chunks: readonly PngChunk[] = [
    ["IHDR", header],
    ...before,
    ["IDAT", noise(5_000, 3)],
    ...after,
    ["IEND", new Uint8Array()],
  ];
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 10);
  return concat([
    signature,
    ...chunks.flatMap(([type, data]) => {
      const checked = concat([utf8(type), data]);
      return [u32be(data.length), checked, u32be(crc32(checked))];
    }),
  ]);
}

/** Exif as a PNG has it, with the date and place of a {@link photo}. */
export function exifBlock(options: PhotoOptions = {}): Uint8Array {
  const { order = "II", place = true } = options;
  return tiff(order === "II", place);
}

/** Two directories: the first points to the date's and, when wanted, to the coordinates'. */
function tiff(little: boolean, place: boolean): Uint8Array {
  const bytes = new Uint8Array(300);
  const view = new DataView(bytes.buffer);
  bytes.set(utf8(little ? "II" : "MM"));
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  const put = (at: number, entry: readonly number[]): void => {
    view.setUint16(at, entry[0]!, little);
    view.setUint16(at + 2, entry[1]!, little);
    view.setUint32(at + 4, entry[2]!, little);
    view.setUint32(at + 8, entry[3]!, little);
  };
  view.setUint16(8, place ? 2 : 1, little);
  put(10, [0x8769, 4, 1, 60]);
  if (place) put(22, [0x8825, 4, 1, 120]);
  view.setUint16(60, 1, little);
  put(62, [0x9003, 2, 20, 80]);
  bytes.set(utf8("2023:11:14 12:00:00\0"), 80);
  if (!place) return bytes;
  view.setUint16(120, 4, little);
  put(122, [1, 2, 2, 0]);
  bytes.set(utf8("N\0"), 130);
  put(134, [2, 5, 3, 200]);
  put(146, [3, 2, 2, 0]);
  bytes.set(utf8("E\0"), 154);
  put(158, [4, 5, 3, 224]);
  [48, 1, 30, 1, 0, 1, 9, 1, 0, 1, 0, 1].forEach((value, i) =>
    view.setUint32(200 + 4 * i, value, little)
  );
  return bytes;
}

/** Blobs whose n-th call fails as a full disk does, and which count what is open. */
export class FaultyBlobs implements Blobs {
  readonly inner: Blobs = new MemoryBlobs();
  /** Which call fails, from 1; 0 for none. */
  failAt = 0;
  /** Calls so far. */
  callCount = 0;
  /** Readers, writers and scratches that were opened and not disposed. */
  openCount = 0;

  async create(signal: AbortSignal, access?: Access): Promise<BlobWriter> {
    this.#call();
    const writer = await this.inner.create(signal, access);
    this.openCount++;
    return {
      get bytes() {
        return writer.bytes;
      },
      write: (chunk, signal) => this.#then(() => writer.write(chunk, signal)),
      commit: (signal, expected) =>
        this.#then(() => writer.commit(signal, expected)),
      [Symbol.asyncDispose]: () => this.#close(writer),
    };
  }

  async open(
    hash: Hash,
    signal: AbortSignal,
    access?: Access,
  ): Promise<BlobReader | undefined> {
    this.#call();
    const reader = await this.inner.open(hash, signal, access);
    if (reader === undefined) return undefined;
    this.openCount++;
    return {
      hash: reader.hash,
      bytes: reader.bytes,
      read: (offset, into, signal) =>
        this.#then(() => reader.read(offset, into, signal)),
      [Symbol.asyncDispose]: () => this.#close(reader),
    };
  }

  async scratch(bytes: number, signal: AbortSignal): Promise<Scratch> {
    this.#call();
    const scratch = await this.inner.scratch(bytes, signal);
    this.openCount++;
    return {
      bytes,
      read: (offset, into, signal) =>
        this.#then(() => scratch.read(offset, into, signal)),
      write: (offset, chunk, signal) =>
        this.#then(() => scratch.write(offset, chunk, signal)),
      [Symbol.asyncDispose]: () => this.#close(scratch),
    };
  }

  size(hash: Hash, signal: AbortSignal): Promise<number | undefined> {
    return this.#then(() => this.inner.size(hash, signal));
  }

  /** Cleaning up is let through, so that what is left over is a leak and not the fault. */
  remove(hash: Hash, signal: AbortSignal): Promise<boolean> {
    return this.inner.remove(hash, signal);
  }

  removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    return this.inner.removeUnless(hash, isNeeded, signal);
  }

  quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return this.inner.quarantine(hash, note, signal);
  }

  list(signal: AbortSignal): AsyncIterable<BlobEntry> {
    return this.inner.list(signal);
  }

  freeBytes(signal: AbortSignal): Promise<number> {
    return this.inner.freeBytes(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.inner[Symbol.asyncDispose]());
  }

  #call(): void {
    if (++this.callCount !== this.failAt) return;
    throw new TesserasError("diskFull", "Cannot write: the disk is full");
  }

  #then<T>(work: () => Promise<T>): Promise<T> {
    return Promise.try(() => {
      this.#call();
      return work();
    });
  }

  async #close(opened: AsyncDisposable): Promise<void> {
    this.openCount--;
    await opened[Symbol.asyncDispose]();
  }
}

/** Every blob there is. */
export async function blobCount(blobs: Blobs): Promise<number> {
  let count = 0;
  for await (const _ of blobs.list(never)) count++;
  return count;
}
