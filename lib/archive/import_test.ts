import { codeOf, equal, type Hash, messageOf, toHex } from "@tesseras/core";
import {
  type ByteSource,
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  type TesseraSource,
} from "@tesseras/tessera";
import {
  blobCount,
  created,
  FaultyBlobs,
  never,
  photo,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { packSource } from "./pack_source.ts";

/** A source of files in memory. */
function sourceOf(files: ReadonlyMap<string, Uint8Array>): TesseraSource {
  return {
    list: () =>
      Promise.resolve(
        [...files].map(([path, { length }]) => ({ path, bytes: length })),
      ),
    async *read(path) {
      const content = files.get(path)!;
      yield content.subarray(0, 10);
      yield content.subarray(10);
    },
  };
}

/** Every file of a tessera made of these memories. */
async function filesOf(
  memories: Readonly<Record<string, Uint8Array | string>>,
): Promise<{ readonly id: Hash; readonly files: Map<string, Uint8Array> }> {
  const one = world();
  const { id } = await created(one, memories);
  const source = await one.archive.source(id, never);
  const files = new Map<string, Uint8Array>();
  for (const { path } of await source.list(never)) {
    const chunks: number[] = [];
    for await (const chunk of source.read(path, never)) chunks.push(...chunk);
    files.set(path, Uint8Array.from(chunks));
  }
  return { id, files };
}

async function packOf(
  memories: Readonly<Record<string, Uint8Array | string>>,
): Promise<Uint8Array> {
  const one = world();
  const { id } = await created(one, memories);
  await using pack = await one.archive.pack(id, never);
  const bytes = new Uint8Array(pack.bytes);
  assertEquals(await pack.read(0, bytes, never), bytes.length);
  return bytes;
}

function bytesAt(bytes: Uint8Array): ByteSource {
  return {
    bytes: bytes.length,
    read: (offset, into) => {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

const sunday = await filesOf(SUNDAY);

Deno.test("import() takes a whole tessera from any source, and it verifies", async () => {
  const { archive, blobs } = world();
  const source = sourceOf(sunday.files);
  const report = await archive.import({ source }, () => {}, never);
  assertEquals(report.id, sunday.id);
  assertEquals(report.status, "added");
  assertEquals(report.ignored, []);
  const [row] = await archive.list(never);
  assertEquals(row?.origin, "imported");
  assertTrue((await archive.verify(report.id, () => {}, never)).passed);
  const before = await blobCount(blobs);
  const again = await archive.import({ source }, () => {}, never);
  assertEquals(again.status, "exists");
  assertEquals(await blobCount(blobs), before);
});

Deno.test("import() through the pack gives the very same pack", async () => {
  const bytes = await packOf(SUNDAY);
  const { archive } = world();
  const source = await packSource(bytesAt(bytes), never);
  const { id } = await archive.import({ source }, () => {}, never);
  await using pack = await archive.pack(id, never);
  const again = new Uint8Array(pack.bytes);
  await pack.read(0, again, never);
  assertTrue(equal(again, bytes));
});

Deno.test("import() refuses every file with one bit flipped, naming it, and keeps nothing", async () => {
  for (const [path, content] of sunday.files) {
    for (const at of [0, content.length >> 1, content.length - 1]) {
      const files = new Map(sunday.files);
      const flipped = content.slice();
      flipped[at]! ^= 1;
      files.set(path, flipped);
      const { archive, blobs } = world();
      const error = await archive.import(
        { source: sourceOf(files), expectedId: await idOf() },
        () => {},
        never,
      ).then(() => undefined, (error) => error);
      assertTrue(error !== undefined, `${path} byte ${at} got through`);
      assertTrue(
        ["corrupt", "forged", "malformed"].includes(codeOf(error) ?? ""),
        messageOf(error),
      );
      const wrongId = path === "MANIFEST" && codeOf(error) === "forged";
      const key = path.startsWith("identity/creator") &&
        /The keys in identity\//.test(messageOf(error));
      assertTrue(
        wrongId || key || messageOf(error).includes(path),
        `${path}: ${messageOf(error)}`,
      );
      assertEquals(await archive.list(never), []);
      assertEquals(await blobCount(blobs), 0);
    }
  }
});

async function idOf() {
  const { archive } = world();
  const source = sourceOf(sunday.files);
  return (await archive.import({ source }, () => {}, never)).id;
}

Deno.test("import() refuses files cut short, and files that are missing, by name", async () => {
  for (const [path, content] of sunday.files) {
    const short = new Map(sunday.files).set(path, content.subarray(1));
    const { archive } = world();
    await assertRejectsCode(
      archive.import({ source: sourceOf(short) }, () => {}, never),
      path.startsWith("identity/") && !path.includes("creator")
        ? "forged"
        : path === "MANIFEST"
        ? "malformed"
        : path.startsWith("identity/")
        ? "forged"
        : "corrupt",
    );
    const without = new Map(sunday.files);
    without.delete(path);
    const error = await archive.import(
      { source: sourceOf(without) },
      () => {},
      never,
    ).then(() => undefined, (error) => error);
    assertTrue(error !== undefined, `${path} was not missed`);
    assertEquals(await archive.list(never), []);
  }
});

Deno.test("import() refuses files swapped between two tesseras", async () => {
  const other = await filesOf({ "b.jpg": photo({ seed: 9 }) });
  for (const path of other.files.keys()) {
    const mine = sunday.files.get(path);
    if (mine === undefined || equal(mine, other.files.get(path)!)) continue;
    const swapped = new Map(other.files).set(path, mine);
    const { archive } = world();
    const error = await archive.import(
      { source: sourceOf(swapped) },
      () => {},
      never,
    ).then(() => undefined, (error) => error);
    assertTrue(error !== undefined, `${path} of another tessera got through`);
    assertEquals(await archive.list(never), []);
  }
});

Deno.test("import() refuses another tessera than the expected one", async () => {
  const other = await filesOf({ "b.txt": "another" });
  const { archive } = world();
  await assertRejectsCode(
    archive.import(
      { source: sourceOf(other.files), expectedId: await idOf() },
      () => {},
      never,
    ),
    "forged",
    new RegExp(`it is ${toHex(other.id)}, wanted ${toHex(sunday.id)}$`),
  );
});

Deno.test("import() passes over what lies beside a tessera and refuses what lies in it", async () => {
  const junk = new Uint8Array(3);
  const beside = new Map(sunday.files).set(".DS_Store", junk)
    .set("notes.txt", junk);
  const { archive } = world();
  const report = await archive.import(
    { source: sourceOf(beside) },
    () => {},
    never,
  );
  assertEquals(report.ignored, [".DS_Store", "notes.txt"]);
  const files = await (await archive.source(report.id, never)).list(never);
  assertTrue(!files.some(({ path }) => path === ".DS_Store"));
  for (const folder of ["memories", "identity", "decode", "schema"]) {
    const inside = new Map(sunday.files).set(`${folder}/x\n.txt`, junk);
    await assertRejectsCode(
      world().archive.import({ source: sourceOf(inside) }, () => {}, never),
      "corrupt",
      new RegExp(`"${folder}/x\\\\n.txt" is not listed in MANIFEST$`),
    );
  }
});

Deno.test("import() refuses checksum lists that are not exactly those of the files", async () => {
  for (const path of [CHECKSUMS_B3_PATH, CHECKSUMS_SHA256_PATH]) {
    const text = new TextDecoder().decode(sunday.files.get(path));
    const reversed = text.trimEnd().split("\n").reverse().join("\n") + "\n";
    const files = new Map(sunday.files)
      .set(path, new TextEncoder().encode(reversed));
    await assertRejectsCode(
      world().archive.import({ source: sourceOf(files) }, () => {}, never),
      "corrupt",
      new RegExp(`${path} is not the list of these files$`),
    );
  }
});

Deno.test("import() of a tar with any byte changed or cut gives the tessera or a refusal, never half of it", async () => {
  const whole = await packOf({ "a.txt": "A warm Sunday" });
  const expected = await idOfPack(whole);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, change, cut) => {
        const damaged = cut ? whole.slice(0, at) : whole.slice();
        if (!cut) damaged[at]! ^= change;
        const { archive, blobs } = world();
        try {
          const source = await packSource(bytesAt(damaged), never);
          const { id } = await archive.import({ source }, () => {}, never);
          // Some bytes of a tar mean nothing, such as the owner's name.
          assertEquals(id, expected);
          assertTrue((await archive.verify(id, () => {}, never)).passed);
        } catch (error) {
          assertTrue(codeOf(error) !== undefined, String(error));
          assertEquals(await archive.list(never), []);
          assertEquals(await blobCount(blobs), 0);
        }
      },
    ),
    { numRuns: 60 },
  );
});

async function idOfPack(bytes: Uint8Array) {
  const source = await packSource(bytesAt(bytes), never);
  return (await world().archive.import({ source }, () => {}, never)).id;
}

Deno.test("import() whose store fails at any call lists nothing and leaks nothing", async () => {
  const blobs = new FaultyBlobs();
  for (let failAt = 1;; failAt++) {
    const { archive } = world(blobs);
    blobs.callCount = 0;
    blobs.failAt = failAt;
    const source = sourceOf(sunday.files);
    const code = await archive.import({ source }, () => {}, never)
      .then(() => undefined, codeOf);
    if (code === undefined) {
      assertTrue(failAt > 50, `only ${failAt} calls were tried`);
      break;
    }
    assertEquals(code, "diskFull");
    assertEquals(blobs.openCount, 0, `call ${failAt} leaks`);
    assertEquals(await archive.list(never), [], `call ${failAt} lists`);
    assertEquals(await blobCount(blobs), 0, `call ${failAt} leaves blobs`);
  }
});
