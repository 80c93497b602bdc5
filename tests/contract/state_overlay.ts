/** What every State must do with what a node knows of others: pointers, peers, small values. */
import type { PeerRow, PointerRow } from "@tesseras/state";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import type { Claims } from "./state_rows.ts";

const { signal } = new AbortController();

/** What is claimed about provider records. */
export const pointerClaims: Claims = {
  "replaces a pointer by none of a lower sequence": async (s, rows) => {
    const row = rows.pointer({ sequence: 5 });
    await s.putPointers([row, rows.pointer()], signal);
    await s.putPointers([{ ...row, sequence: 4, expiresAtMs: 9 }], signal);
    assertEquals(await s.pointers(row.tesseraId, signal), [row]);
    const beside = { ...row, holderRecord: rows.bytes(3) };
    await s.putPointers([beside], signal);
    assertEquals(await s.pointers(row.tesseraId, signal), [beside]);
    const next = { ...row, sequence: 6, record: rows.bytes(3) };
    await s.putPointers([next], signal);
    assertEquals(await s.pointers(row.tesseraId, signal), [next]);
    const moved = { ...next, sequence: 7, subnet: undefined };
    await s.putPointers([moved], signal);
    assertEquals(await s.pointers(row.tesseraId, signal), [moved]);
    const plan = { ...row, planHash: rows.hash(), sequence: 1 };
    await s.putPointers([plan], signal);
    assertEquals((await s.pointers(row.tesseraId, signal)).length, 2);
    assertEquals(await s.pointerCount(signal), 3);
  },

  "expires pointers at their time, and removes them by key": async (
    s,
    rows,
  ) => {
    const all = [1, 2, 3, 4].map((at) => rows.pointer({ expiresAtMs: at }));
    await s.putPointers(all, signal);
    assertEquals(await s.expirePointers(2, signal), 2);
    assertEquals(await s.expirePointers(2, signal), 0);
    assertEquals(await s.pointerCount(signal), 2);
    await s.removePointers([all[3]!, all[0]!], signal);
    assertEquals(await s.pointers(all[2]!.tesseraId, signal), [all[2]]);
    assertEquals(await s.pointerCount(signal), 1);
  },

  "pages through pointers that share tessera and holder": async (s, rows) => {
    const first = rows.pointer();
    const all = Array.from(
      { length: 13 },
      (_, at) =>
        at % 2 === 0
          ? { ...first, planHash: rows.hash() }
          : rows.pointer({ tesseraId: first.tesseraId }),
    );
    await s.putPointers(all, signal);
    const seen: PointerRow[] = [];
    for (;;) {
      const page = await s.allPointers(seen.at(-1), 3, signal);
      if (page.length === 0) break;
      seen.push(...page);
    }
    assertEquals(seen, await s.pointers(first.tesseraId, signal));
    assertEquals(seen.length, 13);
  },

  "takes more pointers at once than fit in one statement": async (s, rows) => {
    const all = Array.from({ length: 1_203 }, () => rows.pointer());
    await s.putPointers(all, signal);
    assertEquals(await s.pointerCount(signal), 1_203);
    await s.removePointers(all.slice(1), signal);
    assertEquals(await s.allPointers(undefined, 9, signal), [all[0]]);
  },
};

/** What is claimed about peers, values and callers that have gone. */
export const smallClaims: Claims = {
  "remembers peers, the one seen last first": async (s, rows) => {
    const [a, b, c] = [1, 2, 3].map((lastSeenMs) =>
      rows.peer({ lastSeenMs })
    ) as [PeerRow, PeerRow, PeerRow];
    await s.putPeers([b, c, a], signal);
    const seen = { ...a, lastSeenMs: 9, record: rows.bytes(5) };
    await s.putPeers([seen], signal);
    await s.removePeers([c.id, rows.node()], signal);
    assertEquals(await s.peers(9, signal), [seen, b]);
    assertEquals(await s.peers(1, signal), [seen]);
  },

  "remembers small values by name, empty ones too": async (s, rows) => {
    const bytes = rows.bytes(70_000);
    assertEquals(await s.value("sequence", signal), undefined);
    await s.putValue("sequence", bytes, signal);
    await s.putValue("flag", new Uint8Array(0), signal);
    assertEquals(await s.value("sequence", signal), bytes);
    assertEquals(await s.value("flag", signal), new Uint8Array(0));
    await s.putValue("sequence", Uint8Array.of(1), signal);
    assertEquals(await s.value("sequence", signal), Uint8Array.of(1));
    await assertRejectsCode(s.value("a\0", signal), "malformed");
  },

  "does nothing for a caller that has gone": async (s, rows) => {
    const gone = AbortSignal.abort();
    await assertRejectsCode(
      s.putValue("late", rows.bytes(1), gone),
      "cancelled",
    );
    await assertRejectsCode(s.tesseras(gone), "cancelled");
    assertEquals(await s.value("late", signal), undefined);
  },
};
