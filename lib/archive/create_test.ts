import {
  codeOf,
  concat,
  equal,
  TesserasError,
  toHex,
  utf8,
} from "@tesseras/core";
import { readAll } from "@tesseras/blobs";
import {
  blobCount,
  created,
  exifBlock,
  FaultyBlobs,
  folderOf,
  keys,
  never,
  noise,
  orderOf,
  photo,
  png,
  SAMPLES,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { scanFolder } from "./folder_scan.ts";
import type { Progress } from "./progress.ts";

Deno.test("create() lists a tessera that verifies, and reports what it kept", async () => {
  const { archive } = world();
  await using folder = await folderOf({ ...SUNDAY, "film.mov": "film" });
  const scan = await scanFolder(folder.path, never);
  const told: Progress[] = [];
  const report = await archive.create(
    orderOf(scan),
    keys,
    (progress) => told.push(progress),
    never,
  );
  assertEquals(report.status, "added");
  assertEquals(report.kept.map(({ name }) => name), Object.keys(SUNDAY).sort());
  assertEquals(report.leftOut.map(({ name }) => name), ["film.mov"]);
  assertEquals(report.warnings, []);
  assertEquals(told.at(-1), { doneBytes: scan.bytes, totalBytes: scan.bytes });
  const [row] = await archive.list(never);
  assertEquals(row, report.row);
  assertEquals(row?.memoryCount, 3);
  const verified = await archive.verify(report.id, () => {}, never);
  assertEquals(verified.problems, []);
  assertTrue(verified.passed);
});

Deno.test("create() of the same folder, words, time and keys gives the same tessera", async () => {
  const one = world();
  const first = await created(one, SUNDAY);
  assertEquals((await created(world(), SUNDAY)).id, first.id);
  const before = await blobCount(one.blobs);
  const again = await created(one, SUNDAY);
  assertEquals(again.status, "exists");
  assertEquals(again.id, first.id);
  assertEquals(await blobCount(one.blobs), before);
  const later = await created(one, SUNDAY, { createdAtMs: 1_700_000_001_000 });
  assertTrue(!equal(later.id, first.id));
});

Deno.test("create() keeps the sample memories of the project, photographs with their dates and places", async () => {
  const { archive } = world();
  const scan = await scanFolder(SAMPLES, never);
  const { id, row } = await archive.create(
    orderOf(scan),
    keys,
    () => {},
    never,
  );
  assertEquals(row.memoryCount, scan.files.length);
  assertTrue((await archive.verify(id, () => {}, never)).passed);
  const { memories } = await archive.show(id, never);
  assertTrue(memories.some(({ takenAt }) => takenAt !== undefined));
  assertTrue(memories.some(({ place }) => place !== undefined));
  assertTrue(memories.some(({ memoryType }) => memoryType === "reflection"));
});

Deno.test("create() keeps a lying file as it is and says so", async () => {
  const one = world();
  const lie = "this is no photograph";
  const report = await created(one, { "lie.jpg": lie });
  assertEquals(report.warnings, [
    '"lie.jpg" is named like a photograph or picture (JPEG) but does not begin like one; it is kept as it is',
  ]);
  await using reader = await one.blobs.open(report.kept[0]!.hash, never);
  assertTrue(reader);
  assertEquals(
    new TextDecoder().decode(await readAll(reader, never)),
    lie,
  );
});

Deno.test("create() keeps both names of equal files and the bytes once", async () => {
  const one = world();
  const report = await created(one, { "a.txt": "same", "b.txt": "same" });
  assertEquals(report.warnings, [
    '"b.txt" is the same as "a.txt"; both names are kept, the bytes once',
  ]);
  const shown = await one.archive.show(report.id, never);
  assertEquals(shown.memories.map(({ name }) => name).sort(), [
    "a.txt",
    "b.txt",
  ]);
});

Deno.test("create() tells dates and places of photographs", async () => {
  const one = world();
  const { id } = await created(one, { "a.jpg": photo() });
  const [memory] = (await one.archive.show(id, never)).memories;
  assertEquals(memory?.takenAt, "2023-11-14T12:00:00");
  assertEquals(memory?.place, { latitude: 48.5, longitude: 9 });
});

Deno.test("create() without places leaves no coordinates anywhere in the tessera", async () => {
  const one = world();
  const report = await created(one, { "a.jpg": photo() }, {
    keepPlaces: false,
  });
  assertEquals(report.kept[0]?.place, "removed");
  assertEquals(report.warnings.length, 1);
  const [memory] = (await one.archive.show(report.id, never)).memories;
  assertEquals(memory?.place, undefined);
  assertEquals(memory?.takenAt, "2023-11-14T12:00:00");
  await using pack = await one.archive.pack(report.id, never);
  const bytes = new Uint8Array(pack.bytes);
  for (let at = 0; at < bytes.length;) {
    at += await pack.read(at, bytes.subarray(at), never);
  }
  const text = new TextDecoder("latin1").decode(bytes);
  assertTrue(!text.includes("48,30"));
  assertTrue(!text.includes("48.5"));
});

for (const what of ["grows", "shrinks", "is written over"] as const) {
  Deno.test(`create() refuses a file that ${what} while it is read, and keeps nothing`, () =>
    refusesChange(what));
}

async function refusesChange(
  what: "grows" | "shrinks" | "is written over",
): Promise<void> {
  const one = world();
  await using folder = await folderOf({
    "a.txt": "kept",
    "big.wav": concat([SUNDAY["bell.wav"], noise(3_000_000, 3)]),
  });
  const scan = await scanFolder(folder.path, never);
  let changed = false;
  await assertRejectsCode(
    one.archive.create(orderOf(scan), keys, ({ doneBytes }) => {
      if (changed || doneBytes < 1_000_000) return;
      changed = true;
      using file = Deno.openSync(`${folder.path}/big.wav`, { write: true });
      if (what === "grows") file.truncateSync(3_100_000);
      else if (what === "shrinks") file.truncateSync(2_000_000);
      else file.writeSync(new Uint8Array(9));
    }, never),
    "unusable",
    /"big.wav": it changed while it was read/,
  );
  assertTrue(changed);
  assertEquals(await one.archive.list(never), []);
  assertEquals(await blobCount(one.blobs), 0);
}

Deno.test("create() that is cancelled keeps nothing", async () => {
  const one = world();
  await using folder = await folderOf(SUNDAY);
  const scan = await scanFolder(folder.path, never);
  const controller = new AbortController();
  await assertRejectsCode(
    one.archive.create(
      orderOf(scan),
      keys,
      () => controller.abort(),
      controller.signal,
    ),
    "cancelled",
  );
  assertEquals(await one.archive.list(never), []);
  assertEquals(await blobCount(one.blobs), 0);
});

Deno.test("create() whose store fails at any call lists nothing, leaks nothing, and works the next time", async () => {
  await using folder = await folderOf(SUNDAY);
  const scan = await scanFolder(folder.path, never);
  const blobs = new FaultyBlobs();
  for (let failAt = 1;; failAt++) {
    const { archive } = world(blobs);
    blobs.callCount = 0;
    blobs.failAt = failAt;
    try {
      await archive.create(orderOf(scan), keys, () => {}, never);
      assertTrue(failAt > 50, `only ${failAt} calls were tried`);
      break;
    } catch (error) {
      assertEquals(codeOf(error), "diskFull");
      assertTrue(error instanceof TesserasError);
    }
    blobs.failAt = 0;
    assertEquals(blobs.openCount, 0, `call ${failAt} leaks`);
    assertEquals(await archive.list(never), [], `call ${failAt} lists`);
    assertEquals(await blobCount(blobs), 0, `call ${failAt} leaves blobs`);
  }
});

Deno.test("create() refuses words that do not fit, and keeps nothing", async () => {
  const one = world();
  await assertRejectsCode(
    created(one, SUNDAY, { language: "not a language" }),
    "unusable",
    /language/,
  );
  assertEquals(await blobCount(one.blobs), 0);
});

Deno.test("resolve() takes a hash or an unambiguous beginning of it", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const { archive } = one;
  assertEquals(await archive.resolve(toHex(id), never), id);
  assertEquals(await archive.resolve(toHex(id).slice(0, 4), never), id);
  assertEquals(await archive.resolve(toHex(id).toUpperCase(), never), id);
  await assertRejectsCode(
    archive.resolve(toHex(id).slice(0, 3), never),
    "unusable",
  );
  await assertRejectsCode(archive.resolve("not hex", never), "unusable");
  const other = (id[0]! ^ 1).toString(16).padStart(2, "0") + "00";
  await assertRejectsCode(
    archive.resolve(other, never),
    "missing",
    /^Cannot find tessera ".*": none on this disk begins so$/,
  );
});

Deno.test("resolve() names the candidates of an ambiguous beginning", async () => {
  const one = world();
  const row = (await created(one, SUNDAY)).row;
  const ids = ["00", "01"].map((end) => `abcd${"0".repeat(58)}${end}`);
  for (const text of ids) {
    const id = row.id.slice() as typeof row.id;
    id.set(Uint8Array.fromHex(text));
    await one.state.addTessera({ ...row, id }, [], never);
  }
  await assertRejectsCode(
    one.archive.resolve("abcd", never),
    "unusable",
    new RegExp(ids.join(", ")),
  );
});

Deno.test("create() reads dates and places of a PNG after its picture, and takes the places out of its copy", async () => {
  const one = world();
  // Longer than what is looked at first, so that the metadata comes while the file streams.
  const picture = noise(3_000_000, 1);
  const file = png([["iDOT", picture]], [["eXIf", exifBlock()]]);
  const { id } = await created(one, { "a.png": file });
  const [kept] = (await one.archive.show(id, never)).memories;
  assertEquals(kept?.takenAt, "2023-11-14T12:00:00");
  assertEquals(kept?.place, { latitude: 48.5, longitude: 9 });
  const without = await created(one, { "a.png": file }, { keepPlaces: false });
  assertEquals(without.kept[0]?.place, "removed");
  const [memory] = (await one.archive.show(without.id, never)).memories;
  assertEquals(memory?.takenAt, "2023-11-14T12:00:00");
  assertEquals(memory?.place, undefined);
  await using blob = await one.blobs.open(without.kept[0]!.hash, never);
  const copy = await readAll(blob!, never);
  assertEquals(copy.length, file.length);
  assertTrue(!equal(copy, file));
  assertTrue(equal(copy.subarray(0, 3_000_000), file.subarray(0, 3_000_000)));
});

Deno.test("create() without places says which files have notes that it cannot clear", async () => {
  const one = world();
  const files = {
    "a.wav": utf8("RIFF....WAVELIST\x06\0\0\0INFOxx"),
    "b.wav": utf8("RIFF....WAVEdata\x04\0\0\0LIST"),
    "c.webm": concat([
      Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3, 0x42, 0x82, 0x84),
      utf8("webm LOCATION"),
    ]),
  };
  const kept = await created(one, files);
  assertEquals(kept.warnings, []);
  const report = await created(one, files, { keepPlaces: false });
  assertEquals(report.id, kept.id);
  assertEquals(report.kept.map(({ place }) => place), [
    "unread",
    "none",
    "unread",
  ]);
  assertEquals(report.warnings.length, 2);
  for (const warning of report.warnings) {
    assertTrue(
      /^"[ac]\.\w+" has notes in it that may tell where/.test(warning),
    );
  }
});
