/** What every State must do with tombstones. */
import { TOMBSTONES_MAX } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { type Claims, hexes } from "./state_rows.ts";

const { signal } = new AbortController();

/** What is claimed about tombstones. */
export const tombstoneClaims: Claims = {
  "keeps the newest tombstone of a tessera and creator": async (s, rows) => {
    const row = rows.tombstone({ createdAtMs: 20, isOurs: true });
    const other = rows.tombstone({ tesseraId: row.tesseraId });
    for (
      const each of [
        row,
        { ...row, bytes: rows.bytes(3), createdAtMs: 19, isOurs: false },
        other,
      ]
    ) await s.care.putTombstones([each], signal);
    assertEquals(await s.care.tombstone(row, signal), row);
    assertEquals(await s.care.tombstone(other, signal), other);
    const newer = {
      ...row,
      bytes: rows.bytes(3),
      createdAtMs: 21,
      expiresAtMs: 60,
      isOurs: false,
    };
    await s.care.putTombstones([newer], signal);
    assertEquals(await s.care.tombstone(row, signal), {
      ...newer,
      isOurs: true,
    });
    assertEquals(
      await s.care.tombstone({ ...row, creator: rows.hash() }, signal),
      undefined,
    );
    assertEquals(
      (await s.care.ownTombstones(signal)).map(({ creator }) => creator),
      [row.creator],
    );
    await assertRejectsCode(
      s.care.putTombstones([{ ...row, expiresAtMs: -1 }], signal),
      "malformed",
    );
  },

  "forgets tombstones when their time is up": async (s, rows) => {
    const all = [1, 2, 3].map((expiresAtMs) => rows.tombstone({ expiresAtMs }));
    await s.care.putTombstones(all, signal);
    assertEquals(await s.care.expireTombstones(2, signal), 2);
    assertEquals(await s.care.expireTombstones(2, signal), 0);
    assertEquals(await s.care.tombstone(all[1]!, signal), undefined);
    assertEquals(await s.care.tombstone(all[2]!, signal), all[2]);
  },

  "removes fragments with their tombstone, ours apart": async (s, rows) => {
    const tesseraId = rows.id();
    const [mine, forged] = [rows.plan({ tesseraId }), rows.plan({ tesseraId })];
    const shared = rows.hash();
    const first = rows.fragment(mine);
    const copy = rows.fragment(mine, { index: 1, blob: first.blob });
    const elsewhere = rows.fragment(mine, { index: 2, blob: shared });
    const staged = rows.fragment(mine, { index: 3, owner: undefined });
    const another = rows.fragment(forged, { blob: shared });
    await s.putPlan(forged, signal);
    await s.putPlan(mine, signal);
    for (const row of [first, copy, elsewhere, staged, another]) {
      await s.putFragment(row, signal);
    }
    const row = rows.tombstone({ tesseraId });
    assertEquals(await s.care.forget(row, [mine.hash], signal), {
      fragmentCount: 3,
      blobs: [first.blob],
    });
    assertEquals(await s.care.tombstone(row, signal), row);
    assertEquals(
      hexes((await s.fragmentsOf(tesseraId, signal)).map(({ blob }) => blob)),
      hexes([shared, staged.blob]),
    );
    assertEquals(await s.plan(mine.hash, signal), mine);
    assertEquals(await s.care.ledger(first.owner!, signal), undefined);
    assertEquals(await s.storedBytes(first.owner, signal), 0);
    assertEquals(await s.care.forget(row, [forged.hash], signal), {
      fragmentCount: 1,
      blobs: [shared],
    });
    assertEquals(await s.plan(forged.hash, signal), undefined);
    assertEquals(await s.care.forget(row, [rows.hash()], signal), {
      fragmentCount: 0,
      blobs: [],
    });
    assertEquals(await s.care.forget(row, [], signal), {
      fragmentCount: 0,
      blobs: [],
    });
  },

  "remembers how far a tombstone has come, as long as the tombstone": async (
    s,
    rows,
  ) => {
    const { tesseraId, creator, ...rest } = rows.tombstone({ isOurs: true });
    const key = { tesseraId, creator };
    const cover = () => ({
      ...key,
      holder: rows.node(),
      record: rows.bytes(40),
      toldAtMs: undefined,
      confirmedAtMs: undefined,
    });
    const [one, two] = [cover(), cover()];
    await s.care.putCoverage([one], signal);
    assertEquals(await s.care.coverage(key, signal), []);
    await s.care.putTombstones([{ ...key, ...rest }], signal);
    await s.care.putCoverage([one, two], signal);
    const done = {
      ...one,
      record: rows.bytes(3),
      toldAtMs: 1,
      confirmedAtMs: 2,
    };
    await s.care.putCoverage([done], signal);
    const both = (await s.care.coverage(key, signal)).toSorted((a) =>
      a.toldAtMs === undefined ? 1 : -1
    );
    assertEquals(both, [done, two]);
    await s.care.putTombstones([{ ...key, ...rest, createdAtMs: 9 }], signal);
    assertEquals((await s.care.coverage(key, signal)).length, 2);
    await s.care.expireTombstones(rest.expiresAtMs, signal);
    assertEquals(await s.care.coverage(key, signal), []);
  },

  "keeps so many tombstones of others and no more, those that last longest":
    async (s, rows) => {
      const ours = rows.tombstone({ isOurs: true, expiresAtMs: 1 });
      const early = rows.tombstone({ expiresAtMs: 2 });
      const late = rows.tombstone({ expiresAtMs: 3 });
      await s.care.putTombstones([late, ours, early], signal);
      const one = rows.tombstone({ bytes: rows.bytes(1) });
      const many = Array.from(
        { length: TOMBSTONES_MAX - 1 },
        () => ({ ...one, creator: rows.hash() }),
      );
      await s.care.putTombstones(many, signal);
      assertEquals(await s.care.tombstone(early, signal), undefined);
      assertEquals(await s.care.tombstone(late, signal), late);
      assertEquals(await s.care.tombstone(ours, signal), ours);
    },
};
