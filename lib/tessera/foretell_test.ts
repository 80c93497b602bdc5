import { concat, utf8 } from "@tesseras/core";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import {
  byteSource,
  never,
  packOf,
  sampleTessera,
} from "@tesseras/testing/tessera";
import { checkHeader, foretellPack } from "./foretell.ts";
import { printTarHeader, TAR_BLOCK_BYTES } from "./tar_header.ts";
import { indexTar } from "./unpack.ts";

const pack = await packOf(sampleTessera());

Deno.test("a MANIFEST foretells every entry of its pack, where it really lies", async () => {
  const source = byteSource(pack);
  const foretold = await foretellPack(source, never);
  assertEquals(foretold, await indexTar(source, never));
  for (const entry of foretold) await checkHeader(source, entry, never);
});

Deno.test("a pack is foretold from its first bytes: the rest is not asked for", async () => {
  const source = byteSource(pack);
  let end = 0;
  await foretellPack({
    bytes: source.bytes,
    read: (offset, into, signal) => {
      end = Math.max(end, offset + into.length);
      return source.read(offset, into, signal);
    },
  }, never);
  const [manifest] = await indexTar(source, never);
  assertEquals(end, manifest!.offset + manifest!.bytes);
});

Deno.test("what is no pack of that MANIFEST is refused: of another size, in another order, cut short", async () => {
  const longer = concat([pack, new Uint8Array(TAR_BLOCK_BYTES)]);
  await assertRejectsCode(
    foretellPack(byteSource(longer), never),
    "malformed",
    /^Cannot read pack: its MANIFEST is that of a pack of \d+ bytes/,
  );
  const moved = concat([
    printTarHeader("README.decode", 0),
    pack.subarray(0, pack.length - TAR_BLOCK_BYTES),
  ]);
  await assertRejectsCode(
    foretellPack(byteSource(moved), never),
    "malformed",
    /does not begin with a MANIFEST$/,
  );
  for (const bytes of [0, 100, TAR_BLOCK_BYTES, TAR_BLOCK_BYTES + 50]) {
    const part = byteSource(pack.subarray(0, bytes));
    await assertRejectsCode(foretellPack(part, never), "malformed");
  }
  const boast = concat([
    printTarHeader("MANIFEST", 2 ** 32),
    pack.subarray(TAR_BLOCK_BYTES),
  ]);
  await assertRejectsCode(foretellPack(byteSource(boast), never), "malformed");
});

Deno.test("a header that says otherwise is noticed before its file is read", async () => {
  const [, , entry] = await foretellPack(byteSource(pack), never);
  const other = pack.slice();
  other.set(utf8("X"), entry!.offset - TAR_BLOCK_BYTES);
  await assertRejectsCode(
    checkHeader(byteSource(other), entry!, never),
    "malformed",
    /there is no header of/,
  );
});
