/**
 * Hash trees and proofs: `deno run -A lib/crypto/blake3_range_bench.ts`. What a holder pays to prove one group of a
 * fragment, what a verifier pays, and what the tree costs beside hashing alone.
 */
import { rateOf, report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { KIB, MIB } from "@tesseras/core/limits";
import { createBLAKE3 } from "hash-wasm";
import { blake3 } from "./blake3.ts";
import { HashTreeBuilder, VerifiedRange } from "./blake3_range.ts";

const MEGABYTE = 1_000_000;
/** A fragment of the largest pack is 22 MB. */
const content = new SeededRandom(1).bytes(22 * MIB);
const hashWasm = await createBLAKE3();
const ours = { name: "blake3", value: rate(() => blake3(content)) };
const theirs = {
  name: "hash-wasm",
  value: rate(() => hashWasm.init().update(content).digest("binary")),
};

for (const kib of [1, 4, 16, 64]) {
  const groupBytes = kib * KIB;
  const shape = { totalBytes: content.length, groupBytes };
  const built = rate(() => new HashTreeBuilder(shape).update(content).finish());
  for (const reference of [ours, theirs]) {
    const name = `hash tree of 22 MiB, groups of ${kib} KiB`;
    report({ name, value: built }, "MB/s", reference);
  }
  const tree = new HashTreeBuilder(shape).update(content).finish();
  const range = { offset: 9 * MIB + 12_345, bytes: 1 };
  const proof = tree.prove(range);
  const claim = { hash: tree.hash, shape, range, proof };
  const { offset, bytes } = new VerifiedRange(claim).range;
  const group = content.slice(offset, offset + bytes);
  report(
    {
      name: `one group of ${kib} KiB: proof`,
      value: proof.length,
    },
    "bytes",
    { name: "bytes of the group", value: bytes },
  );
  const plainMs = 1_000 / rateOf(() => blake3(group), 1);
  const provenMs = 1_000 / rateOf(() => tree.prove(range), 1);
  const verifiedMs = 1_000 /
    rateOf(() => new VerifiedRange(claim).check(offset, group), 1);
  const reference = { name: "hashing the group", value: plainMs };
  report(
    { name: `one group of ${kib} KiB: prove`, value: provenMs },
    "ms",
    reference,
  );
  report(
    { name: `one group of ${kib} KiB: verify`, value: verifiedMs },
    "ms",
    reference,
  );
}

function rate(work: () => unknown): number {
  return rateOf(work, content.length / MEGABYTE);
}
