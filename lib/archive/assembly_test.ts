import { assert, equal, SeededRandom, shuffled } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { blake3 } from "@tesseras/crypto";
import { type Plan, signPlan } from "@tesseras/tessera";
import {
  created,
  FaultyBlobs,
  keys,
  never,
  noise,
  otherKeys,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Assembly } from "./assembly.ts";

/** A published tessera: its plan and all fragments. */
async function published(
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<{ readonly plan: Plan; readonly fragments: Uint8Array[] }> {
  const one = world();
  const { id } = await created(one, files);
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  const fragments: Uint8Array[] = [];
  for (const index of plan.fragments.keys()) {
    const opened = await one.archive.openFragment(plan, index, never);
    assert(opened, "every fragment is there");
    await using reader = opened;
    const bytes = new Uint8Array(reader.bytes);
    for (let at = 0; at < bytes.length;) {
      at += await reader.read(at, bytes.subarray(at), never);
    }
    fragments.push(bytes);
  }
  return { plan, fragments };
}

const big = await published({ "big.wav": noise(5 * MIB, 21), "a.txt": "text" });
const small = await published(SUNDAY);

async function receive(
  assembly: Assembly,
  index: number,
  bytes: Uint8Array,
): Promise<void> {
  await using sink = await assembly.begin(index, never);
  for (let at = 0; at < bytes.length; at += 65_536) {
    await sink.write(bytes.subarray(at, at + 65_536), never);
  }
  await sink.finish(never);
}

Deno.test("any 16 of 24 fragments give the tessera, whichever they are and in whatever order", async () => {
  const random = new SeededRandom(5);
  const indices = [...big.plan.fragments.keys()];
  const choices = [
    indices.slice(0, 16),
    indices.slice(8),
    ...Array.from({ length: 4 }, () => shuffled(indices, random).slice(0, 16)),
  ];
  for (const choice of choices) {
    const { archive, blobs } = world();
    await using assembly = await Assembly.open(blobs, big.plan, never);
    await Promise.all(
      choice.map((index) => receive(assembly, index, big.fragments[index]!)),
    );
    assertEquals(assembly.haveCount, 16);
    assertTrue(assembly.complete);
    const pack = await assembly.finish(never);
    const { id } = await archive.importPack(pack, big.plan, never);
    assertEquals(id, big.plan.tesseraId);
    assertTrue((await archive.verify(id, () => {}, never)).passed);
  }
});

Deno.test("a tessera is imported while its fragments arrive, in whatever order, and as soon as they are there", async () => {
  const random = new SeededRandom(7);
  const { plan, fragments } = big;
  for (const count of [16, 12]) {
    const { archive, blobs } = world();
    await using assembly = await Assembly.open(blobs, plan, never);
    let isDone = false;
    const importing = archive.importArriving(assembly.growing(), plan, never)
      .then((report) => {
        isDone = true;
        return report;
      });
    const data = shuffled([...fragments.keys()].slice(0, 16), random);
    const parity = [...fragments.keys()].slice(16, 32 - count);
    for (const index of [...data.slice(0, count), ...parity]) {
      assertTrue(!isDone);
      assertEquals(await archive.list(never), []);
      await receive(assembly, index, fragments[index]!);
    }
    await assembly.finish(never);
    assertEquals((await importing).id, plan.tesseraId);
    assertTrue((await archive.verify(plan.tesseraId, () => {}, never)).passed);
  }
});

Deno.test("an import of what never arrives ends with its signal and leaves nothing", async () => {
  const { archive, blobs } = world();
  const stop = new AbortController();
  {
    await using assembly = await Assembly.open(blobs, big.plan, never);
    await receive(assembly, 0, big.fragments[0]!);
    const importing = archive.importArriving(
      assembly.growing(),
      big.plan,
      stop.signal,
    );
    stop.abort();
    await assertRejectsCode(importing, "cancelled");
  }
  assertEquals(await Array.fromAsync(blobs.list(never)), []);
});

Deno.test("any one copy gives a small tessera", async () => {
  for (const index of [0, 3, 6]) {
    const { archive, blobs } = world();
    await using assembly = await Assembly.open(blobs, small.plan, never);
    await receive(assembly, index, small.fragments[index]!);
    const pack = await assembly.finish(never);
    const { id } = await archive.importPack(pack, small.plan, never);
    assertEquals(id, small.plan.tesseraId);
  }
});

Deno.test("a fragment that is not the plan's is refused, and its place is free for the right one", async () => {
  const { blobs } = world();
  await using assembly = await Assembly.open(blobs, big.plan, never);
  const right = big.fragments[2]!;
  const flipped = right.slice();
  flipped[100]! ^= 1;
  await assertRejectsCode(
    receive(assembly, 2, flipped),
    "corrupt",
    /^Cannot use fragment 2: its hash is/,
  );
  await assertRejectsCode(
    receive(assembly, 2, big.fragments[3]!),
    "corrupt",
  );
  await assertRejectsCode(
    receive(assembly, 2, right.subarray(1)),
    "corrupt",
    /bytes came, wanted/,
  );
  await assertRejectsCode(
    receive(assembly, 2, new Uint8Array(right.length + 1)),
    "corrupt",
    /more than its \d+ bytes came$/,
  );
  assertEquals(assembly.haveCount, 0);
  await receive(assembly, 2, right);
  assertTrue(assembly.has(2));
});

Deno.test("a fragment is taken once, and only one the plan has", async () => {
  const { blobs } = world();
  await using assembly = await Assembly.open(blobs, big.plan, never);
  await assertRejectsCode(assembly.begin(24, never), "unusable");
  await assertRejectsCode(assembly.begin(-1, never), "unusable");
  {
    await using _sink = await assembly.begin(1, never);
    await assertRejectsCode(assembly.begin(1, never), "inUse");
  }
  await receive(assembly, 1, big.fragments[1]!);
  await assertRejectsCode(assembly.begin(1, never), "inUse");
});

Deno.test("too few fragments give nothing, and say how many are missing", async () => {
  const { blobs } = world();
  await using assembly = await Assembly.open(blobs, big.plan, never);
  for (const index of [4, 5, 20]) {
    await receive(assembly, index, big.fragments[index]!);
  }
  await assertRejectsCode(
    assembly.finish(never),
    "tooFew",
    /^Cannot rebuild: have 3 of 16 fragments$/,
  );
});

Deno.test("a plan that lies about a fragment it lost is found out when that is computed", async () => {
  const { blobs } = world();
  const swapped = [...big.plan.fragments];
  [swapped[0], swapped[1]] = [swapped[1]!, swapped[0]!];
  const plan = signPlan({ ...big.plan, fragments: swapped }, otherKeys);
  await using assembly = await Assembly.open(blobs, plan, never);
  for (let index = 8; index < 24; index++) {
    await receive(assembly, index, big.fragments[index]!);
  }
  await assertRejectsCode(
    assembly.finish(never),
    "corrupt",
    /^Cannot use fragment 0: its hash is/,
  );
  assertTrue(!assembly.has(0));
});

Deno.test("what is still arriving is not computed over it", async () => {
  const { blobs } = world();
  await using assembly = await Assembly.open(blobs, big.plan, never);
  for (let index = 8; index < 24; index++) {
    await receive(assembly, index, big.fragments[index]!);
  }
  await using sink = await assembly.begin(0, never);
  await sink.write(big.fragments[0]!.subarray(0, 10), never);
  await assertRejectsCode(assembly.finish(never), "inUse");
});

Deno.test("any fragment can be made again from any others", async () => {
  const { blobs } = world();
  await using assembly = await Assembly.open(blobs, big.plan, never);
  for (let index = 6; index < 22; index++) {
    await receive(assembly, index, big.fragments[index]!);
  }
  for (const index of [0, 5, 22, 23, 10]) {
    await using reader = await assembly.recreate(index, never);
    const bytes = new Uint8Array(reader.bytes);
    for (let at = 0; at < bytes.length;) {
      at += await reader.read(at, bytes.subarray(at), never);
    }
    assertTrue(equal(blake3(bytes), big.plan.fragments[index]!));
    assertEquals(await reader.read(bytes.length, new Uint8Array(1), never), 0);
  }
});

Deno.test("an assembly whose disk fails at any call leaks nothing", async () => {
  const blobs = new FaultyBlobs();
  for (let failAt = 1; failAt < 60; failAt += 3) {
    blobs.callCount = 0;
    blobs.failAt = failAt;
    const work = async (): Promise<void> => {
      await using assembly = await Assembly.open(blobs, big.plan, never);
      for (let index = 8; index < 24; index++) {
        await receive(assembly, index, big.fragments[index]!);
      }
      await assembly.finish(never);
    };
    await assertRejectsCode(work(), "diskFull");
    assertEquals(blobs.openCount, 0, `call ${failAt} leaks`);
  }
});
