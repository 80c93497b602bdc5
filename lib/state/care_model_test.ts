/** One history told to both states: they must remember the same, accounts with it, which the database keeps by triggers. Some seconds long, since every write of the database is waited for. */
import {
  type Hash,
  hash,
  type NodeId,
  nodeId,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import fc from "fast-check";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";
import { MemoryState } from "./memory.ts";
import type { State } from "./state.ts";

const { signal } = new AbortController();

/** Few enough of each that histories meet themselves again. */
const PEERS = [1, 2].map((at) => nodeId(new Uint8Array(20).fill(at)));
const TESSERAS = [4, 5].map((at) => tesseraId(new Uint8Array(32).fill(at)));
/** Two plans of each tessera. */
const PLANS = [6, 7, 8, 9].map((at) => hash(new Uint8Array(32).fill(at)));
const BLOBS = [10, 11].map((at) => hash(new Uint8Array(32).fill(at)));

function tesseraOf(plan: Hash): TesseraId {
  return TESSERAS[PLANS.indexOf(plan) >> 1]!;
}

/** Something that happens; what it returns must be the same everywhere. */
type Event = (state: State) => Promise<unknown>;
type Events = readonly fc.Arbitrary<Event>[];

const plan = fc.constantFrom(...PLANS);
const peer = fc.constantFrom(...PEERS);
const index = fc.integer({ min: 0, max: 1 });
const amount = fc.constantFrom(0, 1, 20, 300);
/** How often an event that adds or changes comes for each that makes much forgotten. */
const OFTEN = 8;
const atMs = fc.integer({ min: 0, max: 9 });
const tombstone = fc.record({
  tesseraId: fc.constantFrom(...TESSERAS),
  creator: fc.constantFrom(...BLOBS),
  bytes: fc.constant(new Uint8Array(3)),
  createdAtMs: atMs,
  expiresAtMs: atMs,
  isOurs: fc.boolean(),
});
const silence = fc.record({
  sinceMs: atMs,
  triedAtMs: atMs,
  tryCount: amount,
  evasionCount: amount,
}, { noNullPrototype: true });
const placement = fc.record({
  planHash: plan,
  index,
  holder: peer,
  record: fc.constant(new Uint8Array(2)),
  bytes: amount,
  ackedAtMs: atMs,
  lastSeenMs: atMs,
  lostAtMs: fc.constantFrom(undefined, undefined, undefined, 3, 6),
  silence,
  provedSinceMs: atMs,
}, {
  requiredKeys: [
    "planHash",
    "index",
    "holder",
    "record",
    "bytes",
    "ackedAtMs",
    "lastSeenMs",
    "lostAtMs",
  ],
});

/** What happens to plans, fragments and publications. */
function keptEvents(): Events {
  const row = fc.record({
    planHash: plan,
    index,
    blob: fc.constantFrom(...BLOBS),
    bytes: amount,
    owner: fc.option(peer, { nil: undefined }),
    subnet: fc.constant(undefined),
    storedAtMs: atMs,
    isRepair: fc.boolean(),
  });
  const planRow = (hash: Hash) => ({
    hash,
    tesseraId: tesseraOf(hash),
    bytes: new Uint8Array(5),
  });
  return [
    row.map((row) => (state) =>
      state.keepFragment(
        planRow(row.planHash),
        { ...row, tesseraId: tesseraOf(row.planHash) },
        signal,
      )
    ),
    fc.tuple(plan, index).map(([plan, index]) => (state) =>
      state.removeFragment(plan, index, signal)
    ),
    fc.tuple(plan, index, atMs).map(([planHash, index, ms]) => ({ care }) =>
      care.strikeOut({ planHash, index }, ms, signal)
    ),
    plan.map((hash) => (state) => state.putPlan(planRow(hash), signal)),
    plan.map((planHash) => (state) =>
      state.putPublication({
        tesseraId: tesseraOf(planHash),
        planHash,
        state: "publishing",
        updatedAtMs: 1,
      }, signal)
    ),
  ];
}

/** What happens to the rest, but for what makes much forgotten. */
function careEvents(): Events {
  const audit = fc.record({
    planHash: plan,
    index,
    holder: peer,
    atMs,
    outcome: fc.constantFrom("passed", "failed", "unanswered"),
    detail: fc.constantFrom("", "why"),
  });
  const watch = fc.record({
    planHash: plan,
    dueAtMs: atMs,
    state: fc.constantFrom("idle", "waiting", "repairing"),
    sinceMs: atMs,
    attempts: amount,
    detail: fc.constant(""),
    watchedSinceMs: atMs,
  });
  const mark = fc.oneof(
    fc.record({ planHash: plan, index, holder: peer, seenAtMs: atMs }),
    fc.record({ planHash: plan, index, holder: peer, lostAtMs: atMs }),
    fc.record({ planHash: plan, index, holder: peer, silence }),
  );
  return [
    placement.map((row) => ({ care }) => care.putPlacements([row], signal)),
    placement.map((row) => ({ care }) => care.putPlacements([row], signal)),
    fc.array(mark, { maxLength: 4 }).map((marks) => ({ care }) =>
      care.markPlacements(marks, signal)
    ),
    audit.map((row) => ({ care }) => care.putAudits([row], signal)),
    watch.map((row) => ({ care }) => care.putWatch(row, signal)),
    fc.record({ peer, isInstitutional: fc.boolean(), atMs })
      .map((mark) => ({ care }) => care.markInstitutional(mark, signal)),
    fc.array(tombstone, { maxLength: 3 })
      .map((rows) => ({ care }) => care.putTombstones(rows, signal)),
    fc.tuple(tombstone, peer).map(([row, holder]) => ({ care }) =>
      care.putCoverage([{
        tesseraId: row.tesseraId,
        creator: row.creator,
        holder,
        record: row.bytes,
        toldAtMs: row.createdAtMs,
        confirmedAtMs: undefined,
      }], signal)
    ),
  ];
}

/** What makes much forgotten. */
function endings(): Events {
  return [
    fc.constantFrom(...TESSERAS).map((id) => (state) =>
      state.removeTessera(id, signal)
    ),
    fc.tuple(tombstone, fc.array(plan, { maxLength: 2 }))
      .map(([row, plans]) => ({ care }) => care.forget(row, plans, signal)),
    placement.map((row) => ({ care }) => care.removePlacements([row], signal)),
    atMs.map((ms) => ({ care }) => care.expirePlacements(ms, signal)),
    atMs.map((ms) => ({ care }) => care.expireStruck(ms, signal)),
    fc.tuple(plan, index).map(([planHash, index]) => ({ care }) =>
      care.removeStruck([{ planHash, index }], signal)
    ),
    atMs.map((ms) => ({ care }) => care.expireTombstones(ms, signal)),
  ];
}

/** All that a state remembers of it. */
async function memoryOf(state: State) {
  const { care } = state;
  const ofPlan = async (plan: Hash) => ({
    plan: (await state.plan(plan, signal))?.hash,
    placements: await care.placements(plan, signal),
    audits: await care.audits(plan, signal),
    watch: await care.watch(plan, signal),
    struck: await care.struck(plan, signal),
  });
  const ofPeer = async (holder: NodeId) => ({
    ledger: await care.ledger(holder, signal),
    plans: await care.placedPlans(
      { after: undefined, limit: 9, holder },
      signal,
    ),
  });
  const ofTombstone = async (tesseraId: TesseraId, creator: Hash) => ({
    row: await care.tombstone({ tesseraId, creator }, signal),
    coverage: await care.coverage({ tesseraId, creator }, signal),
  });
  return {
    plans: await Promise.all(PLANS.map(ofPlan)),
    peers: await Promise.all(PEERS.map(ofPeer)),
    tombstones: await Promise.all(
      TESSERAS.flatMap((id) => BLOBS.map((blob) => ofTombstone(id, blob))),
    ),
    placed: await care.placedPlans({ after: undefined, limit: 9 }, signal),
    ledgers: await care.ledgers(9, signal),
    due: await care.dueWatches(5, 9, signal),
    ours: await care.ownTombstones(signal),
  };
}

async function compare(libsql: State, memory: State): Promise<void> {
  assertEquals(await memoryOf(libsql), await memoryOf(memory));
  const accounts = await Promise.all(
    PEERS.map((peer) => libsql.care.ledger(peer, signal)),
  );
  const balances = accounts.map((row) => ({
    we: row?.weKeepBytes ?? 0,
    they: row?.theyKeepBytes ?? 0,
  }));
  assertEquals(balances, await balancesOf(libsql));
}

/** What accounts must say, counted anew from the rows. */
async function balancesOf(state: State) {
  const fragments = await state.fragments(undefined, 99, signal);
  const publications = await state.publications(signal);
  const placements = (await Promise.all(
    publications.map(({ planHash }) => state.care.placements(planHash, signal)),
  )).flat();
  const key = (id: NodeId | undefined) => id?.[0];
  return PEERS.map((peer) => ({
    we: fragments.filter((row) => key(row.owner) === key(peer) && !row.isRepair)
      .reduce((sum, row) => sum + row.bytes, 0),
    they: placements.filter((row) =>
      key(row.holder) === key(peer) && row.lostAtMs === undefined
    ).reduce((sum, row) => sum + row.bytes, 0),
  }));
}

Deno.test("both states remember the same of any history, and accounts are what the rows add up to", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_care_" });
  try {
    let runs = 0;
    const often = [...keptEvents(), ...careEvents()]
      .map((arbitrary) => ({ arbitrary, weight: OFTEN }));
    const seldom = endings().map((arbitrary) => ({ arbitrary, weight: 1 }));
    const event = fc.oneof(...often, ...seldom);
    const history = fc.array(event, {
      minLength: 100,
      maxLength: 120,
      size: "max",
    });
    await fc.assert(
      fc.asyncProperty(history, async (events) => {
        const url = pathToFileURL(join(folder, `${runs++}.db`)).href;
        await using libsql = await openLibsqlState(
          { url, worker: false },
          signal,
        );
        await using memory = new MemoryState();
        for (const [at, event] of events.entries()) {
          assertEquals(await event(libsql), await event(memory));
          if (at % 10 === 9) await compare(libsql, memory);
        }
      }),
      { numRuns: 5 },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
