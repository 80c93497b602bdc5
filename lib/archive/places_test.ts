import { concat, equal, utf8 } from "@tesseras/core";
import { readExif } from "@tesseras/tessera";
import { photo } from "@tesseras/testing/archive";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { removePlaces } from "./places.ts";

for (const order of ["II", "MM"] as const) {
  Deno.test(`removePlaces() takes coordinates out and leaves the date, byte order ${order}`, async () => {
    const head = photo({ order });
    const before = await readExif(head);
    assertEquals(before.place, { latitude: 48.5, longitude: 9 });
    const length = head.length;
    assertTrue(removePlaces(head));
    const after = await readExif(head);
    assertEquals(after, { takenAt: "2023-11-14T12:00:00" });
    assertEquals(head.length, length);
    const text = new TextDecoder("latin1").decode(head);
    assertTrue(!text.includes("48,30"), "XMP has no latitude");
    assertTrue(!text.includes("9,0E"), "XMP has no longitude");
    // Where the degrees, minutes and seconds lay.
    const numbers = 2 + 4 + 6 + 200;
    assertEquals(head.slice(numbers, numbers + 48), new Uint8Array(48));
    assertTrue(!removePlaces(head), "a second look finds nothing");
  });
}

Deno.test("removePlaces() leaves the picture itself alone", () => {
  const before = photo();
  const after = before.slice();
  removePlaces(after);
  assertTrue(equal(after.subarray(-502), before.subarray(-502)));
});

Deno.test("removePlaces() leaves a photograph without coordinates as it is", () => {
  const before = photo({ place: false });
  const after = before.slice();
  assertTrue(!removePlaces(after));
  assertEquals(after, before);
});

/** XMP too large for one segment goes on in others, each with a name, a digest and two numbers before it. */
function extension(text: string): Uint8Array {
  const name = utf8("http://ns.adobe.com/xmp/extension/\0");
  const content = concat([name, new Uint8Array(40).fill(0x41), utf8(text)]);
  const length = content.length + 2;
  const head = Uint8Array.of(0xff, 0xe1, length >> 8, length & 255);
  return concat([head, content]);
}

Deno.test("removePlaces() blanks XMP that goes on in further segments, also where a place is cut in two", () => {
  const [start, rest] = [photo().subarray(0, 2), photo().subarray(2)];
  const told = [
    ['<x exif:GPSLatitude="48,30.0N"/>'],
    ["<x exif:GPSLat", 'itude="48,30.0N"/>'],
  ];
  for (const texts of told) {
    const head = concat([start, ...texts.map(extension), rest]);
    assertTrue(removePlaces(head));
    const text = new TextDecoder("latin1").decode(head);
    assertTrue(!text.includes("48,30"), text.slice(0, 300));
    assertTrue(!removePlaces(head), "a second look finds nothing");
  }
  const plain = extension('<x tiff:Make="Lens"/>');
  const head = concat([start, plain, photo({ place: false }).subarray(2)]);
  const before = head.slice();
  assertTrue(!removePlaces(head));
  assertEquals(head, before);
});

Deno.test("removePlaces() survives any damage, and changes nothing but metadata", () => {
  const whole = photo();
  const metadataEnd = whole.length - 506;
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(metadataEnd - 1), fc.nat(255)), { maxLength: 20 }),
    fc.nat(whole.length),
    (changes, length) => {
      const damaged = whole.slice();
      // The two lengths are left: with another one the picture is metadata.
      for (const [at, byte] of changes) {
        if (at > 6 && (at < 308 || at > 320)) damaged[at] = byte;
      }
      const head = damaged.slice(0, length);
      removePlaces(head);
      assertTrue(
        equal(
          head.subarray(metadataEnd),
          damaged.subarray(metadataEnd, Math.max(metadataEnd, length)),
        ),
      );
    },
  ));
});

Deno.test("removePlaces() ends on noise", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    const head = Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, ...bytes);
    removePlaces(head);
  }));
});
