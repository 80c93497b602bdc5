import fc from "fast-check";
import { nodeId } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { FirstDial, supersedes, type Twin } from "./duplicates.ts";

const LOW = nodeId(new Uint8Array(20).fill(1));
const HIGH = nodeId(new Uint8Array(20).fill(2));
const TWIN: Twin = { dialled: true, relayed: false, openedMs: 0 };

/** What a side sees of a connection that the lower id dialled, or did not. */
type Line = {
  readonly byLower: boolean;
  readonly relayed: boolean;
  readonly atMs: number;
};

/** Which of the lines a side keeps, when it hears of them in this order. */
function kept(lines: readonly Line[], isLower: boolean): Line {
  const [self, peer] = isLower ? [LOW, HIGH] : [HIGH, LOW];
  const twin = ({ byLower, relayed, atMs }: Line): Twin => ({
    dialled: byLower === isLower,
    relayed,
    openedMs: atMs,
  });
  return lines.reduce((open, fresh) =>
    supersedes(twin(fresh), twin(open), { self, peer, togetherMs: 10_000 })
      ? fresh
      : open
  );
}

Deno.test("both sides keep the same of two simultaneous connections, in whatever order each hears of them", () => {
  const line = fc.record({ relayed: fc.boolean(), atMs: fc.nat(9_000) });
  fc.assert(fc.property(line, line, (one, other) => {
    const lines = [{ ...one, byLower: true }, { ...other, byLower: false }];
    const answers = [true, false].flatMap((isLower) =>
      [lines, lines.toReversed()].map((order) => kept(order, isLower))
    );
    assertEquals(new Set(answers).size, 1);
  }));
});

Deno.test("a direct connection beats a relayed one whoever dialled it and whenever", () => {
  const direct = { byLower: false, relayed: false, atMs: 0 };
  const relayed = { byLower: true, relayed: true, atMs: 60_000 };
  assertEquals(kept([relayed, direct], true), direct);
  assertEquals(kept([direct, relayed], false), direct);
});

Deno.test("a later connection replaces one that its dialer takes for dead", () => {
  const rules = { self: HIGH, peer: LOW, togetherMs: 10_000 };
  const open = { ...TWIN, dialled: false };
  assertEquals(supersedes({ ...TWIN, openedMs: 9_999 }, open, rules), false);
  assertEquals(supersedes({ ...TWIN, openedMs: 10_000 }, open, rules), true);
  assertEquals(supersedes({ ...open, openedMs: 1 }, open, rules), true);
});

Deno.test("of one side's own dials only the first that stands is greeted on, or the next when that fails", () => {
  const first = new FirstDial();
  assertTrue(first.take());
  assertTrue(!first.take() && first.isTaken);
  first.release();
  assertTrue(!first.isTaken && first.take());
});
