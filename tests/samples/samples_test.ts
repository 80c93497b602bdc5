import exifr from "exifr";
import { fromUtf8 } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";

const FOLDER = new URL("family_sunday/", import.meta.url);

function bytesOf(name: string): Uint8Array {
  return Deno.readFileSync(new URL(name, FOLDER));
}

function starts(name: string, hex: string): void {
  const head = bytesOf(name).subarray(0, hex.length / 2);
  assertEquals(head.toHex(), hex, name);
}

Deno.test("the sample memories are of every supported kind, and under 2 MB together", () => {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
  assertEquals(names, [
    "am_see.txt",
    "boat.webm",
    "bolo_de_fuba.txt",
    "drawing_lia.png",
    "garden.jpg",
    "lake.jpg",
    "letter_to_lia.txt",
    "music_box.wav",
    "table.jpg",
  ]);
  const bytes = names.reduce((sum, name) => sum + bytesOf(name).length, 0);
  assertTrue(bytes < 2_000_000, `${bytes} bytes`);
});

Deno.test("every sample is what its name says", () => {
  for (const name of ["garden.jpg", "lake.jpg", "table.jpg"]) {
    starts(name, "ffd8ff");
  }
  starts("drawing_lia.png", "89504e470d0a1a0a");
  starts("boat.webm", "1a45dfa3");
  for (const name of ["am_see.txt", "bolo_de_fuba.txt", "letter_to_lia.txt"]) {
    assertTrue(fromUtf8(bytesOf(name)).endsWith("\n"), name);
  }
});

Deno.test("the melody is one channel of 16-bit PCM, 8 seconds long, and not silent", () => {
  const bytes = bytesOf("music_box.wav");
  const view = new DataView(bytes.buffer);
  const [format, channels] = [
    view.getUint16(20, true),
    view.getUint16(22, true),
  ];
  const [perSecond, bits] = [
    view.getUint32(24, true),
    view.getUint16(34, true),
  ];
  assertEquals([format, channels, perSecond, bits], [1, 1, 22_050, 16]);
  assertEquals(view.getUint32(40, true), 8 * 22_050 * 2);
  let loudest = 0;
  for (let at = 44; at < bytes.length; at += 2) {
    loudest = Math.max(loudest, Math.abs(view.getInt16(at, true)));
  }
  assertTrue(loudest > 8_000 && loudest < 32_767, `loudest ${loudest}`);
});

Deno.test("one photo tells when and where, one only when, one nothing", async () => {
  const garden = await exifr.parse(bytesOf("garden.jpg"), true);
  assertEquals(
    [garden.latitude.toFixed(4), garden.longitude.toFixed(4)],
    ["-29.3747", "-50.8764"],
  );
  assertEquals(garden.OffsetTimeOriginal, "-03:00");
  const table = await exifr.parse(bytesOf("table.jpg"), {
    gps: true,
    reviveValues: false,
  });
  assertEquals(table.DateTimeOriginal, "2018:03:11 15:30:51");
  assertEquals(table.latitude, undefined);
  assertEquals(await exifr.parse(bytesOf("lake.jpg")), undefined);
});
