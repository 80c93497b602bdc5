import fc from "fast-check";
import { codeOf, concat, TesserasError, utf8 } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  byteSource,
  never,
  packOf,
  runTool,
  sampleTessera,
  writeFiles,
} from "@tesseras/testing/tessera";
import { packLayout } from "./pack.ts";
import { TAR_BLOCK_BYTES } from "./tar_header.ts";
import { indexTar, type TarEntry } from "./unpack.ts";

const sample = sampleTessera();
const END = new Uint8Array(2 * TAR_BLOCK_BYTES);
const TOP = "tessera-" + "0123456789abcdef".repeat(4);

type Header = {
  readonly name: string;
  readonly type?: string;
  readonly content?: Uint8Array;
  /** The size to claim instead of that of the content. */
  readonly size?: string;
  readonly prefix?: string;
};

/** A tar entry as any program might write it. */
function entry(header: Header): Uint8Array {
  const { name, type = "0", content = new Uint8Array(), prefix = "" } = header;
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  const size = header.size ?? content.length.toString(8).padStart(11, "0");
  const fields: readonly (readonly [number, string])[] = [
    [0, name],
    [100, "0000644"],
    [124, size],
    [148, "        "],
    [156, type],
    [257, "ustar\x0000"],
    [345, prefix],
  ];
  for (const [at, text] of fields) block.set(utf8(text), at);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.set(utf8(sum.toString(8).padStart(6, "0") + "\0 "), 148);
  const padding = new Uint8Array(-content.length & (TAR_BLOCK_BYTES - 1));
  return concat([block, content, padding]);
}

function pax(records: Readonly<Record<string, string>>): Uint8Array {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = utf8(` ${key}=${value}\n`).length;
    let length = rest + 1;
    while (String(length).length + rest !== length) length++;
    return `${length} ${key}=${value}\n`;
  });
  return entry({ name: "PaxHeader", type: "x", content: utf8(lines.join("")) });
}

function index(...parts: readonly Uint8Array[]): Promise<readonly TarEntry[]> {
  return indexTar(byteSource(concat([...parts, END])), never);
}

function refuses(message: RegExp, ...parts: readonly Uint8Array[]) {
  return assertRejectsCode(index(...parts), "malformed", message);
}

Deno.test("indexes our own pack, read in pieces of any size", async () => {
  const pack = await packOf(sample);
  for (const pieceBytes of [Infinity, 4_097, 100]) {
    const entries = await indexTar(byteSource(pack, pieceBytes), never);
    assertEquals(
      entries.map(({ path, bytes }) => ({ path, bytes })),
      packLayout(sample.composed.entries).segments
        .map(({ path, bytes }) => ({ path, bytes })),
    );
    for (const { path, offset, bytes } of entries) {
      assertEquals(pack.slice(offset, offset + bytes), sample.files.get(path));
    }
  }
});

Deno.test("indexes what tar programs make of an exported folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeFiles(`${folder}/${TOP}`, sample.files);
    for (const format of ["ustar", "gnu", "pax", "posix"]) {
      for (
        const [cwd, what] of [[folder, TOP], [folder, `./${TOP}`], [
          `${folder}/${TOP}`,
          ".",
        ]]
      ) {
        const made = await runTool("tar", [
          `--format=${format}`,
          "-cf",
          `${folder}/x.tar`,
          what!,
        ], cwd!);
        if (made === undefined) return;
        assertTrue(made.ok, made.output);
        const tar = await Deno.readFile(`${folder}/x.tar`);
        const entries = await indexTar(byteSource(tar), never);
        assertEquals(
          entries.map(({ path }) => path).toSorted(),
          [...sample.files.keys()].toSorted(),
          `${format} ${what}`,
        );
        for (const { path, offset, bytes } of entries) {
          assertEquals(
            tar.slice(offset, offset + bytes),
            sample.files.get(path),
          );
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("takes long names from a prefix, GNU's and pax headers, and no times from the latter", async () => {
  const content = utf8("x");
  const long = "a/".repeat(60) + "b";
  const entries = await index(
    entry({ name: "b", prefix: "a", content }),
    entry({ name: "././@LongLink", type: "L", content: utf8(long + "\0") }),
    entry({ name: "cut", content }),
    pax({
      path: long + "c",
      mtime: "1.5",
      uid: "0",
      "SCHILY.xattr.user.x": "a=b",
    }),
    entry({ name: "cut", content }),
    entry({ name: "./d/", type: "5" }),
    entry({ name: "v7", type: "\0", content }),
    new Uint8Array(9_216),
  );
  assertEquals(entries.map(({ path }) => path), [
    "a/b",
    long,
    long + "c",
    "v7",
  ]);
});

Deno.test("refuses links, devices and everything else that is no plain file or folder", async () => {
  for (
    const type of [
      "1",
      "2",
      "3",
      "4",
      "6",
      "7",
      "S",
      "K",
      "D",
      "M",
      "N",
      "V",
      "X",
    ]
  ) {
    await refuses(
      new RegExp(
        `entry "evil": of type "${type}", allowed are plain files and folders`,
      ),
      entry({ name: "evil", type }),
    );
  }
  await refuses(
    /entry "d\/": a folder with contents/,
    entry({ name: "d/", type: "5", content: utf8("x") }),
  );
});

Deno.test("refuses paths that lead out of the tessera, in a name or an extension", async () => {
  for (
    const path of ["../a", "a/../../b", "/etc/passwd", "a//b", "a/.", ".", ".."]
  ) {
    const shown = path.replaceAll(".", "\\.");
    const message = new RegExp(`entry "${shown}": the path leads out`);
    await refuses(message, entry({ name: path }));
    await refuses(message, pax({ path }), entry({ name: "a" }));
  }
  await refuses(/the path leads out/, entry({ name: "" }));
  await refuses(
    /a path over 1024 bytes/,
    pax({ path: "a".repeat(1_025) }),
    entry({ name: "a" }),
  );
});

Deno.test("refuses paths with characters that deceive, and shows them spelled out", async () => {
  for (
    const [path, shown] of [
      ["a\\b", "a\\\\b"],
      ["a\nb", "a\\nb"],
      ["\x7f", "\\u{7f}"],
      ["a\u202eb", "a\\u{202e}b"],
    ] as const
  ) {
    await assertRejectsCode(index(entry({ name: path })), "malformed");
    const seen = await index(entry({ name: path }))
      .catch((error) => error.message);
    assertEquals(
      seen,
      `Cannot read tar: entry "${shown}": the path has a character it may not have`,
    );
  }
});

Deno.test("refuses the same path twice, also in another spelling", async () => {
  await refuses(
    /entry "a\/b": stands twice/,
    entry({ name: "a/b" }),
    entry({ name: "./a/b" }),
  );
});

Deno.test("refuses extension headers that would change what an entry is", async () => {
  await refuses(
    /a pax header with "size=5/,
    pax({ size: "5" }),
    entry({ name: "a" }),
  );
  await refuses(
    /a pax header with "linkpath=/,
    pax({ linkpath: "x" }),
    entry({ name: "a" }),
  );
  await refuses(
    /a pax header with "GNU.sparse/,
    pax({ "GNU.sparse.major": "1" }),
    entry({ name: "a" }),
  );
  for (
    const content of [
      "5 a=b\n",
      "99 a=b\n",
      "x",
      "0 \n",
      "7 a=b\n",
      "9999999 a=b\n",
    ]
  ) {
    await refuses(
      /a pax header/,
      entry({ name: "p", type: "x", content: utf8(content) }),
      entry({ name: "a" }),
    );
  }
  await refuses(/last extension header has no entry/, pax({ path: "a" }));
  await refuses(
    /an extension header of 65537 bytes/,
    entry({ name: "p", type: "x", content: new Uint8Array(65_537) }),
  );
});

Deno.test("refuses sizes that lie: negative, in another base, beyond the tar or a tessera", async () => {
  await refuses(/no plain size/, entry({ name: "a", size: "-0000000001" }));
  await refuses(/no plain size/, entry({ name: "a", size: "\x7f\x7f" }));
  await refuses(
    /entry "a": the tar ends before its contents do/,
    entry({ name: "a", size: "77777777777" }),
  );
  const huge = byteSource(entry({ name: "a", size: "07346545001" }));
  await assertRejectsCode(
    indexTar({ ...huge, bytes: 2e9 }, never),
    "malformed",
    /entry "a": more than 1000000000 bytes/,
  );
});

Deno.test("refuses a tar cut off anywhere, without its end, or with another behind it", async () => {
  const pack = await packOf(sample);
  for (let bytes = 0; bytes < pack.length; bytes += 509) {
    await assertRejectsCode(
      indexTar(byteSource(pack.subarray(0, bytes)), never),
      "malformed",
      /^Cannot read tar: /,
    );
  }
  await assertRejectsCode(
    indexTar(byteSource(pack.subarray(0, pack.length - 512)), never),
    "malformed",
    /its end is cut off/,
  );
  await refuses(
    /bytes that are not zero after its end/,
    entry({ name: "a" }),
    END,
    entry({ name: "b" }),
  );
  await refuses(
    /bytes after its end, allowed are/,
    new Uint8Array(1024 * 1024),
  );
});

Deno.test("any header byte changed is refused, or leaves a tar that is another", async () => {
  const pack = await packOf(sample);
  const entries = await indexTar(byteSource(pack), never);
  const headers = entries.map(({ offset }) => offset - TAR_BLOCK_BYTES);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...headers),
      fc.nat({ max: TAR_BLOCK_BYTES - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (header, at, flip) => {
        const bad = pack.slice();
        bad[header + at]! ^= flip;
        try {
          await indexTar(byteSource(bad), never);
          // What the sum does not cover is how the sum itself is written.
          assertTrue(at >= 148 && at < 156, `byte ${at} of a header`);
        } catch (error) {
          assertTrue(error instanceof TesserasError, String(error));
          assertEquals(codeOf(error), "malformed", error.message);
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("noise is refused, and an aborted walk stops", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
      async (noise) => {
        if (noise.every((byte) => byte === 0)) return;
        await refuses(/^Cannot read tar: /, noise);
      },
    ),
    { numRuns: 50 },
  );
  await assertRejectsCode(
    indexTar(byteSource(await packOf(sample)), AbortSignal.abort()),
    "cancelled",
  );
});
