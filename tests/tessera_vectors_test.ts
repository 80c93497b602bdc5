import { codeOf, fromHex, toHex, utf8 } from "@tesseras/core";
import { blake3, nobleMlDsa } from "@tesseras/crypto";
import {
  creatorOf,
  indexTar,
  parseManifest,
  printManifest,
  printTime,
  readPlan,
  readTombstone,
  verifyPlan,
  verifyTombstone,
} from "@tesseras/tessera";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { byteSource, never } from "@tesseras/testing/tessera";
import manifests from "@tesseras/vectors/manifests.json" with { type: "json" };
import plans from "@tesseras/vectors/plans.json" with { type: "json" };
import tars from "@tesseras/vectors/tars.json" with { type: "json" };
import tombstones from "@tesseras/vectors/tombstones.json" with {
  type: "json",
};
import {
  applySample,
  type InvalidSample,
  manifestVectors,
  planVectors,
  tarVectors,
  tombstoneVectors,
} from "./vectors/tessera_samples.ts";

/** Every invalid vector is refused with one of the codes; a failure names it. */
async function refusesAll(
  invalid: readonly InvalidSample[],
  valid: ReadonlyMap<string, Uint8Array>,
  read: (bytes: Uint8Array) => unknown,
): Promise<void> {
  assertTrue(invalid.length > 10);
  for (const sample of invalid) {
    const bytes = applySample(valid.get(sample.of)!, sample);
    const error = await Promise.resolve(bytes).then(read).then(
      () => undefined,
      (error: unknown) => error,
    );
    const code = codeOf(error);
    assertTrue(
      code === "malformed" || code === "forged",
      `${sample.name}: ${error}`,
    );
  }
}

Deno.test("manifest vectors read to their value and print to their bytes", async () => {
  for (const { name, text, id, value } of manifests.valid) {
    const manifest = parseManifest(utf8(text));
    assertEquals(printManifest(manifest), utf8(text), name);
    assertEquals(toHex(blake3(utf8(text))), id, name);
    assertEquals(manifest.title, value.title, name);
    assertEquals(printTime(manifest.createdAtMs), value.created, name);
    assertEquals(manifest.tags, value.tags, name);
    assertEquals(manifest.location ?? null, value.location, name);
    assertEquals(
      manifest.files.map(({ path, bytes }) => [path, bytes]),
      value.files,
    );
  }
  const valid = new Map(
    manifests.valid.map(({ name, text }) => [name, utf8(text)]),
  );
  await refusesAll(manifests.invalid, valid, parseManifest);
});

Deno.test("plan vectors read to their value and verify", async () => {
  const valid = new Map(
    plans.valid.map(({ name, hex }) => [name, fromHex(hex)]),
  );
  for (const { name, hash, value } of plans.valid) {
    const plan = readPlan(valid.get(name)!);
    await verifyPlan(plan, nobleMlDsa);
    assertEquals(toHex(plan.hash), hash, name);
    const { tesseraId, packBytes, shardBytes, dataCount, parityCount } = plan;
    assertEquals(
      {
        tesseraId: toHex(tesseraId),
        packBytes,
        shardBytes,
        dataCount,
        parityCount,
        fragments: plan.fragments.map(toHex),
      },
      value,
      name,
    );
  }
  await refusesAll(
    plans.invalid,
    valid,
    (bytes) => verifyPlan(readPlan(bytes), nobleMlDsa),
  );
});

Deno.test("tombstone vectors read to their value and verify against the plans of their signer", async () => {
  const valid = new Map(
    tombstones.valid.map(({ name, hex }) => [name, fromHex(hex)]),
  );
  const plan = readPlan(fromHex(plans.valid[0]!.hex));
  for (const { name, creator, value } of tombstones.valid) {
    const tombstone = readTombstone(valid.get(name)!);
    await verifyTombstone(tombstone, plan, nobleMlDsa);
    assertEquals(toHex(creatorOf(plan.publicKeys)), creator, name);
    assertEquals(
      {
        tesseraId: toHex(tombstone.tesseraId),
        createdAtMs: tombstone.createdAtMs,
      },
      value,
      name,
    );
  }
  await refusesAll(
    tombstones.invalid,
    valid,
    (bytes) => verifyTombstone(readTombstone(bytes), plan, nobleMlDsa),
  );
});

Deno.test("tar vectors index to their entries", async () => {
  const valid = new Map(
    tars.valid.map(({ name, hex }) => [name, fromHex(hex)]),
  );
  const index = (bytes: Uint8Array) => indexTar(byteSource(bytes), never);
  for (const { name, entries } of tars.valid) {
    assertEquals(
      (await index(valid.get(name)!))
        .map(({ path, offset, bytes }) => [path, offset, bytes]),
      entries,
      name,
    );
  }
  await refusesAll(tars.invalid, valid, index);
});

Deno.test("committed vectors are those the generator writes", async () => {
  const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));
  assertEquals(manifests, asJson(manifestVectors()));
  assertEquals(plans, asJson(planVectors()));
  assertEquals(tombstones, asJson(tombstoneVectors()));
  assertEquals(tars, asJson(await tarVectors()));
});
