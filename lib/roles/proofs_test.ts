import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { type Blobs, MemoryBlobs } from "@tesseras/blobs";
import {
  type Clock,
  codeOf,
  Counters,
  type ErrorCode,
  type Hash,
  SeededRandom,
  silentLog,
  tesseraId,
  TesserasError,
  VirtualClock,
} from "@tesseras/core";
import { KIB, MIB } from "@tesseras/core/limits";
import { blake3 } from "@tesseras/crypto";
import { bulkOf } from "@tesseras/net";
import { audit } from "@tesseras/node";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import {
  type AddOptions,
  creator,
  type Inhabitant,
  never,
  World,
} from "@tesseras/testing/sim";
import { ProofTrees } from "./proof_trees.ts";

/** A plan of whole copies of so many bytes. */
function sampleOf(bytes: number, seed = 1) {
  const content = new SeededRandom(seed).bytes(bytes);
  const draft = draftPlan({
    tesseraId: tesseraId(blake3(new Uint8Array([seed]))),
    packBytes: bytes,
    fragments: Array<Hash>(7).fill(blake3(content)),
  });
  return { content, plan: signPlan(draft, creator(seed)) };
}

type Sample = ReturnType<typeof sampleOf>;

/** Has a holder keep the first two copies of a sample. */
async function give(
  world: World,
  { node: from }: Inhabitant,
  { node: to }: Inhabitant,
  { plan, content }: Sample,
): Promise<void> {
  for (const index of [0, 1]) {
    await world.run(from.ask(
      to.record(),
      { type: "put_fragment", plan: plan.bytes, index, bulk: content.length },
      { bulk: bulkOf(content) },
      never,
    ));
  }
}

/** A holder of some samples, and somebody who audits it. */
async function pair(
  world: World,
  samples: readonly Sample[],
  options: AddOptions = {},
) {
  const holder = await world.add(["store"], options);
  const asker = await world.add([]);
  for (const sample of samples) await give(world, asker, holder, sample);
  const ask = async (plan: Plan, index: number): Promise<string> => {
    const record = holder.node.record();
    const asked = audit(asker.node, record, plan, index, never);
    const { outcome, detail } = await world.run(asked);
    return detail === "" ? outcome : `${outcome}: ${detail}`;
  };
  return { holder, asker, ask };
}

Deno.test("several audits of one fragment, and of whole copies of it, cost one pass", async () => {
  const world = new World(1);
  await using _world = world;
  const [sample, other] = [sampleOf(700 * KIB), sampleOf(100 * KIB, 2)];
  const { holder, ask } = await pair(world, [sample, other]);
  for (let time = 0; time < 4; time++) {
    assertEquals(await ask(sample.plan, 0), "passed");
  }
  const { counters } = holder.runtime;
  assertEquals(await ask(sample.plan, 1), "passed");
  assertEquals(counters.get("audit.passes"), 1);
  const record = holder.node.record();
  const asked = Array.from(
    { length: 8 },
    () => audit(holder.node, record, other.plan, 1, never),
  );
  const ends = await world.run(Promise.all(asked));
  assertTrue(ends.every(({ outcome }) => outcome === "passed"));
  assertEquals(counters.get("audit.passes"), 2);
});

Deno.test("bytes that rotted are found by whoever audits them, struck out, signed for no more, and can be kept anew", async () => {
  const world = new World(2);
  await using _world = world;
  const [sample, other] = [sampleOf(40 * KIB), sampleOf(40 * KIB, 2)];
  const { plan } = sample;
  const { holder, asker, ask } = await pair(world, [sample, other]);
  const { counters } = holder.runtime;
  for (const afterPass of [false, true]) {
    if (afterPass) assertEquals(await ask(plan, 0), "passed");
    holder.blobs.rot(plan.fragments[0]!, 39 * KIB);
    assertTrue(/^admitted: .*answered corrupt/.test(await ask(plan, 0)));
    const struck = counters.get("fragment.corrupt");
    assertEquals(struck, afterPass ? 3 : 1);
    assertEquals(await holder.state.fragment(plan.hash, 0, never), undefined);
    assertTrue(/^admitted: .*answered absent/.test(await ask(plan, 0)));
    // The other copy was the same bytes: nobody has asked for it since.
    assertTrue(/^admitted: .*answered corrupt/.test(await ask(plan, 1)));
    assertEquals(await ask(other.plan, 1), "passed");
    await give(world, asker, holder, sample);
    assertEquals(await ask(plan, 0), "passed");
  }
  await holder.blobs.remove(plan.fragments[0]!, never);
  assertTrue(/^admitted: .*answered absent/.test(await ask(plan, 0)));
  assertEquals(counters.get("fragment.absent"), 1);
});

Deno.test("leaves the fragment has not, and plans not kept, are refused before anything is read", async () => {
  const world = new World(3);
  await using _world = world;
  const sample = sampleOf(10 * KIB);
  const { holder, asker } = await pair(world, [sample]);
  const refused = async (leaves: number[], index: number, code: ErrorCode) => {
    const plan = sample.plan.hash;
    const request = { type: "audit", plan, index, leaves } as const;
    const asked = asker.node.ask(holder.node.record(), request, {}, never);
    await assertRejectsCode(world.run(asked), code);
  };
  await refused([9, 10], 0, "malformed");
  await refused([0], 2, "absent");
  assertEquals(holder.runtime.counters.get("audit.passes"), 0);
});

/** Blobs whose reads take time, and how many readers are open now and were at most. */
function slowly(memory: MemoryBlobs, clock: Clock, msPerMib: number) {
  const count = { now: 0, most: 0 };
  const open: Blobs["open"] = async (hash, signal) => {
    const reader = await memory.open(hash, signal);
    if (reader === undefined) return undefined;
    count.most = Math.max(count.most, ++count.now);
    return {
      hash,
      bytes: reader.bytes,
      async read(offset, into, readSignal) {
        await clock.sleep(msPerMib * into.length / MIB, readSignal);
        return await reader.read(offset, into, readSignal);
      },
      async [Symbol.asyncDispose]() {
        count.now--;
        await reader[Symbol.asyncDispose]();
      },
    };
  };
  const blobs = new Proxy(memory, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (name === "open") return open;
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
  return { blobs, count };
}

Deno.test("a crowd of one subnet that asks for pass after pass delays others by one of its own, and leaves the disk its rest", async () => {
  const world = new World(4);
  await using _world = world;
  const { blobs, count } = slowly(new MemoryBlobs(), world.clock, 400);
  const samples = [...Array(12).keys()].map((seed) => sampleOf(MIB, seed));
  const passMs = 400;
  const { holder, ask } = await pair(world, samples, {
    node: { subnetPeersMax: { bucket: 20, table: 100 } },
    store: { blobs },
  });
  const record = holder.node.record();
  const crowd: Promise<unknown>[] = [];
  for (let host = 1; host <= 6; host++) {
    const address = { ip: `31.0.0.${host}`, port: 4433 };
    const { node } = await world.add([], { address });
    for (const { plan } of samples.slice(0, 11)) {
      crowd.push(audit(node, record, plan, host % 2, never));
    }
  }
  await world.clock.advance(1_000);
  const { counters } = holder.runtime;
  const [beforeMs, before] = [
    world.clock.nowMs(),
    counters.get("audit.passes"),
  ];
  assertEquals(await ask(samples[11]!.plan, 0), "passed");
  const tookMs = world.clock.nowMs() - beforeMs;
  // One of theirs under way and its rest, then ours.
  assertTrue(tookMs < 2 * 2 * passMs + 200, `it took ${tookMs} ms`);
  const ends = await world.run(Promise.all(crowd));
  const passed = ends.filter((end) =>
    (end as { readonly outcome: string }).outcome === "passed"
  );
  assertTrue(passed.length > 0 && passed.length < ends.length);
  const passes = counters.get("audit.passes") - before;
  const spentMs = world.clock.nowMs() - beforeMs;
  assertTrue(2 * passMs * (passes - 1) <= spentMs, `${passes} in ${spentMs}`);
  // One of the crowd and one of ours.
  assertTrue(count.most <= 2, `${count.most} were open at once`);
});

Deno.test("an audit that is given up while the disk is slow closes what it read from and passes its turn on", async () => {
  const world = new World(5);
  await using _world = world;
  const { blobs, count } = slowly(new MemoryBlobs(), world.clock, 100);
  const sample = sampleOf(MIB);
  const { holder, ask } = await pair(world, [sample], { store: { blobs } });
  const stop = new TesserasError("cancelled", "Stopped by the test");
  const ends = new Set<unknown>();
  for (let ms = 0; ms < 240; ms += 8) {
    const controller = new AbortController();
    const { signal } = controller;
    const own = holder.node.record();
    const asked = audit(holder.node, own, sample.plan, 0, signal)
      .then(({ outcome }) => outcome, codeOf);
    world.clock.after(ms, () => controller.abort(stop));
    ends.add(await world.run(asked));
    await world.clock.advance(1);
    assertEquals(count.now, 0, `after ${ms} ms`);
  }
  assertEquals([...ends].sort(), ["cancelled", "passed"]);
  assertEquals(await ask(sample.plan, 0), "passed");
});

Deno.test("trees are forgotten by their bytes, the one unused for longest first", async () => {
  const blobs = new MemoryBlobs();
  const runtime = {
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    log: silentLog,
    counters: new Counters(),
  };
  const kept: { blob: Hash; bytes: number }[] = [];
  for (let seed = 0; seed < 4; seed++) {
    await using writer = await blobs.create(never);
    await writer.write(new SeededRandom(seed).bytes(200 * KIB), never);
    const { hash, bytes } = await writer.commit(never);
    kept.push({ blob: hash, bytes });
  }
  const bytesMax = 2_000;
  const trees = new ProofTrees({ blobs, runtime, bytesMax });
  const passesAfter = async (which: number): Promise<number> => {
    const tree = await runtime.clock.run(trees.of(kept[which]!, never));
    assertEquals(tree?.hash, kept[which]!.blob);
    assertTrue(trees.bytes <= bytesMax);
    return runtime.counters.get("audit.passes");
  };
  const passes: number[] = [];
  for (const which of [0, 1, 2, 0, 3, 0, 2, 1]) {
    passes.push(await passesAfter(which));
  }
  // Three fit: 3 pushes out 1, and 1 then 3.
  assertEquals(passes, [1, 2, 3, 3, 4, 4, 4, 5]);
  const gone = { blob: blake3(new Uint8Array(1)), bytes: 1 };
  assertEquals(await trees.of(gone, never), undefined);
  const longer = { ...kept[0]!, bytes: 200 * KIB - 1 };
  await trees.of(kept[2]!, never);
  const fresh = new ProofTrees({ blobs, runtime });
  await assertRejectsCode(fresh.of(longer, never), "corrupt");
  const shorter = { ...kept[0]!, bytes: 200 * KIB + 1 };
  await assertRejectsCode(fresh.of(shorter, never), "corrupt");
});
