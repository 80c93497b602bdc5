import fc from "fast-check";

import { blake3 } from "@tesseras/crypto";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import {
  never,
  OpenCount,
  packOf,
  runTool,
  sampleTessera,
} from "@tesseras/testing/tessera";
import { packLayout, packReader } from "./pack.ts";

const sample = sampleTessera();
const layout = packLayout(sample.composed.entries);

Deno.test("the pack is one tar, whatever order the entries come in", async () => {
  const pack = await packOf(sample);
  assertEquals(pack.length, sample.composed.packBytes);
  assertEquals(packLayout(sample.composed.entries.toReversed()), layout);
  assertEquals(pack.length % 512, 0);
  assertTrue(pack.subarray(-1024).every((byte) => byte === 0));
  assertEquals(blake3(pack), blake3(await packOf(sampleTessera())));
  assertEquals(
    layout.segments.slice(0, 7).map(({ path }) => path),
    [
      "MANIFEST",
      "identity/signature.ed25519.sig",
      "identity/signature.ml-dsa-65.sig",
      "identity/creator.pub.ed25519",
      "identity/creator.pub.ml-dsa-65",
      "CHECKSUMS.b3",
      "CHECKSUMS.sha256",
    ],
  );
});

Deno.test("a real tar program lists and extracts it byte for byte", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/pack.tar`, await packOf(sample));
    const listed = await runTool("tar", ["tf", "pack.tar"], folder);
    if (listed === undefined) return;
    assertEquals(
      listed.output.trim().split("\n"),
      layout.segments.map(({ path }) => path),
    );
    const opened = await runTool("tar", ["xf", "pack.tar"], folder);
    assertTrue(opened?.ok, opened?.output);
    for (const [path, bytes] of sample.files) {
      assertEquals(await Deno.readFile(`${folder}/${path}`), bytes, path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("any window read alone is that part of the whole, also when many are read at once", async () => {
  const pack = await packOf(sample);
  const opened = new OpenCount(sample.files);
  {
    await using reader = packReader(layout, opened.openEntry);
    const windows = fc.array(
      fc.tuple(fc.nat({ max: pack.length + 600 }), fc.nat({ max: 9_000 })),
      { minLength: 1, maxLength: 80 },
    );
    await fc.assert(
      fc.asyncProperty(windows, async (wanted) => {
        await Promise.all(wanted.map(async ([offset, length]) => {
          const into = new Uint8Array(length).fill(7);
          const read = await reader.read(offset, into, never);
          const part = pack.subarray(offset, offset + length);
          assertEquals(read, part.length);
          assertEquals(into.subarray(0, read), part);
        }));
      }),
      { numRuns: 30 },
    );
    assertTrue(opened.most <= 96, `${opened.most} entries open at once`);
  }
  assertEquals(opened.open, 0, "disposing closes every entry");
});

Deno.test("a file that became shorter is corrupt, and its reader is closed", async () => {
  const path = "README.decode";
  const files = new Map(sample.files);
  files.set(path, files.get(path)!.subarray(0, 100));
  const opened = new OpenCount(files);
  {
    await using reader = packReader(layout, opened.openEntry);
    await assertRejectsCode(
      reader.read(0, new Uint8Array(layout.bytes), never),
      "corrupt",
      /Cannot read README\.decode: ends after 100 bytes, wanted \d+/,
    );
  }
  assertEquals(opened.open, 0);
});

Deno.test("an aborted read stops, and opening errors reach the reader", async () => {
  const opened = new OpenCount(sample.files);
  await using reader = packReader(layout, opened.openEntry);
  await assertRejectsCode(
    reader.read(0, new Uint8Array(10), AbortSignal.abort()),
    "cancelled",
  );
  await using broken = packReader(layout, () => {
    throw new Error("no such blob");
  });
  const seen = await broken.read(0, new Uint8Array(4_096), never)
    .catch((error) => error.message);
  assertEquals(seen, "no such blob");
});

Deno.test("refuses to lay out what no tessera holds", () => {
  const one = { path: "a", bytes: 1 };
  assertThrowsCode(() => packLayout([one, one]), "malformed", /"a" .* twice/);
  assertThrowsCode(() => packLayout([{ path: "../a", bytes: 1 }]), "malformed");
  assertThrowsCode(
    () => packLayout([{ path: "a", bytes: 1_000_000_000 }]),
    "unusable",
    /1000001536 bytes, allowed are 1000000000/,
  );
  assertEquals(packLayout([]).bytes, 1_024);
  assertEquals(packLayout([{ path: "a", bytes: 0 }]).bytes, 1_536);
});
