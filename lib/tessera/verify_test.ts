import { concat, utf8 } from "@tesseras/core";
import {
  Blake3,
  creatorKeysFromSeed,
  nobleMlDsa,
  Sha256,
} from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  folderOf,
  never,
  sampleFiles,
  sampleInput,
  sampleKeys,
  sampleTessera,
  sourceOf,
} from "@tesseras/testing/tessera";
import { composeTessera } from "./compose.ts";
import { kindOf } from "./kinds.ts";
import type { TesseraSource } from "./head.ts";
import { type FileReport, type VerifyReport, verifyTessera } from "./verify.ts";

const SUNDAY = `${folderOf(sampleFiles.get("notes/copy.txt")!)}/media.txt`;
const OTHER = sampleTessera(
  sampleInput({ title: "Other" }),
  creatorKeysFromSeed(new Uint8Array(32).fill(2)),
);

/** Verifies the sample after some of its files were changed. */
function verifyChanged(
  change: (files: Map<string, Uint8Array>) => void,
): Promise<VerifyReport> {
  const { files } = sampleTessera();
  change(files);
  return verifyTessera(sourceOf(files), { suite: nobleMlDsa }, never);
}

function bad(report: VerifyReport): readonly FileReport[] {
  return report.files.filter(({ status }) => status !== "ok");
}

Deno.test("passes an untouched tessera and judges every file of it, with either suite", async () => {
  const { composed, files } = sampleTessera();
  for (const suite of [nobleMlDsa, await nativeMlDsa()]) {
    const seen: FileReport[] = [];
    const report = await verifyTessera(sourceOf(files), {
      suite,
      expectedId: composed.id,
      onFile: (file) => seen.push(file),
    }, never);
    assertEquals(report.problems, []);
    assertTrue(report.passed);
    assertEquals(report.id, composed.id);
    assertEquals(report.signatures, { ed25519: true, mlDsa: true });
    assertEquals(report.checksums, { b3: true, sha256: true });
    assertEquals(
      seen.map(({ path }) => path),
      composed.manifest.files.map(({ path }) => path),
    );
    assertTrue(seen.every(({ status }) => status === "ok"));
  }
});

Deno.test("a byte flipped in any file fails that file and no other", async () => {
  const { composed } = sampleTessera();
  for (const { path } of composed.manifest.files) {
    if (path.startsWith("decode/")) continue;
    const report = await verifyChanged((files) => {
      files.get(path)![files.get(path)!.length >> 1]! ^= 4;
    });
    assertEquals(bad(report).map((file) => file.path), [path]);
    assertTrue(
      /^BLAKE3 is [0-9a-f]{64}, wanted [0-9a-f]{64}$/.test(
        bad(report)[0]!.detail!,
      ),
    );
    assertTrue(!report.passed);
    assertEquals(report.checksums, { b3: true, sha256: true }, path);
  }
});

Deno.test("says of a file that it is missing, too short or too long", async () => {
  const report = await verifyChanged((files) => {
    files.delete(SUNDAY);
    files.set("README.decode", files.get("README.decode")!.subarray(1));
    files.set(
      "schema/v1.json",
      concat([files.get("schema/v1.json")!, new Uint8Array(9)]),
    );
  });
  assertTrue(!report.passed);
  assertEquals(bad(report).map(({ path, status }) => [path, status]), [
    ["README.decode", "failed"],
    [SUNDAY, "missing"],
    ["schema/v1.json", "failed"],
  ]);
  assertTrue(/^\d+ bytes, wanted \d+$/.test(bad(report)[0]!.detail!));
});

Deno.test("reads no more of a file than it should have", async () => {
  const { files } = sampleTessera();
  const source = sourceOf(files);
  const endless: TesseraSource = {
    ...source,
    async *read(path, signal) {
      if (path !== SUNDAY) return yield* source.read(path, signal);
      for (let i = 0; i < 1_000; i++) {
        yield await Promise.resolve(new Uint8Array(100));
      }
      throw new Error("read on and on");
    },
  };
  const report = await verifyTessera(endless, { suite: nobleMlDsa }, never);
  assertEquals(bad(report).map(({ path }) => path), [SUNDAY]);
});

Deno.test("a file swapped in from another tessera fails, the signed ones as signatures", async () => {
  const manifestOfOther = await verifyChanged((files) =>
    files.set("MANIFEST", OTHER.files.get("MANIFEST")!)
  );
  assertEquals(manifestOfOther.signatures, { ed25519: false, mlDsa: false });
  assertTrue(!manifestOfOther.passed);
  for (const scheme of ["ed25519", "ml-dsa-65"]) {
    const path = `identity/signature.${scheme}.sig`;
    const report = await verifyChanged((files) =>
      files.set(path, OTHER.files.get(path)!)
    );
    assertTrue(!report.passed);
    assertTrue(report.problems.includes(`${path} does not sign this MANIFEST`));
    const key = `identity/creator.pub.${scheme}`;
    const swapped = await verifyChanged((files) =>
      files.set(key, OTHER.files.get(key)!)
    );
    assertEquals(bad(swapped).map((file) => file.path), [key]);
    assertTrue(
      swapped.problems.includes(
        "The keys in identity/ are not those that MANIFEST names",
      ),
    );
  }
});

Deno.test("one signature alone is not enough", async () => {
  for (
    const [scheme, wanted] of [
      ["ed25519", { ed25519: false, mlDsa: true }],
      ["ml-dsa-65", { ed25519: true, mlDsa: false }],
    ] as const
  ) {
    for (
      const change of [
        (b: Uint8Array) => b.subarray(1),
        () => new Uint8Array(),
        flipped,
      ]
    ) {
      const path = `identity/signature.${scheme}.sig`;
      const report = await verifyChanged((files) =>
        files.set(path, change(files.get(path)!))
      );
      assertEquals(report.signatures, wanted);
      assertTrue(!report.passed);
    }
    const gone = await verifyChanged((files) =>
      files.delete(`identity/signature.${scheme}.sig`)
    );
    assertEquals(gone.signatures, wanted);
    assertTrue(!gone.passed);
  }
});

Deno.test("names a key file that is none", async () => {
  const report = await verifyChanged((files) =>
    files.set("identity/creator.pub.ed25519", utf8("no key"))
  );
  assertEquals(report.signatures, { ed25519: false, mlDsa: false });
  assertTrue(
    report.problems.some((text) => /no PEM of an Ed25519 key/.test(text)),
  );
});

Deno.test("notices checksum lists that say something else, or are not there", async () => {
  for (const path of ["CHECKSUMS.b3", "CHECKSUMS.sha256"]) {
    const report = await verifyChanged((files) =>
      files.set(path, flipped(files.get(path)!))
    );
    assertEquals(report.problems, [`${path} is not the list of this tessera`]);
    assertTrue(!report.passed);
    const gone = await verifyChanged((files) => files.delete(path));
    assertTrue(!gone.passed);
  }
});

Deno.test("what others dropped beside the tessera is reported; what they slipped into it does not pass", async () => {
  const beside = await verifyChanged((files) =>
    files.set(".DS_Store", utf8("x"))
  );
  assertEquals(bad(beside).map(({ path, status }) => [path, status]), [[
    ".DS_Store",
    "unexpected",
  ]]);
  assertTrue(beside.passed);
  for (
    const path of [
      "memories/more/media.txt",
      "identity/extra",
      "decode/lies.txt",
      "schema/v2.json",
    ]
  ) {
    const inside = await verifyChanged((files) => files.set(path, utf8("x")));
    assertEquals(bad(inside).map((file) => file.path), [path]);
    assertTrue(!inside.passed);
  }
});

Deno.test("is not satisfied with a good tessera that is another than expected", async () => {
  const { composed } = sampleTessera();
  const report = await verifyTessera(sourceOf(OTHER.files), {
    suite: nobleMlDsa,
    expectedId: composed.id,
  }, never);
  assertTrue(!report.passed);
  assertTrue(
    /^This is tessera [0-9a-f]{64}, wanted [0-9a-f]{64}$/.test(
      report.problems[0]!,
    ),
  );
});

Deno.test("says why nothing can be verified without a readable MANIFEST", async () => {
  await assertRejectsCode(
    verifyChanged((files) => files.delete("MANIFEST")),
    "missing",
    /there is no MANIFEST in it/,
  );
  await assertRejectsCode(
    verifyChanged((files) => files.set("MANIFEST", utf8("x"))),
    "malformed",
    /Cannot read MANIFEST/,
  );
  await assertRejectsCode(
    verifyChanged((files) =>
      files.set("MANIFEST", new Uint8Array(17 * 1024 * 1024))
    ),
    "malformed",
    /Cannot read MANIFEST: more than 16777216 bytes/,
  );
  const { files } = sampleTessera();
  await assertRejectsCode(
    verifyTessera(sourceOf(files), { suite: nobleMlDsa }, AbortSignal.abort()),
    "cancelled",
  );
});

Deno.test("holds no more of a large memory than one piece", async () => {
  // 128 MiB that exist only a piece at a time; the test would need them all if verifying did.
  const piece = new Uint8Array(1024 * 1024).fill(7);
  const count = 128;
  const { blake3Of, sha256Of } = hashesOf(piece, count);
  const memory = {
    name: "long.wav",
    kind: kindOf("long.wav")!,
    bytes: piece.length * count,
    blake3: blake3Of,
    sha256: sha256Of,
  };
  const composed = composeTessera(
    sampleInput({ memories: [memory] }),
    sampleKeys,
  );
  const files = new Map(
    composed.entries.map((
      { path, content },
    ) => [path, content ?? new Uint8Array()]),
  );
  const source = sourceOf(files);
  const large: TesseraSource = {
    list: () =>
      Promise.resolve(
        composed.entries.map(({ path, bytes }) => ({ path, bytes })),
      ),
    async *read(path, signal) {
      if (!path.endsWith("media.wav")) return yield* source.read(path, signal);
      for (let i = 0; i < count; i++) yield await Promise.resolve(piece);
    },
  };
  const before = Deno.memoryUsage().rss;
  const report = await verifyTessera(large, { suite: nobleMlDsa }, never);
  assertTrue(report.passed, report.problems.join());
  const grown = Deno.memoryUsage().rss - before;
  assertTrue(grown < 64 * 1024 * 1024, `${grown} bytes more`);
});

function hashesOf(piece: Uint8Array, count: number) {
  const b3 = new Blake3();
  const sha = new Sha256();
  for (let i = 0; i < count; i++) {
    b3.update(piece);
    sha.update(piece);
  }
  return { blake3Of: b3.digest(), sha256Of: sha.digest() };
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[0]! ^= 1;
  return copy;
}
