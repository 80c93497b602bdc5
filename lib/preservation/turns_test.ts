import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { FRAGMENTS_MAX, TESSERA_BYTES_MAX } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { gridPointMs, lookAtMs, PACE_DEFAULTS, roundAt } from "./schedule.ts";
import {
  actAtMs,
  isTurn,
  type Turn,
  TURN_DEFAULTS,
  turnMs,
  turnOf,
  turnPlace,
} from "./turns.ts";

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 24 * 3_600_000;

function ids(count: number, seed: number): NodeId[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => nodeId(random.bytes(20)));
}

const worlds = fc.record({
  seed: fc.nat(),
  count: fc.integer({ min: 1, max: FRAGMENTS_MAX }),
  packBytes: fc.integer({ min: 1, max: TESSERA_BYTES_MAX }),
});

Deno.test("a turn is 20 minutes for the smallest tessera and 84 for the largest", () => {
  assertEquals(Math.round(turnMs(1) / 60_000), 20);
  assertEquals(Math.round(turnMs(TESSERA_BYTES_MAX) / 60_000), 84);
});

Deno.test("the nearest to the key is first, and every place is taken once", () => {
  const [key, ...holders] = ids(25, 1) as [NodeId, ...NodeId[]];
  const places = holders.map((self) => turnPlace(key, self, holders).place);
  assertEquals(places.toSorted((a, b) => a - b), [...places.keys()]);
  const first = holders[places.indexOf(0)]!;
  const far = (id: NodeId) => keyOf(id.map((byte, i) => byte ^ key[i]!));
  assertTrue(holders.every((id) => far(first) <= far(id)));
});

Deno.test("naming a holder twice, or ourselves not at all, changes no place", () => {
  const [key, self, ...others] = ids(9, 2) as [NodeId, NodeId, ...NodeId[]];
  const plain = turnPlace(key, self, others);
  assertEquals(plain, turnPlace(key, self, [...others, self, ...others]));
});

Deno.test("in equal views it is always exactly one's turn, once the first has begun", () => {
  fc.assert(fc.property(
    worlds,
    fc.integer({ min: 0, max: 30 * DAY_MS }),
    ({ seed, count, packBytes }, laterMs) => {
      const [key, ...live] = ids(count + 1, seed) as [NodeId, ...NodeId[]];
      const needSinceMs = NOW_MS;
      const anchorMs = gridPointMs(key, needSinceMs);
      const nowMs = anchorMs + laterMs;
      const on = live.filter((self) =>
        isTurn(
          turnOf({ key, self, live, packBytes, needSinceMs, nowMs }),
          nowMs,
        )
      );
      assertEquals(on.length, 1);
    },
  ));
});

Deno.test("nobody has a turn before the first, and nobody's next turn is over", () => {
  fc.assert(fc.property(
    worlds,
    fc.integer({ min: -DAY_MS, max: 30 * DAY_MS }),
    ({ seed, count, packBytes }, laterMs) => {
      const [key, ...live] = ids(count + 1, seed) as [NodeId, ...NodeId[]];
      const nowMs = NOW_MS + laterMs;
      for (const self of live) {
        const turn = turnOf({
          key,
          self,
          live,
          packBytes,
          needSinceMs: NOW_MS,
          nowMs,
        });
        assertTrue(turn.beginsMs >= gridPointMs(key, NOW_MS));
        assertTrue(turn.endsMs > nowMs);
        assertTrue(
          turn.beginsMs - Math.max(nowMs, gridPointMs(key, NOW_MS)) <
            live.length * turnMs(packBytes),
          "it comes within a cycle",
        );
      }
    },
  ));
});

Deno.test("all who look in one round count their turns from the same moment", () => {
  const random = new SeededRandom(3);
  for (const key of ids(50, 4)) {
    const round = roundAt(key, NOW_MS);
    const anchors = Array.from(
      { length: 20 },
      () => gridPointMs(key, lookAtMs(key, round, { random })),
    );
    assertEquals(new Set(anchors).size, 1);
  }
});

Deno.test("acts within its turn, not all at its first moment", () => {
  const random = new SeededRandom(5);
  const turn: Turn = { place: 0, beginsMs: NOW_MS, endsMs: NOW_MS + turnMs(1) };
  const moments = Array.from({ length: 100 }, () => actAtMs(turn, random));
  assertTrue(moments.every((ms) => isTurn(turn, ms)));
  assertTrue(Math.max(...moments) <= NOW_MS + TURN_DEFAULTS.turnJitterMs);
  assertTrue(new Set(moments).size > 90);
});

/**
 * Holders that repair one loss, each by its own view. Who has its turn and sees nothing mended yet begins, and is done before its
 * turn is over. Returns who began.
 */
function repairs(
  { key, live, viewOf, needSinceOf, packBytes, random }: {
    readonly key: NodeId;
    readonly live: readonly NodeId[];
    readonly viewOf: (self: NodeId) => readonly NodeId[];
    readonly needSinceOf: (self: NodeId) => number;
    readonly packBytes: number;
    readonly random: SeededRandom;
  },
): { readonly beganMs: number; readonly doneMs: number }[] {
  const plans = live.map((self) => {
    const needSinceMs = needSinceOf(self);
    const turn = turnOf({
      key,
      self,
      live: viewOf(self),
      packBytes,
      needSinceMs,
      nowMs: needSinceMs,
    });
    const beganMs = actAtMs(turn, random);
    const workMs = turnMs(packBytes) - TURN_DEFAULTS.turnJitterMs;
    return { beganMs, doneMs: beganMs + workMs };
  }).sort((a, b) => a.beganMs - b.beganMs);
  const firstDoneMs = Math.min(...plans.map(({ doneMs }) => doneMs));
  return plans.filter(({ beganMs }) => beganMs < firstDoneMs);
}

Deno.test("one loss is repaired once by those who see the same", () => {
  fc.assert(fc.property(worlds, ({ seed, count, packBytes }) => {
    const [key, ...live] = ids(count + 1, seed) as [NodeId, ...NodeId[]];
    const began = repairs({
      key,
      live,
      packBytes,
      viewOf: () => live,
      needSinceOf: () => NOW_MS,
      random: new SeededRandom(seed),
    });
    assertEquals(began.length, 1);
  }));
});

Deno.test("somebody repairs within a cycle whatever anybody believes, and views that are wrong about d holders waste at most 2 d repairs", () => {
  fc.assert(fc.property(
    worlds,
    fc.nat(8),
    fc.nat(20),
    ({ seed, count, packBytes }, differ, deadCount) => {
      const random = new SeededRandom(seed);
      const [key, ...all] = ids(count + deadCount + 1, seed) as [
        NodeId,
        ...NodeId[],
      ];
      const live = all.slice(0, count);
      // Each holder is wrong about some of the others, alive or dead, in its own way.
      const views = new Map(live.map((self) => {
        const wrong = new Set(
          Array.from({ length: differ }, () => all[random.below(all.length)]!),
        );
        return [self, all.filter((id) => live.includes(id) !== wrong.has(id))];
      }));
      const began = repairs({
        key,
        live,
        packBytes,
        viewOf: (self) => views.get(self)!,
        needSinceOf: () => NOW_MS,
        random,
      });
      const cycleMs = turnMs(packBytes) * (all.length + 1);
      assertTrue(began.length >= 1);
      assertTrue(began[0]!.beganMs <= gridPointMs(key, NOW_MS) + cycleMs);
      assertTrue(
        began.length <= 2 * differ + 1,
        `${began.length} of ${count} began`,
      );
    },
  ));
});

Deno.test("somebody repairs even when all saw the need at different times and trust in different holders", () => {
  fc.assert(fc.property(worlds, ({ seed, count, packBytes }) => {
    const random = new SeededRandom(seed);
    const [key, ...live] = ids(count + 1, seed) as [NodeId, ...NodeId[]];
    const needSince = new Map(
      live.map((self) => [self, NOW_MS + random.below(3 * DAY_MS)]),
    );
    const views = new Map(live.map((self) => [
      self,
      live.filter(() => random.below(2) === 0),
    ]));
    const began = repairs({
      key,
      live,
      packBytes,
      viewOf: (self) => views.get(self)!,
      needSinceOf: (self) => needSince.get(self)!,
      random,
    });
    assertTrue(began.length >= 1);
    const lastMs = NOW_MS + 3 * DAY_MS + PACE_DEFAULTS.jitterMs +
      (live.length + 1) * turnMs(packBytes);
    assertTrue(began[0]!.beganMs <= lastMs);
  }));
});
