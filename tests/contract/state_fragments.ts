/** What every State must do with plans, fragments and publications. */
import { toHex } from "@tesseras/core";
import { type FragmentRow, type Holding, NOBODY } from "@tesseras/state";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { type Claims, hexes } from "./state_rows.ts";

const { signal } = new AbortController();

/** What is claimed about plans and fragments. */
export const fragmentClaims: Claims = {
  "gives back plans, one or all of a tessera": async (s, rows) => {
    const plan = rows.plan();
    const second = rows.plan({ tesseraId: plan.tesseraId });
    for (const each of [plan, second, plan, rows.plan()]) {
      await s.putPlan(each, signal);
    }
    assertEquals(await s.plan(plan.hash, signal), plan);
    assertEquals(await s.plan(rows.hash(), signal), undefined);
    assertEquals(
      hexes((await s.plansOf(plan.tesseraId, signal)).map((row) => row.hash)),
      hexes([plan.hash, second.hash]),
    );
  },

  "gives back a fragment, and stores it once": async (s, rows) => {
    const plan = rows.plan();
    await s.putPlan(plan, signal);
    const subnet = "192.0.2.0/24";
    const row = rows.fragment(plan, { index: 71, subnet, isRepair: true });
    assertEquals(await s.putFragment(row, signal), "stored");
    assertEquals(
      await s.putFragment({ ...row, bytes: 1, owner: undefined }, signal),
      "exists",
    );
    assertEquals(await s.fragment(plan.hash, 71, signal), row);
    assertEquals(await s.fragment(plan.hash, 70, signal), undefined);
    assertEquals(await s.references(row.blob, signal), 1);
  },

  "gives back the fragments of a tessera or of one of its plans, by index":
    async (s, rows) => {
      const plan = rows.plan();
      const other = rows.plan({ tesseraId: plan.tesseraId });
      const ids = async (of: typeof plan) =>
        (await s.fragmentsOfPlan(of.hash, signal)).map(({ index }) => index);
      for (const each of [plan, other]) await s.putPlan(each, signal);
      for (const index of [9, 71, 10, 0]) {
        await s.putFragment(rows.fragment(plan, { index }), signal);
      }
      assertEquals(await ids(other), []);
      const row = rows.fragment(other, { index: 3 });
      await s.putFragment(row, signal);
      assertEquals(await ids(plan), [0, 9, 10, 71]);
      assertEquals(await s.fragmentsOfPlan(other.hash, signal), [row]);
      assertEquals((await s.fragmentsOf(plan.tesseraId, signal)).length, 5);
      await s.removeFragment(plan.hash, 10, signal);
      assertEquals(await ids(plan), [0, 9, 71]);
      assertEquals(await ids(rows.plan()), []);
    },

  "refuses a fragment whose plan is not kept": async (s, rows) => {
    const row = rows.fragment(rows.plan());
    await assertRejectsCode(s.putFragment(row, signal), "absent", /plan/);
    assertEquals(await s.references(row.blob, signal), 0);
  },

  "pages through fragments without gap or repetition": async (s, rows) => {
    const keys: string[] = [];
    for (const plan of [rows.plan(), rows.plan(), rows.plan()]) {
      await s.putPlan(plan, signal);
      for (const index of [10, 0, 9, 71]) {
        await s.putFragment(rows.fragment(plan, { index }), signal);
        keys.push(`${toHex(plan.hash)} ${String(index).padStart(2, "0")}`);
      }
    }
    const seen: string[] = [];
    let after: FragmentRow | undefined;
    for (;;) {
      const page = await s.fragments(after, 5, signal);
      if (page.length === 0) break;
      for (const row of page) {
        seen.push(
          `${toHex(row.planHash)} ${String(row.index).padStart(2, "0")}`,
        );
      }
      after = page.at(-1);
    }
    assertEquals(seen, keys.sort());
  },

  "pages through the plans it holds for others by tessera, each once": async (
    s,
    rows,
  ) => {
    const held: string[] = [];
    for (let at = 0; at < 7; at++) {
      const tesseraId = rows.id();
      for (const mine of [false, false, true]) {
        const plan = rows.plan({ tesseraId });
        await s.putPlan(plan, signal);
        const owner = mine ? undefined : rows.node();
        for (const index of [4, 0, 9]) {
          await s.putFragment(rows.fragment(plan, { index, owner }), signal);
        }
        if (!mine) held.push(`${toHex(tesseraId)} ${toHex(plan.hash)}`);
      }
    }
    const seen: Holding[] = [];
    for (;;) {
      const page = await s.holdings(seen.at(-1), 3, signal);
      if (page.length === 0) break;
      seen.push(...page);
    }
    assertEquals(
      seen.map((one) => `${toHex(one.tesseraId)} ${toHex(one.planHash)}`),
      held.sort(),
    );
  },

  "counts the bytes of every peer, and never its own": async (s, rows) => {
    const plan = rows.plan();
    await s.putPlan(plan, signal);
    const [ann, ben] = [rows.node(), rows.node()];
    const owners = [ann, ben, ann, undefined];
    for (const [index, owner] of owners.entries()) {
      const bytes = 10 ** index;
      await s.putFragment(
        rows.fragment(plan, { index, owner, bytes }),
        signal,
      );
    }
    // The plan has 50, once for each who has something of it.
    assertEquals(await s.storedBytes(ann, signal), 101 + 50);
    assertEquals(await s.storedBytes(ben, signal), 10 + 50);
    assertEquals(await s.storedBytes(rows.node(), signal), 0);
    assertEquals(await s.storedBytes(undefined, signal), 111 + 100);
  },

  "counts the bytes of every subnet, a plan once, and gives them back": async (
    s,
    rows,
  ) => {
    const [here, there] = ["192.0.2.0/24", "2001:db8:1::/48"];
    const plans = [rows.plan(), rows.plan()];
    const bytesOf = async () => [
      await s.storedBytes(here, signal),
      await s.storedBytes(there, signal),
    ];
    for (const plan of plans) {
      await s.putPlan(plan, signal);
      for (const [index, subnet] of [here, here, there, undefined].entries()) {
        const bytes = 10 ** index;
        await s.putFragment(
          rows.fragment(plan, { index, subnet, bytes }),
          signal,
        );
      }
      // What is here already counts nothing.
      await s.putFragment(rows.fragment(plan, { subnet: there }), signal);
    }
    assertEquals(await bytesOf(), [2 * (11 + 50), 2 * (100 + 50)]);
    const [plan] = plans;
    await s.removeFragment(plan!.hash, 0, signal);
    await s.removeFragment(plan!.hash, 0, signal);
    assertEquals(await bytesOf(), [61 + 10 + 50, 300]);
    await s.removeFragment(plan!.hash, 1, signal);
    await s.removeFragment(plan!.hash, 2, signal);
    assertEquals(await bytesOf(), [61, 150]);
  },

  "keeps a fragment with its plan, or neither": async (s, rows) => {
    const plan = rows.plan();
    const row = rows.fragment(plan);
    await assertRejectsCode(
      s.keepFragment(plan, { ...row, bytes: -1 }, signal),
      "malformed",
    );
    assertEquals(await s.plan(plan.hash, signal), undefined);
    assertEquals(await s.keepFragment(plan, row, signal), "stored");
    assertEquals(await s.keepFragment(plan, row, signal), "exists");
    assertEquals(await s.plan(plan.hash, signal), plan);
    assertEquals(await s.storedBytes(row.owner, signal), 150);
  },

  "keeps a staged fragment for whoever brings it first, and charges them":
    async (s, rows) => {
      const tessera = rows.tessera();
      await s.addTessera(tessera, [], signal);
      const plan = rows.plan({ tesseraId: tessera.id });
      const staged = rows.fragment(plan, { owner: undefined });
      await s.putPlan(plan, signal);
      await s.putFragment(staged, signal);
      assertEquals(await s.storedBytes(undefined, signal), 0);
      const brought = { ...staged, owner: rows.fragment(plan).owner };
      assertEquals(await s.keepFragment(plan, staged, signal), "exists");
      assertEquals(await s.keepFragment(plan, brought, signal), "stored");
      assertEquals(await s.keepFragment(plan, brought, signal), "exists");
      assertEquals(await s.fragment(plan.hash, staged.index, signal), brought);
      assertEquals(await s.references(staged.blob, signal), 1);
      assertEquals(
        await s.storedBytes(brought.owner, signal),
        brought.bytes + plan.bytes.length,
      );
      // It is no longer ours to throw away.
      await s.removeTessera(tessera.id, signal);
      assertEquals(await s.fragment(plan.hash, staged.index, signal), brought);
    },

  "keeps what nobody knows the owner of for whoever brings it": async (
    s,
    rows,
  ) => {
    const plan = rows.plan();
    const found = rows.fragment(plan, { owner: NOBODY, subnet: undefined });
    const brought = { ...found, owner: rows.fragment(plan).owner };
    assertEquals(await s.keepFragment(plan, found, signal), "stored");
    assertEquals((await s.holdings(undefined, 9, signal)).length, 1);
    assertEquals(await s.keepFragment(plan, found, signal), "exists");
    assertEquals(await s.keepFragment(plan, brought, signal), "stored");
    assertEquals(await s.storedBytes(NOBODY, signal), 0);
    assertEquals(await s.references(found.blob, signal), 1);
    assertEquals(await s.plan(plan.hash, signal), plan);
  },

  "refers to a plan as long as it is kept": async (s, rows) => {
    const plan = rows.plan();
    assertEquals(await s.references(plan.hash, signal), 0);
    for (const index of [0, 1]) {
      await s.keepFragment(plan, rows.fragment(plan, { index }), signal);
    }
    assertEquals(await s.references(plan.hash, signal), 1);
    await s.removeFragment(plan.hash, 0, signal);
    assertEquals(await s.references(plan.hash, signal), 1);
    await s.removeFragment(plan.hash, 1, signal);
    assertEquals(await s.references(plan.hash, signal), 0);
  },

  "releases a fragment's blob with its last reference, and its plan with its last fragment":
    async (s, rows) => {
      const plan = rows.plan();
      await s.putPlan(plan, signal);
      const first = rows.fragment(plan);
      const second = rows.fragment(plan, { index: 1, blob: first.blob });
      await s.putFragment(first, signal);
      await s.putFragment(second, signal);
      assertEquals(await s.removeFragment(plan.hash, 0, signal), []);
      assertEquals(await s.plan(plan.hash, signal), plan);
      assertEquals(await s.removeFragment(plan.hash, 1, signal), [first.blob]);
      assertEquals(await s.removeFragment(plan.hash, 1, signal), []);
      assertEquals(await s.plan(plan.hash, signal), undefined);
      assertEquals(await s.storedBytes(undefined, signal), 0);
    },

  "keeps the plan of a tessera of ours without fragments": async (s, rows) => {
    const row = rows.tessera();
    const plan = rows.plan({ tesseraId: row.id });
    await s.addTessera(row, [], signal);
    await s.putPlan(plan, signal);
    const staged = rows.fragment(plan, { owner: undefined });
    await s.putFragment(staged, signal);
    await s.removeFragment(plan.hash, 0, signal);
    assertEquals(await s.plan(plan.hash, signal), plan);
  },
};

/** What is claimed about publications. */
export const publicationClaims: Claims = {
  "remembers how far a publication is": async (s, rows) => {
    const row = {
      tesseraId: rows.id(),
      planHash: rows.hash(),
      state: "publishing",
      updatedAtMs: 1,
    } as const;
    await s.putPublication(row, signal);
    const healthy = { ...row, state: "healthy", updatedAtMs: 2 } as const;
    await s.putPublication(healthy, signal);
    assertEquals(await s.publication(row.tesseraId, signal), healthy);
    assertEquals(await s.publications(signal), [healthy]);
    assertEquals(await s.publication(rows.id(), signal), undefined);
  },
};
