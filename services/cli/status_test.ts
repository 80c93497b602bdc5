/** What `tes status` says of a tessera, by what the database knows of its holders. */
import { match } from "node:assert/strict";
import {
  Counters,
  parseTesseraId,
  silentLog,
  VirtualClock,
} from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode } from "@tesseras/crypto";
import { dataPaths, type JsonObject, loadCreator } from "@tesseras/run";
import type { PlacementRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { signNodeRecord } from "@tesseras/wire";
import { Home, never, textOf } from "./home_for_tests.ts";
import { openArchive } from "./open_archive.ts";

const DAY_MS = 86_400_000;
const RUNTIME = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  counters: new Counters(),
};

/** A fragment kept by the holder of a number, each in a network of its own. */
async function placementOf(
  plan: Plan,
  index: number,
  change: Partial<PlacementRow> = {},
): Promise<PlacementRow> {
  const nowMs = systemClock.nowMs();
  const signer = await mintNode(
    new Uint8Array(32).fill(index + 1),
    { powBits: 8, clock: new VirtualClock() },
    never,
  );
  const record = signNodeRecord({
    addresses: [{ ip: `11.0.${index}.1`, port: 4433 }],
    capabilities: 0,
    nat: "unknown",
    sequence: nowMs,
    expiresAtMs: nowMs + DAY_MS,
  }, signer);
  return {
    planHash: plan.hash,
    index,
    holder: signer.id,
    record: record.bytes,
    bytes: plan.shardBytes,
    ackedAtMs: nowMs,
    lastSeenMs: nowMs,
    lostAtMs: undefined,
    provedSinceMs: nowMs,
    ...change,
  };
}

/** A published tessera of 7 copies, whose holders are as the work leaves them. */
async function published(
  home: Home,
  work: (state: State, plan: Plan) => Promise<void>,
): Promise<string> {
  const hash = await home.tessera();
  const paths = dataPaths(home.dataDir);
  await using opened = await openArchive(paths, RUNTIME, never);
  const { archive, state } = opened;
  const tesseraId = parseTesseraId(hash);
  const keys = await loadCreator(paths);
  const plan = await archive.prepare(tesseraId, keys, () => {}, never);
  const updatedAtMs = systemClock.nowMs();
  await state.putPublication(
    { tesseraId, planHash: plan.hash, state: "healthy", updatedAtMs },
    never,
  );
  await work(state, plan);
  return hash;
}

async function statusOf(home: Home, hash: string) {
  const { json, lines } = await home.tes(["status", hash.slice(0, 8)]);
  return { json, text: lines.join("\n") };
}

function all(plan: Plan): readonly number[] {
  return plan.fragments.map((_, index) => index);
}

Deno.test("a tessera whose holders all proved it is healthy, with its audits, and a chance that says what it rests on", async () => {
  await using home = await Home.ready();
  const hash = await published(home, async (state, plan) => {
    const rows = await Promise.all(
      all(plan).map((index) => placementOf(plan, index)),
    );
    await state.care.putPlacements(rows, never);
    await state.care.putAudits(
      rows.map(({ planHash, index, holder, ackedAtMs }) => ({
        planHash,
        index,
        holder,
        atMs: ackedAtMs,
        outcome: index === 3 ? "unanswered" : "passed",
        detail: "",
      })),
      never,
    );
    await state.care.putWatch({
      planHash: plan.hash,
      dueAtMs: rows[0]!.ackedAtMs + DAY_MS,
      state: "idle",
      sinceMs: rows[0]!.ackedAtMs,
      attempts: 0,
      detail: "",
    }, never);
  });
  const { json, text } = await statusOf(home, hash);
  assertEquals([json.state, json.aliveCount, json.peerCount], [
    "Healthy",
    7,
    7,
  ]);
  assertEquals([json.subnetCount, json.isNodeRunning], [7, false]);
  const audit = json.lastAudit as JsonObject;
  assertEquals([audit.askedCount, audit.passedCount], [7, 6]);
  match(text, /State: +Healthy/);
  match(text, /Fragments: 7 of 7 alive, each a whole copy/);
  match(text, /Where: +7 peers in 7 subnets/);
  match(text, /Audit: +\S+Z, 6 of 7 asked proved what they keep/);
  match(text, /Repair: +nothing to do, next look \S+Z; no node runs here/);
  match(
    text,
    /Loss: +1 in 1,000,000 within 1 year, 1 in 100,000 within 10 years, 1 in 10,000 within 100 years, by a model \(docs\/DURABILITY\.md\)/,
  );
  match(text, /assumed and not measured:\n {2}Any 1 of 7 copies on 7 peers/);
  const loss = json.loss as JsonObject;
  const within = loss.within as JsonObject[];
  assertEquals(within.map(({ years }) => years), [1, 10, 100]);
  assertTrue((loss.assumptionsInWords as string[]).length > 4);
  assertTrue(typeof (loss.assumptions as JsonObject).lookDays === "number");
  // Of all of them, the sentences are left to the one that is asked about.
  const whole = await home.tes(["status"]);
  assertEquals(whole.json, { tesseras: [json] });
  match(whole.lines.at(-1)!, /tes status HASH says what the chances/);
});

Deno.test("what is lost, silent or being repaired is told, and is healthy no more", async () => {
  await using home = await Home.ready();
  const nowMs = systemClock.nowMs();
  const silence = {
    sinceMs: nowMs - DAY_MS,
    triedAtMs: nowMs,
    tryCount: 2,
    evasionCount: 0,
  };
  const hash = await published(home, async (state, plan) => {
    await state.care.putPlacements([
      await placementOf(plan, 0),
      await placementOf(plan, 1, { silence }),
      await placementOf(plan, 2, { lostAtMs: nowMs }),
    ], never);
    await state.care.putWatch({
      planHash: plan.hash,
      dueAtMs: nowMs,
      state: "repairing",
      sinceMs: nowMs,
      attempts: 1,
      detail: "nobody \u001b[31mtook it",
    }, never);
  });
  const { json, text } = await statusOf(home, hash);
  assertEquals(
    [json.state, json.placedCount, json.aliveCount, json.silentCount],
    ["Replicated", 3, 2, 1],
  );
  assertEquals([json.peerCount, json.survivesLossOf], [2, 1]);
  match(text, /2 of 7 alive \(1 of them silent just now\)/);
  match(text, /Repair: +in progress since \S+Z: nobody .*took it/);
  assertTrue(json.loss !== null);
});

Deno.test("a proof of long ago is not called healthy, and what nobody has is not estimated", async () => {
  await using home = await Home.ready();
  const old = systemClock.nowMs() - 9 * DAY_MS;
  const hash = await published(home, async (state, plan) => {
    const rows = await Promise.all(
      all(plan).map((index) => placementOf(plan, index, { lastSeenMs: old })),
    );
    await state.care.putPlacements(rows, never);
  });
  const stale = await statusOf(home, hash);
  assertEquals([stale.json.state, stale.json.aliveCount], ["Replicated", 7]);
  match(stale.text, /Audit: +none yet/);
  match(stale.text, /Repair: +not looked at yet/);

  await using lonely = await Home.ready();
  const nobody = await published(lonely, () => Promise.resolve());
  const { json, text } = await statusOf(lonely, nobody);
  assertEquals([json.aliveCount, json.survivesLossOf, json.loss], [
    0,
    null,
    null,
  ]);
  match(text, /Survives: +not without this disk/);
  match(text, /Loss: +no estimate, too few fragments are out there/);
  const local = await lonely.tessera("monday");
  match((await statusOf(lonely, local)).text, /State: +Local/);
  assertEquals(textOf((await statusOf(lonely, local)).json.state), "Local");
});

Deno.test("a tessera and the node are not shown at once", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  await assertRejectsCode(
    home.tes(["status", hash, "--node"]),
    "unusable",
    /name a tessera or say --node/,
  );
});
