/** Verifying and reading manifests on one core: `deno run -A lib/tessera/verify_bench.ts`. Each line names its reference, measured in the same run. */
import { rateOf, report } from "@tesseras/bench";
import { utf8 } from "@tesseras/core";
import { Blake3, blake3, nobleMlDsa, Sha256 } from "@tesseras/crypto";
import {
  never,
  sampleInput,
  sampleKeys,
  sourceOf,
} from "@tesseras/testing/tessera";
import { composeTessera } from "./compose.ts";
import type { TesseraSource } from "./head.ts";
import { kindOf } from "./kinds.ts";
import { type Manifest, parseManifest, printManifest } from "./manifest.ts";
import { verifyTessera } from "./verify.ts";

const MIB = 1024 * 1024;
const PIECE = new Uint8Array(MIB).fill(7);
const PIECES = 256;

async function benchVerify(): Promise<void> {
  const start = performance.now();
  const b3 = new Blake3();
  const sha = new Sha256();
  for (let i = 0; i < PIECES; i++) {
    b3.update(PIECE);
    sha.update(PIECE);
  }
  const digests = { blake3: b3.digest(), sha256: sha.digest() };
  const bare = PIECES * PIECE.length / 1e3 / (performance.now() - start);
  const kind = kindOf("long.wav")!;
  const bytes = PIECES * PIECE.length;
  const memory = { name: "long.wav", kind, bytes, ...digests };
  const composed = composeTessera(
    sampleInput({ memories: [memory] }),
    sampleKeys,
  );
  const small = sourceOf(
    new Map(composed.entries.map(({ path, content }) => [path, content!])),
  );
  const source: TesseraSource = {
    list: () => Promise.resolve(composed.entries),
    async *read(path, signal) {
      if (!path.endsWith(".wav")) return yield* small.read(path, signal);
      for (let i = 0; i < PIECES; i++) yield await Promise.resolve(PIECE);
    },
  };
  const began = performance.now();
  await verifyTessera(source, { suite: nobleMlDsa }, never);
  const seen = bytes / 1e3 / (performance.now() - began);
  report(
    { name: "verify a tessera of 256 MiB", value: seen },
    "MB/s",
    { name: "BLAKE3 and SHA-256 of the same bytes", value: bare },
  );
}

function benchManifest(): void {
  const { manifest } = composeTessera(sampleInput(), sampleKeys);
  const many: Manifest = {
    ...manifest,
    files: [
      ...manifest.files,
      ...Array.from({ length: 40_000 }, (_, i) => ({
        path: `more/${String(i).padStart(6, "0")}/media.jpg`,
        bytes: 100,
        mime: "image/jpeg",
        blake3: blake3(utf8(String(i))),
      })),
    ].toSorted((a, b) => a.path < b.path ? -1 : 1),
  };
  const bytes = printManifest(many);
  const json = utf8(JSON.stringify(many.files));
  const lines = many.files.length;
  report(
    {
      name: "parse a manifest of 40,000 files",
      value: rateOf(() => parseManifest(bytes), lines),
    },
    "files/s",
    {
      name: "JSON.parse of the same list, unchecked",
      value: rateOf(() => JSON.parse(new TextDecoder().decode(json)), lines),
    },
  );
}

await benchVerify();
benchManifest();
