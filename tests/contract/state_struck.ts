/** What every State must do with fragments that were struck out. */
import { assertEquals } from "@tesseras/testing";
import type { Claims } from "./state_rows.ts";

const { signal } = new AbortController();

/** What is claimed about them. */
export const struckClaims: Claims = {
  "remembers with its plan what was struck out, until it is kept again": async (
    s,
    rows,
  ) => {
    const plan = rows.plan();
    const one = rows.fragment(plan, { subnet: "192.0.2.0/24", isRepair: true });
    const two = rows.fragment(plan, { index: 2 });
    await s.keepFragment(plan, one, signal);
    await s.keepFragment(plan, two, signal);
    await s.care.strikeOut(two, 9, signal);
    await s.care.strikeOut(one, 7, signal);
    await s.care.strikeOut({ planHash: plan.hash, index: 5 }, 7, signal);
    await s.care.strikeOut(rows.fragment(rows.plan()), 7, signal);
    assertEquals(await s.fragmentsOf(plan.tesseraId, signal), []);
    assertEquals(await s.care.struck(plan.hash, signal), [one, two]);
    assertEquals(await s.plan(plan.hash, signal), plan);
    assertEquals(await s.care.ledger(two.owner!, signal), undefined);
    assertEquals(await s.storedBytes(undefined, signal), 0);
    await s.keepFragment(plan, { ...two, storedAtMs: 10 }, signal);
    assertEquals(await s.care.struck(plan.hash, signal), [one]);
    await s.removeFragment(plan.hash, 2, signal);
    assertEquals(await s.plan(plan.hash, signal), plan);
    assertEquals(await s.care.expireStruck(7, signal), 0);
    assertEquals(await s.care.expireStruck(8, signal), 1);
    assertEquals(await s.plan(plan.hash, signal), undefined);
  },

  "forgets what was struck out when somebody else keeps it": async (
    s,
    rows,
  ) => {
    const plan = rows.plan();
    const all = [0, 1, 2].map((index) => rows.fragment(plan, { index }));
    for (const row of all) await s.keepFragment(plan, row, signal);
    for (const row of all) await s.care.strikeOut(row, 7, signal);
    await s.care.removeStruck([all[0]!, all[2]!, all[0]!], signal);
    assertEquals(await s.care.struck(plan.hash, signal), [all[1]]);
    assertEquals(await s.plan(plan.hash, signal), plan);
    await s.care.removeStruck([all[1]!], signal);
    assertEquals(await s.plan(plan.hash, signal), undefined);
  },

  "leaves a plan alone of which nothing was struck out": async (s, rows) => {
    const plan = rows.plan();
    await s.putPlan(plan, signal);
    const row = rows.fragment(plan);
    await s.care.removeStruck([row], signal);
    assertEquals(await s.plan(plan.hash, signal), plan);
  },

  "forgets what was struck out with a tombstone": async (s, rows) => {
    const plan = rows.plan();
    await s.keepFragment(plan, rows.fragment(plan), signal);
    await s.care.strikeOut({ planHash: plan.hash, index: 0 }, 7, signal);
    const stone = rows.tombstone({ tesseraId: plan.tesseraId });
    const { fragmentCount } = await s.care.forget(stone, [plan.hash], signal);
    assertEquals(fragmentCount, 0);
    assertEquals(await s.care.struck(plan.hash, signal), []);
    assertEquals(await s.plan(plan.hash, signal), undefined);
  },
};
