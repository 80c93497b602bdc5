import exifr from "exifr";
import fc from "fast-check";
import { concat, u32be, utf8 } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { readExif } from "./exif.ts";

type Tag = {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Four bytes in the entry itself, or more that lie behind the directory. */
  readonly value: Uint8Array;
};

const ASCII = 2;
const LONG = 4;
const RATIONAL = 5;

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function text(tag: number, value: string): Tag {
  const bytes = utf8(value + "\0");
  const padded = concat([bytes, new Uint8Array(Math.max(0, 4 - bytes.length))]);
  return { tag, type: ASCII, count: bytes.length, value: padded };
}

function degrees(tag: number, ...parts: readonly [number, number][]): Tag {
  const value = concat(
    parts.map(([over, under]) => concat([u32be(over), u32be(under)])),
  );
  return { tag, type: RATIONAL, count: parts.length, value };
}

function pointer(tag: number, to: number): Tag {
  return { tag, type: LONG, count: 1, value: u32be(to) };
}

/** A directory at an offset of the TIFF block, big-endian, its long values behind it. */
function directory(at: number, tags: readonly Tag[], next = 0): Uint8Array {
  let valueAt = at + 2 + 12 * tags.length + 4;
  const entries: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (const { tag, type, count, value } of tags) {
    const isInside = value.length <= 4;
    entries.push(
      u16(tag),
      u16(type),
      u32be(count),
      isInside ? value : u32be(valueAt),
    );
    if (isInside) continue;
    values.push(value);
    valueAt += value.length;
  }
  return concat([u16(tags.length), ...entries, u32be(next), ...values]);
}

/** The beginning of a JPEG with three directories of Exif, each at a fixed place. */
function jpeg(exif: readonly Tag[], gps: readonly Tag[], next = 0): Uint8Array {
  const parts: readonly (readonly [number, Uint8Array])[] = [
    [8, directory(8, [pointer(0x8769, 100), pointer(0x8825, 500)], next)],
    [100, directory(100, exif)],
    [500, directory(500, gps)],
  ];
  const tiff = new Uint8Array(1_000);
  tiff.set(concat([utf8("MM\0*"), u32be(8)]));
  for (const [at, part] of parts) tiff.set(part, at);
  return concat([
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe1),
    u16(tiff.length + 8),
    utf8("Exif\0\0"),
    tiff,
    Uint8Array.of(0xff, 0xda, 0, 2),
  ]);
}

const TAKEN = [text(0x9003, "2026:02:14 11:22:33"), text(0x9011, "-03:00")];
const SOUTH_WEST = [
  text(1, "S"),
  degrees(2, [27, 1], [35, 1], [4380, 100]),
  text(3, "W"),
  degrees(4, [48, 1], [32, 1], [528, 10]),
];

Deno.test("reads when and where a photograph was taken", () => {
  assertEquals(readExif(jpeg(TAKEN, SOUTH_WEST)), {
    takenAt: "2026-02-14T11:22:33-03:00",
    place: { latitude: -27.5955, longitude: -48.548 },
  });
  assertEquals(readExif(jpeg(TAKEN.slice(0, 1), [])), {
    takenAt: "2026-02-14T11:22:33",
  });
});

Deno.test("reads of the samples what an independent library reads", async () => {
  const samples = new URL(
    "../../tests/samples/family_sunday/",
    import.meta.url,
  );
  for (const name of ["garden.jpg", "table.jpg", "lake.jpg"]) {
    const head = await Deno.readFile(new URL(name, samples));
    const told = await exifr.parse(head, { reviveValues: false }) ?? {};
    const { takenAt, place } = readExif(head);
    const date = told.DateTimeOriginal?.replace(":", "-").replace(":", "-")
      .replace(" ", "T");
    const offset = told.OffsetTimeOriginal ?? "";
    assertEquals(takenAt, date === undefined ? undefined : date + offset);
    assertEquals(place?.latitude.toFixed(5), told.latitude?.toFixed(5));
    assertEquals(place?.longitude.toFixed(5), told.longitude?.toFixed(5));
  }
});

Deno.test("a file that tells nothing gives nothing", () => {
  assertEquals(readExif(new Uint8Array()), {});
  assertEquals(readExif(utf8("no photograph at all")), {});
  assertEquals(readExif(jpeg([], [])), {});
});

Deno.test("what cannot be true is not there", () => {
  for (
    const date of [
      "0000:00:00 00:00:00",
      "2026:13:01 00:00:00",
      "2026:01:01 25:00:00",
      "    :  :     :  :  ",
      "yesterday",
      "2026:01:01\n00:00:00",
    ]
  ) {
    assertEquals(readExif(jpeg([text(0x9003, date)], [])), {}, date);
  }
  const north = (
    over: number,
    under: number,
  ) => [
    text(1, "N"),
    degrees(2, [over, under], [0, 1], [0, 1]),
    text(3, "E"),
    degrees(4, [10, 1], [0, 1], [0, 1]),
  ];
  for (
    const [over, under] of [[91, 1], [1, 0], [0, 0], [
      4_294_967_295,
      1,
    ]] as const
  ) {
    assertEquals(
      readExif(jpeg([], north(over, under))),
      {},
      `${over}/${under}`,
    );
  }
  const nowhere = [
    text(1, "N"),
    degrees(2, [0, 1], [0, 1], [0, 1]),
    text(3, "E"),
    degrees(4, [0, 1], [0, 1], [0, 1]),
  ];
  assertEquals(readExif(jpeg([], nowhere)), {});
  assertEquals(
    (readExif(jpeg([TAKEN[0]!, text(0x9011, "+99:99")], []))).takenAt,
    "2026-02-14T11:22:33",
  );
});

Deno.test("hostile counts, offsets and directories in a circle do not throw and do not hang", () => {
  const counts = [0, 1, 65_535, 0x7fff_ffff, 0xffff_ffff];
  for (const count of counts) {
    for (const type of [0, 1, 2, 3, 5, 7, 10, 12, 13, 255, 65_535]) {
      const evil = { tag: 2, type, count, value: u32be(0) };
      readExif(
        jpeg([{ ...evil, tag: 0x9003 }], [text(1, "N"), evil, text(3, "E"), {
          ...evil,
          tag: 4,
        }]),
      );
    }
  }
  for (const next of [8, 100, 500, 0xffff_ffff]) {
    readExif(
      jpeg(
        [pointer(0x8769, 8), pointer(0x8825, 100)],
        [pointer(0x8769, 500)],
        next,
      ),
    );
  }
  readExif(new Uint8Array(300 * 1024).fill(0xff));
  readExif(
    concat([Uint8Array.of(0xff, 0xd8), new Uint8Array(300 * 1024)]),
  );
});

Deno.test("any bytes changed in a photograph's head leave an answer of the right form", () => {
  const good = jpeg(TAKEN, SOUTH_WEST);
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })),
        { maxLength: 12 },
      ),
      (changes) => {
        const head = good.slice();
        for (const [at, byte] of changes) head[at] = byte;
        const kept = head.slice();
        const { takenAt, place } = readExif(head);
        assertEquals(head, kept, "the head is only borrowed");
        assertTrue(
          takenAt === undefined ||
            /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)?$/.test(takenAt),
        );
        assertTrue(
          place === undefined ||
            Math.abs(place.latitude) <= 90 && Math.abs(place.longitude) <= 180,
        );
      },
    ),
    { numRuns: 400 },
  );
});
