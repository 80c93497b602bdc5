import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { codeOf, orAbort, SeededRandom, TesserasError } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import type { Handler } from "@tesseras/net";
import { caughtProbability, rangesPerAudit } from "@tesseras/preservation";
import { never, World } from "@tesseras/testing/sim";
import type { ErrorAnswer } from "@tesseras/wire";
import type { Attestation } from "./attest.ts";
import { audit, type AuditResult, observationOf } from "./audit.ts";
import {
  audited,
  auditHandler,
  give,
  leafOf,
  prover,
  type Sample,
  sampleOf,
} from "./audit_for_tests.ts";

/** What an auditor makes of a holder that answers so. */
async function judged(
  handler: Handler,
  { plan }: Sample,
  world = new World(1),
): Promise<AuditResult> {
  await using _world = world;
  const { record } = await world.rogue(handler);
  const { node } = await world.add([]);
  return await world.run(audit(node, record, plan, 0, never));
}

Deno.test("an honest holder passes, with fragments of any size and as often as it is asked; so do we ourselves", async () => {
  const world = new World(1);
  await using _world = world;
  const holder = await world.add(["store"]);
  const { node, runtime } = await world.add([]);
  const record = holder.node.record();
  const sizes = [1, 1_023, 1_024, 1_025, 20_000, 200_000];
  for (const [seed, bytes] of sizes.entries()) {
    const sample = sampleOf(bytes, seed);
    await world.run(give(node, record, sample));
    for (let time = 0; time < 3; time++) {
      const result = await world.run(
        audit(node, record, sample.plan, 0, never),
      );
      assertEquals(result, { outcome: "passed", detail: "" }, `${bytes} bytes`);
    }
    const own = await world.run(
      audit(holder.node, record, sample.plan, 0, never),
    );
    assertEquals(own.outcome, "passed");
  }
  assertEquals(runtime.counters.get("audit.passed"), 3 * sizes.length);
  assertEquals(holder.runtime.counters.get("audit.passes"), sizes.length);
  await assertRejectsCode(
    audit(node, record, sampleOf(1).plan, 7, never),
    "malformed",
    /the plan has 7/,
  );
});

Deno.test("who keeps only checksums fails, however right they are", async () => {
  const sample = sampleOf(100 * KIB);
  const empty = new Uint8Array(KIB);
  const prove = prover(sample.content, () => empty);
  const handler = auditHandler(({ leaves }) => audited(prove(leaves)));
  const { outcome, detail } = await judged(handler, sample);
  assertEquals(outcome, "failed");
  assertTrue(/not those of the hash/.test(detail), detail);
});

Deno.test("who keeps nine tenths is caught as often as the arithmetic says", async () => {
  const world = new World(3);
  await using _world = world;
  const leafCount = 200;
  const sample = sampleOf(leafCount * KIB);
  const random = new SeededRandom(4);
  const gone = new Set<number>();
  while (gone.size < leafCount / 10) gone.add(random.below(leafCount));
  const empty = new Uint8Array(KIB);
  const prove = prover(
    sample.content,
    (leaf) => gone.has(leaf) ? empty : leafOf(sample.content, leaf),
  );
  const { record } = await world.rogue(
    auditHandler(({ leaves }) => audited(prove(leaves))),
  );
  const { node } = await world.add([]);
  const rounds = 300;
  let caught = 0;
  for (let round = 0; round < rounds; round++) {
    const { outcome } = await world.run(
      audit(node, record, sample.plan, 0, never),
    );
    if (outcome === "failed") caught++;
  }
  const chance = caughtProbability({
    fragmentBytes: leafCount * KIB,
    keptShare: 0.9,
    rangeCount: rangesPerAudit(),
    auditCount: 1,
  });
  const spread = Math.sqrt(chance * (1 - chance) / rounds);
  const share = caught / rounds;
  assertTrue(
    Math.abs(share - chance) < 3 * spread,
    `caught in ${share} of the audits, wanted ${chance}`,
  );
});

Deno.test("the answer to another question fails, also one about another fragment or plan", async () => {
  const sample = sampleOf(60 * KIB);
  const other = sampleOf(60 * KIB, 2);
  const prove = prover(sample.content);
  const later = (leaves: readonly number[]) =>
    leaves.map((leaf) => (leaf + 1) % 60).sort((a, b) => a - b);
  const first = auditHandler(({ leaves }) => audited(prove(later(leaves))));
  assertEquals((await judged(first, sample)).outcome, "failed");
  const wrong = prover(other.content);
  const second = auditHandler(({ leaves }) => audited(wrong(leaves)));
  assertEquals((await judged(second, sample)).outcome, "failed");
  // What was right once, to whatever is asked next.
  let kept: Uint8Array | undefined;
  const world = new World(5);
  await using _world = world;
  const { record } = await world.rogue(
    auditHandler(({ leaves }) => audited(kept ??= prove(leaves))),
  );
  const { node } = await world.add([]);
  const outcomes: string[] = [];
  for (let time = 0; time < 3; time++) {
    const asked = audit(node, record, sample.plan, 0, never);
    outcomes.push((await world.run(asked)).outcome);
  }
  assertEquals(outcomes, ["passed", "failed", "failed"]);
});

Deno.test("every bit of an answer counts, and so does its length, announced or sent", async () => {
  const sample = sampleOf(3 * KIB);
  const prove = prover(sample.content);
  const bits = auditHandler(({ leaves }) => audited(prove(leaves)));
  assertEquals((await judged(bits, sample)).outcome, "passed");
  const flips = [0, KIB - 1, KIB, KIB + 31, KIB + 32, 2 * KIB, -1];
  for (const at of flips) {
    const handler = auditHandler(({ leaves }) => {
      const bytes = prove(leaves);
      bytes[at < 0 ? bytes.length + at : at]! ^= 0x80;
      return audited(bytes);
    });
    assertEquals((await judged(handler, sample)).outcome, "failed", `${at}`);
  }
  const cut = auditHandler(({ leaves }) =>
    audited(prove(leaves).subarray(0, -1))
  );
  const long = auditHandler(({ leaves }) =>
    audited(new Uint8Array([...prove(leaves), 0]))
  );
  const none = auditHandler(() => audited(new Uint8Array()));
  for (const handler of [cut, long, none]) {
    const { outcome, detail } = await judged(handler, sample);
    assertEquals(outcome, "failed");
    assertTrue(/bytes announced, wanted/.test(detail), detail);
  }
});

Deno.test("an admission is a failure; load, silence and trickling are none, and nobody there is none either", async () => {
  const sample = sampleOf(20 * KIB);
  const says = (code: ErrorAnswer["code"]) =>
    judged(
      auditHandler(() => ({
        response: { type: "error", code, text: "because \u{1F600}".repeat(30) },
      })),
      sample,
    );
  for (const code of ["absent", "corrupt"] as const) {
    assertEquals((await says(code)).outcome, "admitted", code);
  }
  const excuses = ["overloaded", "refused", "timeout", "malformed"] as const;
  for (const code of excuses) {
    const { outcome, detail } = await says(code);
    assertEquals(outcome, "unanswered", code);
    assertTrue(new TextEncoder().encode(detail).length <= 200);
  }
  const silent: Handler = (_from, _request, _bulk, signal) =>
    orAbort(new Promise<never>(() => {}), signal);
  assertEquals((await judged(silent, sample)).outcome, "unanswered");
  const world = new World(6);
  await using _world = world;
  const trickle = auditHandler(({ leaves }) => {
    const bytes = prover(sample.content)(leaves);
    return {
      response: { type: "audited", bulk: bytes.length },
      bulk: {
        bytes: bytes.length,
        async *chunks(signal) {
          for (const byte of bytes) {
            yield new Uint8Array([byte]);
            await world.clock.sleep(1_000, signal);
          }
        },
      },
    };
  });
  const { record } = await world.rogue(trickle);
  const { node } = await world.add([]);
  const asked = audit(node, record, sample.plan, 0, never);
  assertEquals((await world.run(asked)).outcome, "unanswered");
  const nobody = world.recordOf(await world.identity(), [
    { ip: "11.9.9.9", port: 1 },
  ]);
  const missed = await world.run(audit(node, nobody, sample.plan, 0, never));
  assertEquals(missed.outcome, "unanswered");
  assertEquals(node.runtime.counters.get("audit.unanswered"), 2);
});

Deno.test("stopped at any moment, an audit ends at once and leaves nothing behind", async () => {
  const world = new World(7);
  await using _world = world;
  const holder = await world.add(["store"]);
  const { node } = await world.add([]);
  const record = holder.node.record();
  const sample = sampleOf(90 * KIB);
  await world.run(give(node, record, sample));
  const stop = new TesserasError("cancelled", "Stopped by the test");
  let stoppedCount = 0;
  for (let ms = 0; ms < 150; ms += 3) {
    const controller = new AbortController();
    const asked = audit(node, record, sample.plan, 0, controller.signal)
      .then(({ outcome }) => outcome, codeOf);
    world.clock.after(ms, () => controller.abort(stop));
    const end = await world.run(asked);
    if (end === "cancelled") stoppedCount++;
    else assertEquals(end, "passed");
  }
  assertTrue(stoppedCount >= 10, `${stoppedCount} audits were stopped`);
  // Without the wire between, where no time passes: after any number of steps.
  let steps = 0;
  let end: unknown;
  for (; end !== "passed"; steps++) {
    const controller = new AbortController();
    const asked = audit(holder.node, record, sample.plan, 0, controller.signal)
      .then(({ outcome }) => outcome, codeOf);
    for (let step = 0; step < steps; step++) await Promise.resolve();
    controller.abort(stop);
    end = await world.run(asked);
    assertTrue(end === "passed" || end === "cancelled", `${end}`);
  }
  assertTrue(steps > 20, `${steps} steps`);
  await world.clock.advance(1_000);
  for (const one of [node, holder.node]) {
    for (const { busyCount } of one.peers.sessions()) {
      assertEquals(busyCount, 0);
    }
  }
  const last = await world.run(audit(node, record, sample.plan, 0, never));
  assertEquals(last.outcome, "passed");
});

Deno.test("the audit decides what a look says where there was one, and a word without proof is an evasion", () => {
  const keeps: Attestation = {
    answer: "keeps",
    indices: [1, 2],
    // Only its indices are looked at.
    record: undefined as never,
  };
  const silent = { answer: "silent", reason: "" } as const;
  const present = { answer: "present", reason: "" } as const;
  const result = (outcome: AuditResult["outcome"]) => ({ outcome, detail: "" });
  assertEquals(observationOf(1, keeps), "claimed");
  assertEquals(observationOf(1, keeps, result("admitted")), "saidLost");
  assertEquals(observationOf(3, keeps), "saidLost");
  assertEquals(observationOf(3, { answer: "lost" }), "saidLost");
  assertEquals(observationOf(1, present), "pinged");
  assertEquals(observationOf(1, silent), "unanswered");
  assertEquals(observationOf(1, keeps, result("passed")), "proved");
  assertEquals(observationOf(1, keeps, result("failed")), "failedAudit");
  assertEquals(observationOf(1, keeps, result("unanswered")), "pinged");
  assertEquals(observationOf(1, silent, result("unanswered")), "unanswered");
});
