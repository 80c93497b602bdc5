/** The readers that take their bytes piece by piece: frames on a stream, and the tar that a person brings. */
import { concat, u32be, utf8 } from "@tesseras/core";
import { FrameReader, type Stream } from "@tesseras/net";
import {
  type ByteSource,
  indexTar,
  KINDS,
  looksLike,
  readExif,
} from "@tesseras/tessera";
import { exifBlock, png } from "@tesseras/testing/archive";
import { loadVectors } from "@tesseras/testing/vectors";
import tars from "@tesseras/vectors/tars.json" with { type: "json" };
import { deflateSync } from "node:zlib";
import { removePlaces } from "../../lib/archive/places.ts";
import { PngPassage } from "../../lib/archive/png_passage.ts";
import { applySample } from "../vectors/tessera_samples.ts";
import type { FuzzTarget } from "./target.ts";

const never = new AbortController().signal;
const GARDEN = new URL("../samples/family_sunday/garden.jpg", import.meta.url);
const DRAWING = new URL(
  "../samples/family_sunday/drawing_lia.png",
  import.meta.url,
);

/** The targets, with the vectors and a real photograph as corpus. */
export async function streamTargets(): Promise<readonly FuzzTarget[]> {
  const photograph = (await Deno.readFile(GARDEN)).slice(0, 4_096);
  const picture = (await Deno.readFile(DRAWING)).slice(0, 2_048);
  const { valid, invalid } = await loadVectors("messages");
  const frames = [...valid, ...invalid].map(({ hex }) =>
    Uint8Array.fromHex(hex)
  );
  return [{
    name: "net/FrameReader",
    corpus: [...frames, concat(frames.slice(0, 4))],
    refuses: ["malformed", "corrupt"],
    isExact: true,
    rewrite: readFrames,
  }, {
    name: "tessera/indexTar",
    corpus: tarCorpus(),
    refuses: ["malformed"],
    isExact: false,
    rewrite: async (bytes) => {
      const entries = await indexTar(sourceOf(bytes), never);
      // Nothing outside of the tar, and no path that leaves a folder.
      for (const { path, offset, bytes: length } of entries) {
        const climbs = /^\/|(^|\/)\.\.(\/|$)/.test(path);
        if (climbs || offset + length > bytes.length) {
          throw new RangeError(`an entry ${path} of ${length} at ${offset}`);
        }
      }
      return bytes;
    },
  }, {
    name: "tessera/looksLike",
    corpus: [photograph, utf8("Dear Lia"), concat([utf8("RIFF"), u32be(9)])],
    refuses: [],
    isExact: true,
    rewrite(bytes) {
      for (const kind of KINDS) looksLike(kind, bytes);
      return bytes;
    },
  }, {
    name: "archive/PngPassage",
    corpus: [picture, pngWithPlaces()],
    refuses: ["unusable"],
    isExact: true,
    // A text that unpacks to 4 MiB is looked at, and is what somebody may send in 4 KiB.
    allocatedPerByte: 16 * 1_024,
    rewrite(bytes) {
      const without = passPng(bytes, false);
      const told = passPng(without.bytes, true).place;
      if (told !== "none" || without.bytes.length !== bytes.length) {
        throw new RangeError(`place ${told}, ${without.bytes.length} bytes`);
      }
      return passPng(bytes, true).bytes;
    },
  }, {
    name: "archive/removePlaces",
    corpus: [photograph],
    refuses: [],
    isExact: true,
    rewrite(bytes) {
      const cleared = bytes.slice();
      removePlaces(cleared);
      // Whatever the damage: where we can still read a place, so can others. What is no JPEG never gets here.
      const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
      const { place } = readExif(cleared);
      if (isJpeg && place !== undefined) {
        throw new RangeError(JSON.stringify(place));
      }
      return bytes;
    },
  }];
}

/** A PNG after its way into the store, in pieces of 1 to 64 bytes, and what became of its place. */
function passPng(bytes: Uint8Array, keepPlaces: boolean) {
  const passage = new PngPassage("fuzzed", { keepPlaces });
  const passed: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.slice(at, at + 1 + (at * 7 & 63));
    at += piece.length;
    for (const part of passage.pass(piece)) passed.push(part.slice());
  }
  for (const part of passage.end()) passed.push(part.slice());
  return { bytes: concat(passed), place: passage.seen().place };
}

/** Exif, XMP and a packed profile, each with a place. */
function pngWithPlaces(): Uint8Array {
  const xmp = '<x exif:GPSLatitude="48,30.0N" exif:GPSLongitude="9,0E"/>';
  return png([["eXIf", exifBlock()]], [
    ["iTXt", utf8(`XML:com.adobe.xmp\0\0\0\0\0${xmp}`)],
    [
      "zTXt",
      concat([
        utf8("Raw profile type exif\0\0"),
        deflateSync(utf8(`\nexif\n 300\n${exifBlock().toHex()}`)),
      ]),
    ],
  ]);
}

/** Every message of a stream that comes in pieces of 1 to 64 bytes, framed again. */
async function readFrames(bytes: Uint8Array): Promise<Uint8Array> {
  const frames = new FrameReader(streamOf(bytes));
  const written: Uint8Array[] = [];
  for (;;) {
    const message = await frames.next(never);
    if (message === undefined) return concat(written);
    written.push(u32be(message.length), message);
  }
}

function streamOf(bytes: Uint8Array): Stream {
  let at = 0;
  const unused = () => Promise.resolve();
  return {
    read() {
      const piece = bytes.slice(at, at + 1 + (at * 7 & 63));
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? undefined : piece);
    },
    write: unused,
    finish: unused,
    abandon: () => {},
  };
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    bytes: bytes.length,
    read(offset, into) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

function tarCorpus(): Uint8Array[] {
  const whole = new Map(
    tars.valid.map(({ name, hex }) => [name, Uint8Array.fromHex(hex)]),
  );
  return [
    ...whole.values(),
    ...tars.invalid.map((sample) => applySample(whole.get(sample.of)!, sample)),
  ];
}
