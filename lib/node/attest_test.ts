import { assertEquals, assertTrue } from "@tesseras/testing";
import { codeOf, hash, orAbort, TesserasError } from "@tesseras/core";
import type { NodeSigner } from "@tesseras/crypto";
import type { Handler } from "@tesseras/net";
import { never, World } from "@tesseras/testing/sim";
import { type ProviderRecordFields, signProviderRecord } from "@tesseras/wire";
import { attest, type Attestation } from "./attest.ts";
import { give, sampleOf } from "./audit_for_tests.ts";

const HOUR_MS = 3_600_000;
const { plan } = sampleOf(1_000);

Deno.test("a holder names what it keeps, leaves out what it lost, and says when nothing is left", async () => {
  const world = new World(1);
  await using _world = world;
  const holder = await world.add(["store"]);
  const { node } = await world.add([]);
  const record = holder.node.record();
  const ask = (from = node) => world.run(attest(from, record, plan, never));
  assertEquals(await ask(), { answer: "lost" });
  for (const index of [1, 4]) {
    await world.run(give(node, record, { ...sampleOf(1_000), index }));
  }
  for (const from of [node, holder.node]) {
    const said = await ask(from);
    assertEquals(said.answer === "keeps" && said.indices, [1, 4]);
  }
  await holder.state.removeFragment(plan.hash, 4, never);
  const less = await ask();
  assertEquals(less.answer === "keeps" && less.indices, [1]);
  // The bytes are gone behind its back: looked at before it signs.
  await holder.blobs.remove(plan.fragments[0]!, never);
  assertEquals(await ask(), { answer: "lost" });
  assertEquals(holder.runtime.counters.get("fragment.absent"), 1);
  assertEquals(await ask(holder.node), { answer: "lost" });
});

/** What becomes of the word of a holder that signs for something else than it should. */
async function heard(
  change: Partial<ProviderRecordFields>,
  options: {
    readonly signer?: (world: World) => Promise<NodeSigner>;
    readonly newestMs?: number;
  } = {},
): Promise<Attestation> {
  const world = new World(2);
  await using _world = world;
  const rogue = await world.rogue((_from, request) => {
    if (request.type === "ping") {
      const observed = { ip: "11.0.0.1", port: 1 };
      const { bytes } = rogue.record;
      return Promise.resolve({
        response: { type: "pong", record: bytes, observed },
      });
    }
    const { bytes } = signProviderRecord(fields, by);
    return Promise.resolve({ response: { type: "kept", provider: bytes } });
  });
  const nowMs = world.clock.nowMs();
  const sequence = change.sequence === undefined
    ? nowMs
    : nowMs + change.sequence;
  const fields = {
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    indices: [0],
    expiresAtMs: sequence + 2 * HOUR_MS,
    ...change,
    sequence,
  };
  const by = await options.signer?.(world) ?? rogue.identity;
  const { node } = await world.add([]);
  const { newestMs } = options;
  const sequenceMin = newestMs === undefined ? undefined : nowMs + newestMs;
  const asked = { ...plan, sequenceMin };
  const said = await world.run(attest(node, rogue.record, asked, never));
  const misfits = node.runtime.counters.get("attest.misfit");
  assertEquals(misfits, said.answer === "keeps" ? 0 : 1);
  return said;
}

Deno.test("only a word of now, of this holder and on this plan counts; whoever gives another lives", async () => {
  const other = hash(new Uint8Array(32).fill(9));
  assertEquals((await heard({})).answer, "keeps");
  const younger = await heard({ sequence: -HOUR_MS / 2 }, {
    newestMs: -HOUR_MS / 2,
  });
  assertEquals(younger.answer, "keeps");
  const misfits: Promise<Attestation>[] = [
    heard({ planHash: other }),
    heard({ tesseraId: sampleOf(1, 2).plan.tesseraId }),
    heard({}, { signer: (world) => world.identity() }),
    // Old, run out, from the future, and older than what is known.
    heard({ sequence: -HOUR_MS - 60_000 }),
    heard({ sequence: -3 * HOUR_MS }),
    heard({ sequence: HOUR_MS }),
    heard({ sequence: -1_000 }, { newestMs: -500 }),
  ];
  for (const said of await Promise.all(misfits)) {
    assertEquals(said.answer, "present");
  }
});

/** How somebody is taken who answers so. */
async function taken(handler: Handler, crashes = false): Promise<Attestation> {
  const world = new World(3);
  await using _world = world;
  const { record } = await world.rogue(handler);
  const { node, address } = await world.add([]);
  if (crashes) world.network.partition([address], record.addresses);
  return await world.run(attest(node, record, plan, never));
}

Deno.test("who answers a ping but not this is present, and who answers nothing silent", async () => {
  const busy: Handler = () => {
    throw new TesserasError("overloaded", "Ask later");
  };
  assertEquals((await taken(busy)).answer, "silent");
  const hung: Handler = (_from, _request, _bulk, signal) =>
    orAbort(new Promise<never>(() => {}), signal);
  assertEquals((await taken(hung)).answer, "silent");
  const gone = await taken(busy, true);
  assertTrue(gone.answer === "silent" && gone.reason.length > 0);
  // A node that stores nothing does not know the question, and pongs.
  const world = new World(4);
  await using _world = world;
  const { node: other } = await world.add(["dht"]);
  const { node } = await world.add([]);
  const asked = attest(node, other.record(), plan, never);
  assertEquals((await world.run(asked)).answer, "present");
});

Deno.test("stopped at any moment, asking ends at once and leaves nothing behind", async () => {
  const world = new World(5);
  await using _world = world;
  const { node: holder } = await world.add(["store"]);
  const { node } = await world.add([]);
  await world.run(give(node, holder.record(), sampleOf(1_000)));
  const stop = new TesserasError("cancelled", "Stopped by the test");
  const ends = new Set<unknown>();
  for (let ms = 0; ms < 60; ms += 3) {
    const controller = new AbortController();
    const asked = attest(node, holder.record(), plan, controller.signal)
      .then(({ answer }) => answer, codeOf);
    world.clock.after(ms, () => controller.abort(stop));
    ends.add(await world.run(asked));
  }
  assertEquals([...ends], ["cancelled", "keeps"]);
  await world.clock.advance(1_000);
  for (const { busyCount } of node.peers.sessions()) assertEquals(busyCount, 0);
});
