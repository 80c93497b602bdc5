/** What every State must do with placements, audits, repair and accounts. */
import { toHex } from "@tesseras/core";
import type { AuditRow, WatchRow } from "@tesseras/state";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { type Claims, hexes } from "./state_rows.ts";

const { signal } = new AbortController();

/** What is claimed about placements and their audits. */
export const placementClaims: Claims = {
  "gives back placements, the latest of a holder": async (s, rows) => {
    const planHash = rows.hash();
    const holder = rows.node();
    const zero = rows.placement({ planHash, holder });
    const early = rows.placement({ planHash, holder, index: 2 });
    const late = {
      ...early,
      record: rows.bytes(3),
      bytes: 7,
      ackedAtMs: 9,
      provedSinceMs: 8,
    };
    await s.care.putPlacements([early, zero, rows.placement()], signal);
    await s.care.putPlacements([late], signal);
    await s.care.putPlacements([], signal);
    assertEquals(await s.care.placements(planHash, signal), [zero, late]);
    const lost = { ...zero, lastSeenMs: 70, lostAtMs: 71 };
    await s.care.putPlacements([lost], signal);
    assertEquals(await s.care.placements(planHash, signal), [lost, late]);
    await assertRejectsCode(
      s.care.putPlacements([late, { ...zero, bytes: -1 }], signal),
      "malformed",
    );
    const odd = { ...zero, provedSinceMs: -1 };
    await assertRejectsCode(s.care.putPlacements([odd], signal), "malformed");
    await s.care.putPlacements([early], signal);
    assertEquals(await s.care.placements(planHash, signal), [lost, early]);
  },

  "marks a placement seen and lost, in order": async (s, rows) => {
    const row = rows.placement({ lastSeenMs: 10 });
    const { planHash, index, holder } = row;
    const key = { planHash, index, holder };
    const now = async () => (await s.care.placements(planHash, signal))[0];
    await s.care.putPlacements([row], signal);
    await s.care.markPlacements([
      { ...key, lostAtMs: 20 },
      { ...key, lostAtMs: 30 },
      { ...key, index: 9, seenAtMs: 30 },
    ], signal);
    assertEquals(await now(), { ...row, lostAtMs: 20 });
    await s.care.markPlacements([{ ...key, seenAtMs: 5 }], signal);
    assertEquals(await now(), row);
    await s.care.markPlacements([
      { ...key, lostAtMs: 40 },
      { ...key, seenAtMs: 50 },
    ], signal);
    assertEquals(await now(), { ...row, lastSeenMs: 50 });
    const silence = {
      sinceMs: 51,
      triedAtMs: 52,
      tryCount: 2,
      evasionCount: 1,
    };
    await s.care.markPlacements([{ ...key, silence }], signal);
    const silent = { ...row, lastSeenMs: 50, silence };
    assertEquals(await now(), silent);
    await s.care.markPlacements([{ ...key, lostAtMs: 53 }], signal);
    assertEquals(await now(), { ...row, lastSeenMs: 50, lostAtMs: 53 });
    await s.care.putPlacements([silent], signal);
    assertEquals(await now(), silent);
    await s.care.markPlacements([{ ...key, seenAtMs: 50 }], signal);
    assertEquals(await now(), { ...row, lastSeenMs: 50 });
    const bad = [{ ...key, seenAtMs: 60 }, { ...key, lostAtMs: 0.5 }];
    await assertRejectsCode(s.care.markPlacements(bad, signal), "malformed");
    assertEquals(await now(), { ...row, lastSeenMs: 50 });
  },

  "forgets placements by key, and those lost long ago": async (s, rows) => {
    const planHash = rows.hash();
    const all = [undefined, 10, 20, undefined].map((lostAtMs, index) =>
      rows.placement({ planHash, index, lostAtMs })
    );
    await s.care.putPlacements(all, signal);
    assertEquals(await s.care.expirePlacements(20, signal), 1);
    assertEquals(await s.care.expirePlacements(20, signal), 0);
    await s.care.removePlacements([all[3]!, all[1]!], signal);
    assertEquals(await s.care.placements(planHash, signal), [all[0], all[2]]);
  },

  "pages through the plans of which something is placed, of all or of one holder":
    async (s, rows) => {
      const holder = rows.node();
      const plans = Array.from({ length: 7 }, () => rows.hash());
      for (const [at, planHash] of plans.entries()) {
        await s.care.putPlacements([
          rows.placement({ planHash, index: 1 }),
          rows.placement({ planHash, index: 2 }),
          ...at % 2 === 0 ? [rows.placement({ planHash, holder })] : [],
        ], signal);
      }
      await s.care.markPlacements([
        { planHash: plans[0]!, index: 0, holder, lostAtMs: 9 },
      ], signal);
      const seen = [];
      for (;;) {
        const after = seen.at(-1);
        const page = await s.care.placedPlans({ after, limit: 3 }, signal);
        if (page.length === 0) break;
        seen.push(...page);
      }
      assertEquals(seen.map(toHex), hexes(plans));
      const kept = { after: undefined, limit: 9, holder };
      assertEquals(
        (await s.care.placedPlans(kept, signal)).map(toHex),
        hexes([plans[2]!, plans[4]!, plans[6]!]),
      );
    },

  "keeps the latest audit of a placement, and none of others": async (
    s,
    rows,
  ) => {
    const planHash = rows.hash();
    const [one, two] = [5, 1].map((index) =>
      rows.placement({ planHash, index })
    );
    const audit = (of = one!, given: Partial<AuditRow> = {}): AuditRow => ({
      planHash,
      index: of.index,
      holder: of.holder,
      atMs: 1,
      outcome: "passed",
      detail: "",
      ...given,
    });
    await s.care.putPlacements([one!, two!], signal);
    const failed = audit(one, {
      atMs: 2,
      outcome: "failed",
      detail: "Leaf 3 is not of this fragment, é",
    });
    const silent = audit(two, { outcome: "unanswered" });
    await s.care.putAudits([audit(), silent], signal);
    await s.care.putAudits([failed, audit(rows.placement())], signal);
    assertEquals(await s.care.audits(planHash, signal), [silent, failed]);
    // A placement that is written down again keeps what was found out about it.
    await s.care.putPlacements([{ ...one!, ackedAtMs: 9 }], signal);
    assertEquals(await s.care.audits(planHash, signal), [silent, failed]);
    await s.care.removePlacements([one!], signal);
    assertEquals(await s.care.audits(planHash, signal), [silent]);
    for (const detail of ["é".repeat(101), "a\0b"]) {
      const row = audit(two, { detail });
      await assertRejectsCode(s.care.putAudits([row], signal), "malformed");
    }
    const longest = audit(two, { detail: "é".repeat(100) });
    await s.care.putAudits([longest], signal);
    assertEquals(await s.care.audits(planHash, signal), [longest]);
  },
};

/** What is claimed about repair. */
export const watchClaims: Claims = {
  "remembers how repair of a plan stands, until the plan goes": async (
    s,
    rows,
  ) => {
    const plan = rows.plan();
    const fragment = rows.fragment(plan);
    const row: WatchRow = {
      planHash: plan.hash,
      dueAtMs: 5,
      state: "idle",
      sinceMs: 1,
      attempts: 0,
      detail: "",
    };
    await s.care.putWatch(row, signal);
    assertEquals(await s.care.watch(plan.hash, signal), undefined);
    await s.keepFragment(plan, fragment, signal);
    await s.care.putWatch(row, signal);
    const next: WatchRow = {
      ...row,
      dueAtMs: 6,
      state: "repairing",
      watchedSinceMs: 3,
      attempts: 2,
      detail: "2 of 24 fragments are lost",
    };
    await s.care.putWatch(next, signal);
    assertEquals(await s.care.watch(plan.hash, signal), next);
    const never = { ...next, watchedSinceMs: 0.5 };
    await assertRejectsCode(s.care.putWatch(never, signal), "malformed");
    const bad = { ...next, detail: "x".repeat(201) };
    await assertRejectsCode(s.care.putWatch(bad, signal), "malformed");
    const placed = rows.placement({ planHash: plan.hash });
    await s.care.putPlacements([placed], signal);
    const { index, holder } = placed;
    const audit = { planHash: plan.hash, index, holder, atMs: 1, detail: "" };
    await s.care.putAudits([{ ...audit, outcome: "passed" }], signal);
    await s.removeFragment(plan.hash, 0, signal);
    assertEquals(await s.care.watch(plan.hash, signal), undefined);
    assertEquals(await s.care.placements(plan.hash, signal), []);
    assertEquals(await s.care.audits(plan.hash, signal), []);
    assertEquals(await s.care.dueWatches(99, 9, signal), []);
  },

  "lists what is due, longest due first": async (s, rows) => {
    const watches: WatchRow[] = [];
    for (const dueAtMs of [30, 10, 40, 20, 10]) {
      const plan = rows.plan();
      await s.putPlan(plan, signal);
      const state = "waiting";
      watches.push({
        planHash: plan.hash,
        dueAtMs,
        state,
        sinceMs: 0,
        attempts: 0,
        detail: "",
      });
      await s.care.putWatch(watches.at(-1)!, signal);
    }
    const order = watches.sort((a, b) =>
      a.dueAtMs - b.dueAtMs ||
      (toHex(a.planHash) < toHex(b.planHash) ? -1 : 1)
    );
    assertEquals(await s.care.dueWatches(30, 9, signal), order.slice(0, 4));
    assertEquals(await s.care.dueWatches(30, 2, signal), order.slice(0, 2));
    assertEquals(await s.care.dueWatches(9, 9, signal), []);
  },
};

/** What is claimed about accounts. */
export const ledgerClaims: Claims = {
  "counts what a peer sent and not what it repaired": async (s, rows) => {
    const plan = rows.plan();
    const owner = rows.node();
    const send = (index: number, bytes: number, isRepair: boolean) => {
      const storedAtMs = 100 + index;
      const given = { index, bytes, isRepair, owner, storedAtMs };
      return s.keepFragment(plan, rows.fragment(plan, given), signal);
    };
    assertEquals(await s.care.ledger(owner, signal), undefined);
    await send(0, 1_000, true);
    assertEquals(await s.care.ledger(owner, signal), undefined);
    await send(1, 20, false);
    await send(2, 3, false);
    await send(2, 3, false);
    const account = {
      peer: owner,
      weKeepBytes: 23,
      theyKeepBytes: 0,
      isInstitutional: false,
      firstSeenMs: 101,
    };
    assertEquals(await s.care.ledger(owner, signal), account);
    // The per-peer limit counts them all, with the plan.
    assertEquals(await s.storedBytes(owner, signal), 1_023 + 50);
    await s.removeFragment(plan.hash, 1, signal);
    await s.removeFragment(plan.hash, 0, signal);
    const less = { ...account, weKeepBytes: 3 };
    assertEquals(await s.care.ledger(owner, signal), less);
    await s.removeFragment(plan.hash, 2, signal);
    assertEquals(await s.care.ledger(owner, signal), undefined);
  },

  "counts what holders keep of what is published, while they do": async (
    s,
    rows,
  ) => {
    const [ours, theirs] = [rows.hash(), rows.hash()];
    const tesseraId = rows.id();
    const [ann, ben] = [rows.node(), rows.node()];
    const place = (planHash = ours, index = 0, holder = ann) =>
      rows.placement({ planHash, index, holder, bytes: 10 ** index });
    const placed = [place(), place(ours, 1), place(ours, 2, ben)];
    const keeps = async () => [
      (await s.care.ledger(ann, signal))?.theyKeepBytes,
      (await s.care.ledger(ben, signal))?.theyKeepBytes,
    ];
    await s.care.putPlacements([...placed, place(theirs, 3)], signal);
    assertEquals(await keeps(), [undefined, undefined]);
    const publish = (planHash = ours) =>
      s.putPublication(
        { tesseraId, planHash, state: "publishing", updatedAtMs: 1 },
        signal,
      );
    await publish();
    await publish();
    assertEquals(await keeps(), [11, 100]);
    await s.care.putPlacements([place(ours, 3, ben)], signal);
    await s.care.putPlacements([{ ...placed[1]!, bytes: 70 }], signal);
    assertEquals(await keeps(), [71, 1_100]);
    await s.care.markPlacements(
      [{ planHash: ours, index: 3, holder: ben, lostAtMs: 9 }],
      signal,
    );
    assertEquals(await keeps(), [71, 100]);
    await s.care.markPlacements([
      { planHash: ours, index: 3, holder: ben, seenAtMs: 9 },
      { planHash: ours, index: 2, holder: ben, lostAtMs: 9 },
    ], signal);
    assertEquals(await keeps(), [71, 1_000]);
    await s.care.removePlacements([placed[1]!], signal);
    assertEquals(await keeps(), [1, 1_000]);
    // The tessera is published by another plan, which other holders keep.
    await publish(theirs);
    assertEquals(await keeps(), [1_000, undefined]);
    await publish(ours);
    assertEquals(await keeps(), [1, 1_000]);
    await s.removeTessera(tesseraId, signal);
    assertEquals(await keeps(), [undefined, undefined]);
  },

  "lists accounts, who owes most first, and keeps those of institutions":
    async (s, rows) => {
      const plan = rows.plan();
      await s.putPlan(plan, signal);
      const [debtor, friend, school] = [rows.node(), rows.node(), rows.node()];
      const sent = [rows.fragment(plan, { owner: debtor, bytes: 500 })];
      sent.push(rows.fragment(plan, { index: 1, owner: friend, bytes: 900 }));
      for (const row of sent) await s.putFragment(row, signal);
      const planHash = rows.hash();
      const tesseraId = rows.id();
      await s.putPublication(
        { tesseraId, planHash, state: "healthy", updatedAtMs: 1 },
        signal,
      );
      await s.care.putPlacements(
        [rows.placement({ planHash, holder: friend, bytes: 2_000 })],
        signal,
      );
      const mark = { peer: school, isInstitutional: true, atMs: 77 };
      await s.care.markInstitutional(mark, signal);
      await s.care.markInstitutional({ ...mark, atMs: 78 }, signal);
      await s.care.markInstitutional({ ...mark, peer: friend }, signal);
      const accounts = await s.care.ledgers(9, signal);
      assertEquals(
        accounts.map((row) => [
          toHex(row.peer),
          row.weKeepBytes,
          row.theyKeepBytes,
          row.isInstitutional,
          row.firstSeenMs,
        ]),
        [
          [toHex(debtor), 500, 0, false, 5],
          [toHex(school), 0, 0, true, 77],
          [toHex(friend), 900, 2_000, true, 5],
        ],
      );
      assertEquals(await s.care.ledgers(1, signal), accounts.slice(0, 1));
      const no = { peer: school, isInstitutional: false, atMs: 79 };
      await s.care.markInstitutional(no, signal);
      await s.care.markInstitutional({ ...no, peer: rows.node() }, signal);
      assertEquals(await s.care.ledger(school, signal), undefined);
      assertEquals((await s.care.ledgers(9, signal)).length, 2);
    },
};
