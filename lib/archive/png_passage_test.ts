import { codeOf, concat, equal, SeededRandom, utf8 } from "@tesseras/core";
import { readExifBlock } from "@tesseras/tessera";
import {
  exifBlock,
  noise,
  png,
  type PngChunk,
} from "@tesseras/testing/archive";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { crc32, deflateSync } from "node:zlib";
import { PngPassage } from "./png_passage.ts";

const XMP =
  '<x exif:GPSLatitude="48,30.0N" tiff:Make="Lens"><exif:GPSLongitude>9,0E</exif:GPSLongitude></x>';
const XMP_BLANK =
  '<x exif:GPSLatitude="        " tiff:Make="Lens"><exif:GPSLongitude>    </exif:GPSLongitude></x>';

/** The file after its way, in pieces of so many bytes. */
function passed(
  file: Uint8Array,
  { keepPlaces = false, pieceBytes = 700 } = {},
) {
  const passage = new PngPassage("a.png", { keepPlaces });
  const out: Uint8Array[] = [];
  const take = (parts: Iterable<Uint8Array>) => {
    for (const part of parts) out.push(part.slice());
  };
  for (let at = 0; at < file.length; at += pieceBytes) {
    take(passage.pass(file.slice(at, at + pieceBytes)));
  }
  take(passage.end());
  return { bytes: concat(out), seen: passage.seen() };
}

/** The file after its way; `undefined` where it was refused with the one code for that. */
function passedOrRefused(
  file: Uint8Array,
  pieceBytes: number,
): Uint8Array | undefined {
  try {
    return passed(file, { pieceBytes }).bytes;
  } catch (error) {
    if (codeOf(error) !== "unusable") throw error;
    return undefined;
  }
}

/** Chunks by type. @throws when a length or a CRC is wrong */
function chunksOf(file: Uint8Array): readonly PngChunk[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const chunks: PngChunk[] = [];
  for (let at = 8; at < file.length;) {
    const end = at + 8 + view.getUint32(at);
    const checked = file.subarray(at + 4, end);
    assertEquals(view.getUint32(end), crc32(checked));
    const type = new TextDecoder().decode(checked.subarray(0, 4));
    chunks.push([type, checked.subarray(4)]);
    at = end + 4;
  }
  return chunks;
}

function itxt(text: string, packed = false): PngChunk {
  const head = concat([
    utf8("XML:com.adobe.xmp\0"),
    Uint8Array.of(packed ? 1 : 0, 0),
    utf8("\0\0"),
  ]);
  const body = utf8(text);
  return ["iTXt", concat([head, packed ? deflateSync(body) : body])];
}

/** As ImageMagick writes a profile. */
function profile(type: "tEXt" | "zTXt", content: Uint8Array): PngChunk {
  const hex = content.toHex().replaceAll(/.{72}/g, "$&\n");
  const text = utf8(`\nexif\n${`${content.length}`.padStart(8)}\n${hex}\n`);
  const keyword = utf8("Raw profile type exif\0");
  return type === "tEXt"
    ? [type, concat([keyword, text])]
    : [type, concat([keyword, Uint8Array.of(0), deflateSync(text)])];
}

for (const order of ["II", "MM"] as const) {
  Deno.test(`places go from a PNG before and after its picture, dates and sizes stay, byte order ${order}`, () => {
    const metadata: PngChunk[] = [["eXIf", exifBlock({ order })], itxt(XMP)];
    for (const file of [png(metadata), png([], metadata)]) {
      const { bytes, seen } = passed(file);
      assertEquals(seen, {
        about: { takenAt: "2023-11-14T12:00:00" },
        place: "removed",
      });
      const [before, after] = [chunksOf(file), chunksOf(bytes)];
      for (const [at, [type, data]] of after.entries()) {
        const [, was] = before[at]!;
        assertEquals([type, data.length], [before[at]![0], was.length]);
        if (type === "eXIf") {
          assertEquals(readExifBlock(data), { takenAt: seen.about.takenAt! });
          assertEquals(data.slice(200, 248), new Uint8Array(48));
        } else if (type === "iTXt") {
          assertEquals(data.subarray(-XMP.length), utf8(XMP_BLANK));
        } else assertEquals(data, was);
      }
      const again = passed(bytes);
      assertEquals([again.seen.place, again.bytes], ["none", bytes]);
    }
  });
}

Deno.test("places that are kept are told, and nothing in the PNG changes", () => {
  const file = png([itxt(XMP)], [["eXIf", exifBlock()]]);
  const { bytes, seen } = passed(file, { keepPlaces: true });
  assertEquals(bytes, file);
  assertEquals(seen, {
    about: {
      takenAt: "2023-11-14T12:00:00",
      place: { latitude: 48.5, longitude: 9 },
    },
    place: "kept",
  });
});

Deno.test("however the bytes come, the same file comes out", () => {
  const file = png(
    [["eXIf", exifBlock()], itxt(XMP, true)],
    [profile("zTXt", exifBlock())],
  );
  const whole = passed(file, { pieceBytes: file.length }).bytes;
  assertTrue(!equal(whole, file));
  for (const pieceBytes of [1, 2, 7, 8, 11, 300]) {
    assertEquals(passed(file, { pieceBytes }).bytes, whole);
  }
});

Deno.test("packed XMP, profiles in digits and fields named after coordinates are blanked as a whole, and stay chunks", () => {
  const exif = concat([utf8("Exif\0\0"), exifBlock()]);
  const told: readonly PngChunk[] = [
    itxt(XMP, true),
    profile("tEXt", exif),
    profile("zTXt", exif),
    profile("tEXt", exifBlock()),
    ["tEXt", utf8("exif:GPSLatitude\x0048/1, 30/1, 0/1")],
    // Packed, and nobody can tell what is in it.
    ["zTXt", concat([utf8("Raw profile type APP1\0\0"), noise(90, 1)])],
    ["iTXt", utf8("XML:com.adobe.xmp\0\x01\0\0\0junk")],
  ];
  for (const one of told) {
    const { bytes, seen } = passed(png([], [one]));
    assertEquals(seen.place, "removed");
    const [type, data] = chunksOf(bytes).at(-2)!;
    assertEquals(type, one[0] === "zTXt" ? "tEXt" : one[0]);
    assertEquals(data.length, one[1].length);
    const keyword = one[1].subarray(0, one[1].indexOf(0) + 1);
    assertEquals(data.subarray(0, keyword.length), keyword);
    const rest = data.subarray(keyword.length);
    assertTrue(rest.every((byte) => byte === 0 || byte === 0x20));
    assertEquals(passed(bytes).bytes, bytes);
  }
});

Deno.test("texts without a place stay as they are", () => {
  const plain = '<x tiff:Make="Lens"/>';
  const file = png([
    itxt(plain),
    itxt(plain, true),
    profile("tEXt", exifBlock({ place: false })),
    profile("zTXt", exifBlock({ place: false })),
    ["tEXt", utf8("Title\0GPS 48,30")],
    ["eXIf", exifBlock({ place: false })],
  ]);
  const { bytes, seen } = passed(file);
  assertEquals([seen.place, bytes], ["none", file]);
});

Deno.test("Exif with the name that JPEG gives it is read and cleared, too", () => {
  const named = concat([utf8("Exif\0\0"), exifBlock()]);
  const { seen, bytes } = passed(png([["eXIf", named]]));
  assertEquals(seen.place, "removed");
  assertEquals(seen.about.takenAt, "2023-11-14T12:00:00");
  assertEquals(passed(bytes).seen.place, "none");
});

Deno.test("a PNG cut off in its metadata loses what is there of the place", () => {
  const file = png([], [["eXIf", exifBlock()]]);
  const cut = file.subarray(0, file.length - 20);
  const { bytes } = passed(cut);
  assertEquals(bytes.length, cut.length);
  assertEquals(passed(bytes, { keepPlaces: true }).seen.place, "none");
});

Deno.test("metadata larger than we hold is refused where places should go, and passed on where they stay", () => {
  const file = png([["eXIf", new Uint8Array(1_048_577)]]);
  assertThrowsCode(() => passed(file), "unusable", /"a\.png".*damaged or of/);
  assertEquals(passed(file, { keepPlaces: true }).bytes.length, file.length);
  // A length that a hostile file only announces takes no memory.
  const liar = file.slice(0, 60);
  liar.set([0xff, 0xff, 0xff, 0xff], 33);
  assertEquals(passed(liar, { keepPlaces: true }).bytes, liar);
});

Deno.test("Exif that would cost a walk for every entry is cleared in one", () => {
  // Directories and values that all lie over each other.
  for (const tag of [[0x88, 0x25], [0x00, 0x02]]) {
    const block = new Uint8Array(1_000_000);
    const entry = [...tag, 0, 4, 0, 4, 0, 0, 0, 0, 0, 8];
    for (let at = 10; at + 12 < block.length; at += 12) block.set(entry, at);
    block.set([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0xff, 0xff]);
    block.set([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8], 10);
    const { bytes } = passed(png([["eXIf", block]]), { pieceBytes: 1 << 20 });
    assertEquals(passed(bytes, { keepPlaces: true }).seen.place, "none");
  }
});

Deno.test("a profile made to be read slowly is read at once", () => {
  // Packed it takes a few kilobytes; what is quadratic in its blanks would take hours.
  const text = utf8(`a 1${" ".repeat(4_000_000)}z`);
  const keyword = utf8("Raw profile type exif\0\0");
  const slow: PngChunk = ["zTXt", concat([keyword, deflateSync(text)])];
  const { seen } = passed(png([], [slow]));
  assertEquals(seen.place, "removed");
});

Deno.test("notes that we do not read, and whatever follows the picture's end, are told of", () => {
  const whole = png([]);
  const attached = concat([whole, png([["eXIf", exifBlock()]])]);
  const told: readonly Uint8Array[] = [
    attached,
    png([["zxIf", deflateSync(exifBlock())]]),
    png([["caBX", utf8("a claim with a place")]]),
    concat([whole, Uint8Array.of(0)]),
  ];
  for (const file of told) {
    for (const pieceBytes of [1, 700]) {
      const { bytes, seen } = passed(file, { pieceBytes });
      assertEquals([seen.place, bytes], ["unread", file]);
    }
    assertEquals(passed(file, { keepPlaces: true }).seen.place, "none");
  }
  assertEquals(passed(whole).seen.place, "none");
});

Deno.test("whatever the damage, a PNG is refused, or as much comes out as goes in, the picture stays, and no place is left that we can read", () => {
  const metadata: PngChunk[] = [["eXIf", exifBlock()], itxt(XMP)];
  const whole = png([], metadata);
  const pictureEnd = 8 + 25 + 12 + 5_000;
  const random = new SeededRandom(4);
  fc.assert(fc.property(
    fc.array(
      fc.tuple(fc.nat(whole.length - pictureEnd - 1), fc.nat(255)),
      { maxLength: 12 },
    ),
    (changes) => {
      const file = whole.slice();
      for (const [at, byte] of changes) file[pictureEnd + at] = byte;
      const pieceBytes = 1 + random.below(2_000);
      const bytes = passedOrRefused(file, pieceBytes);
      if (bytes === undefined) return;
      assertEquals(bytes.length, file.length);
      assertTrue(
        equal(bytes.subarray(0, pictureEnd), file.subarray(0, pictureEnd)),
      );
      const { seen } = passed(bytes, { keepPlaces: true });
      assertEquals(seen.about.place, undefined);
    },
  ));
});
