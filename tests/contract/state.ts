/** What every State must do, whatever it is made of. */
import { hash, tesseraId, toHex } from "@tesseras/core";
import type { State, TesseraRow } from "@tesseras/state";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { ledgerClaims, placementClaims, watchClaims } from "./state_care.ts";
import { fragmentClaims, publicationClaims } from "./state_fragments.ts";
import { pointerClaims, smallClaims } from "./state_overlay.ts";
import { tombstoneClaims } from "./state_tombstones.ts";
import { type Claims, hexes, Rows } from "./state_rows.ts";
import { struckClaims } from "./state_struck.ts";

const { signal } = new AbortController();

const tesseraClaims: Claims = {
  "gives back a tessera and its files as they were": async (s, rows) => {
    const row = rows.tessera({ visibility: "sealed", origin: "imported" });
    const files = [
      rows.file({ path: 'z/"quoted"\n[1]\' 🎞.txt' }),
      rows.file({ path: "a.jpg", bytes: 0 }),
      rows.file({ path: "\u202eמשפחה.wav" }),
    ];
    assertEquals(await s.addTessera(row, files, signal), "added");
    assertEquals(await s.tessera(row.id, signal), row);
    assertEquals(await s.filesOf(row.id, signal), files);
  },

  "keeps nothing of a tessera added twice": async (s, rows) => {
    const row = rows.tessera();
    const file = rows.file();
    await s.addTessera(row, [file], signal);
    const other = rows.file({ path: "other.txt" });
    assertEquals(
      await s.addTessera({ ...row, title: "other" }, [file, other], signal),
      "exists",
    );
    assertEquals(await s.tessera(row.id, signal), row);
    assertEquals(await s.filesOf(row.id, signal), [file]);
    assertEquals(await s.references(other.hash, signal), 0);
  },

  "keeps the rows when the caller reuses its buffers": async (s, rows) => {
    const row = rows.tessera();
    const reused = tesseraId(row.id.slice());
    await s.addTessera({ ...row, id: reused }, [], signal);
    reused.fill(0);
    assertEquals(await s.tessera(row.id, signal), row);
  },

  "takes ids that are windows of a larger buffer": async (s, rows) => {
    const frame = rows.bytes(100);
    const id = tesseraId(frame.subarray(5, 37));
    const row = rows.tessera({ id, manifest: hash(frame.subarray(40, 72)) });
    await s.addTessera(row, [], signal);
    const found = await s.tessera(tesseraId(id.slice()), signal);
    assertEquals(toHex(found!.manifest), toHex(row.manifest));
  },

  "lists tesseras, the one added last first": async (s, rows) => {
    const [old, middle, young] = [1, 2, 3].map((addedAtMs) =>
      rows.tessera({ addedAtMs })
    ) as [TesseraRow, TesseraRow, TesseraRow];
    for (const row of [middle, young, old]) {
      await s.addTessera(row, [], signal);
    }
    assertEquals(await s.tesseras(signal), [young, middle, old]);
  },

  "finds ids by a prefix of any length": async (s, rows) => {
    const row = rows.tessera();
    const twin = rows.tessera({ id: tesseraId(row.id.slice()) });
    twin.id[31]! ^= 1;
    for (const each of [row, twin, rows.tessera()]) {
      await s.addTessera(each, [], signal);
    }
    const hex = toHex(row.id);
    const both = [row.id, twin.id].sort((a, b) => a[31]! - b[31]!);
    const found = (prefix: string, limit = 9) =>
      s.tesserasByPrefix(prefix, limit, signal);
    assertEquals(await found(hex.slice(0, 7)), both);
    assertEquals(await found(hex.toUpperCase().slice(0, 62)), both);
    assertEquals(await found(hex), [row.id]);
    assertEquals(await found(hex.slice(0, 8), 1), both.slice(0, 1));
    assertEquals((await found("")).length, 3);
    await assertRejectsCode(found("xyz1"), "malformed");
    await assertRejectsCode(found(hex + "0"), "malformed");
  },

  "releases only blobs that nobody else needs": async (s, rows) => {
    const shared = rows.hash();
    const [first, second] = [rows.tessera(), rows.tessera()];
    const own = rows.file();
    const twice = { ...own, path: "again.jpg" };
    await s.addTessera(
      first,
      [own, twice, rows.file({ hash: shared })],
      signal,
    );
    await s.addTessera(second, [rows.file({ hash: shared })], signal);
    assertEquals(await s.references(own.hash, signal), 2);
    assertEquals(await s.references(shared, signal), 2);
    assertEquals(await s.references(first.manifest, signal), 1);
    const released = await s.removeTessera(first.id, signal);
    assertEquals(hexes(released), hexes([own.hash, first.manifest]));
    assertEquals(await s.tessera(first.id, signal), undefined);
    assertEquals(await s.filesOf(first.id, signal), []);
    assertEquals(await s.references(shared, signal), 1);
    const rest = await s.removeTessera(second.id, signal);
    assertEquals(hexes(rest), hexes([shared, second.manifest]));
    assertEquals(await s.removeTessera(second.id, signal), []);
  },

  "forgets what it staged for a tessera, and keeps what it holds for others":
    async (s, rows) => {
      const row = rows.tessera();
      const id = row.id;
      const [staged, held] = [
        rows.plan({ tesseraId: id }),
        rows.plan({ tesseraId: id }),
      ];
      await s.addTessera(row, [], signal);
      await s.putPlan(staged, signal);
      await s.putPlan(held, signal);
      const own = rows.fragment(staged, { owner: undefined });
      const foreign = rows.fragment(held);
      await s.putFragment(own, signal);
      await s.putFragment(foreign, signal);
      const { planHash } = own;
      await s.care.putPlacements([rows.placement({ planHash })], signal);
      await s.putPublication(
        { tesseraId: id, planHash, state: "publishing", updatedAtMs: 1 },
        signal,
      );
      const released = await s.removeTessera(id, signal);
      assertEquals(hexes(released), hexes([own.blob, row.manifest]));
      assertEquals(await s.plansOf(id, signal), [held]);
      assertEquals(await s.fragmentsOf(id, signal), [foreign]);
      assertEquals(await s.care.placements(planHash, signal), []);
      assertEquals(await s.publication(id, signal), undefined);
    },

  "refuses texts and numbers it could not give back": async (s, rows) => {
    const bad = [
      rows.tessera({ title: "a\0b" }),
      rows.tessera({ title: "\ud800" }),
      rows.tessera({ bytes: -1 }),
      rows.tessera({ createdAtMs: 1.5 }),
      rows.tessera({ packBytes: 2 ** 53 }),
    ];
    for (const row of bad) {
      await assertRejectsCode(s.addTessera(row, [], signal), "malformed");
    }
    const path = "a\0b";
    await assertRejectsCode(
      s.addTessera(rows.tessera(), [rows.file({ path })], signal),
      "malformed",
    );
    assertEquals(await s.tesseras(signal), []);
  },
};

/** Registers the suite for one kind of state; `open` gives a fresh empty one. */
export function stateContract(name: string, open: () => Promise<State>): void {
  const claims = {
    ...tesseraClaims,
    ...fragmentClaims,
    ...publicationClaims,
    ...pointerClaims,
    ...smallClaims,
    ...placementClaims,
    ...watchClaims,
    ...ledgerClaims,
    ...struckClaims,
    ...tombstoneClaims,
  };
  for (const [claim, test] of Object.entries(claims)) {
    Deno.test(`${name}: ${claim}`, async () => {
      await using state = await open();
      await test(state, new Rows(7));
    });
  }
}
