/** BLAKE3 beside what else there is: `deno run -A lib/crypto/blake3_bench.ts`. */
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { type Figure, rateOf, report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { KIB, MIB } from "@tesseras/core/limits";
import { createBLAKE3 } from "hash-wasm";
import { Blake3, blake3 } from "./blake3.ts";
import { sha256 } from "./sha256.ts";

const MEGABYTE = 1_000_000;
const STREAM_BYTES = 8 * MIB;
const noise = new SeededRandom(1).bytes(MIB);
const hashWasm = await createBLAKE3();

/** A record, a small message, a batch, a file's window. */
const WHOLE = [[40, "40 B"], [4 * KIB, "4 KiB"], [64 * KIB, "64 KiB"], [
  MIB,
  "1 MiB",
]] as const;

for (const [size, name] of WHOLE) {
  const bytes = noise.subarray(0, size);
  const ours: Figure = {
    name: `blake3, ${name}`,
    value: rateOf(() => blake3(bytes), size / MEGABYTE),
  };
  const references: readonly Figure[] = [
    {
      name: "hash-wasm",
      value: rateOf(
        () => hashWasm.init().update(bytes).digest("binary"),
        size / MEGABYTE,
      ),
    },
    {
      name: "@noble/hashes",
      value: rateOf(() => nobleBlake3(bytes), size / MEGABYTE),
    },
    {
      name: "SHA-256 of node:crypto",
      value: rateOf(() => sha256(bytes), size / MEGABYTE),
    },
  ];
  for (const reference of references) report(ours, "MB/s", reference);
}

for (const [size, name] of [[64 * KIB, "64 KiB"], [MIB, "1 MiB"]] as const) {
  const piece = noise.subarray(0, size);
  const stream = (hasher: { update(bytes: Uint8Array): unknown }) => {
    for (let at = 0; at < STREAM_BYTES; at += size) hasher.update(piece);
  };
  const ours = () => {
    const hasher = new Blake3();
    stream(hasher);
    return hasher.digest();
  };
  const theirs = () => {
    stream(hashWasm.init());
    return hashWasm.digest("binary");
  };
  report(
    {
      name: `Blake3 streamed in pieces of ${name}`,
      value: rateOf(ours, STREAM_BYTES / MEGABYTE),
    },
    "MB/s",
    { name: "hash-wasm", value: rateOf(theirs, STREAM_BYTES / MEGABYTE) },
  );
}
