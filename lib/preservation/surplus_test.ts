import { nodeId } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import type { Keeping } from "./health.ts";
import { surplusOf } from "./surplus.ts";

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const CODING = { dataCount: 2, parityCount: 6 } as const;
const COUNT = 8;
const KEY = nodeId(new Uint8Array(20));

/** The holder so many steps from the key. */
const peer = (at: number) => ({
  id: nodeId(new Uint8Array(20).fill(at, 19)),
  subnet: undefined,
});

function keeping(index: number, at: number, days = 9): Keeping {
  const sinceMs = NOW_MS - days * DAY_MS;
  const standing = { is: "attested", atMs: NOW_MS, sinceMs } as const;
  return { index, holder: peer(at), standing };
}

const one = (index: number) => keeping(index, index + 1);
const WHOLE = Array.from({ length: COUNT }, (_, index) => one(index));

const ALL = new Set(WHOLE.map(({ index }) => index));

function decide(
  self: number,
  keepings: readonly Keeping[],
  replaceable: ReadonlySet<number> = ALL,
) {
  return surplusOf({
    ...CODING,
    keepings,
    watchedSinceMs: NOW_MS - 30 * DAY_MS,
    key: KEY,
    self: peer(self).id,
    replaceable,
  }, NOW_MS);
}

Deno.test("the farther of two who keep the same lets go, once the nearer has answered for over a week", () => {
  const both = [...WHOLE, keeping(3, 40)];
  assertEquals(decide(40, both), { index: 3, keeper: peer(4) });
  assertEquals(decide(4, both), undefined);
  const fresh = both.map((it) =>
    it.holder.id === both[3]!.holder.id ? keeping(3, 4, 7) : it
  );
  assertEquals(decide(40, fresh), undefined);
});

Deno.test("nobody who was there all along is driven out by one who came to keep the same", () => {
  const both = [...WHOLE, keeping(3, 40), keeping(5, 40)];
  assertEquals(decide(40, both, new Set()), undefined);
  assertEquals(decide(40, both, new Set([5])), { index: 5, keeper: peer(6) });
});

Deno.test("nobody lets go of what nobody else has, nor for a word, a silence or an old proof", () => {
  assertEquals(decide(8, WHOLE), undefined);
  const atMs = NOW_MS - 2 * 3_600_000;
  const sinceMs = NOW_MS - 20 * DAY_MS;
  const standings: readonly Keeping["standing"][] = [
    { is: "reported", atMs: NOW_MS },
    { is: "attested", atMs, sinceMs },
    {
      is: "unproved",
      sinceMs: atMs,
      triedAtMs: atMs,
      tryCount: 1,
      evasionCount: 0,
    },
    { is: "lost", why: "said", atMs },
  ];
  for (const standing of standings) {
    const others = WHOLE.with(3, { ...one(3), standing });
    assertEquals(decide(40, [...others, keeping(3, 40)]), undefined);
  }
});

Deno.test("nobody lets go while something is missing, or where it would lie too close together", () => {
  const both = [...WHOLE, keeping(3, 40)];
  assertEquals(decide(40, both.filter(({ index }) => index !== 5)), undefined);
  const few = both.map((it) => it.index < 3 ? keeping(it.index, 3) : it);
  assertEquals(new Set(few.map(({ holder }) => holder.id[19])).size, 7);
  assertEquals(decide(40, few), undefined);
});

Deno.test("one at a time", () => {
  const both = [...WHOLE, keeping(3, 40), keeping(5, 40)];
  assertEquals(decide(40, both)?.index, 3);
});

Deno.test("whoever decides at one moment, and whatever each knows, every fragment keeps its nearest true holder", () => {
  const pairs = fc.uniqueArray(
    fc.tuple(fc.nat(COUNT - 1), fc.integer({ min: 1, max: 30 })),
    { minLength: COUNT, maxLength: 40, selector: ([i, at]) => `${i} ${at}` },
  );
  /** Of each holder: which keepings it does not know, and which lies it hears. */
  const ignorance = fc.array(fc.nat(39), { maxLength: 12 });
  const lies = fc.array(
    fc.tuple(fc.nat(COUNT - 1), fc.integer({ min: 31, max: 60 })),
    { maxLength: 12 },
  );
  let releaseCount = 0;
  fc.assert(
    fc.property(
      pairs,
      fc.array(fc.tuple(ignorance, lies), { minLength: 30, maxLength: 30 }),
      (drawn, knowledge) => {
        let truth = [
          ...WHOLE.map(({ index }) => [index, index + 1] as const),
          ...drawn,
        ]
          .filter(([i, at], place, all) =>
            all.findIndex(([j, other]) => i === j && at === other) === place
          );
        const nearest = new Map<number, number>();
        for (const [index, at] of truth) {
          nearest.set(index, Math.min(at, nearest.get(index) ?? 99));
        }
        for (let round = 0; round < 3; round++) {
          const gone = new Set<string>();
          for (let self = 1; self <= 30; self++) {
            const [unknown, told] = knowledge[self - 1]!;
            const view = truth.filter(([, at], place) =>
              at === self || !unknown.includes(place)
            ).map(([index, at]) => keeping(index, at));
            // Those who lie gave their word and no proof.
            const said = told.map(([index, at]): Keeping => ({
              ...keeping(index, at),
              standing: { is: "reported", atMs: NOW_MS },
            }));
            const surplus = decide(self, [...view, ...said]);
            if (surplus !== undefined) gone.add(`${surplus.index} ${self}`);
          }
          releaseCount += gone.size;
          truth = truth.filter(([index, at]) => !gone.has(`${index} ${at}`));
          for (const [index, at] of nearest) {
            assertTrue(truth.some(([i, it]) => i === index && it === at));
          }
        }
      },
    ),
    { numRuns: 80 },
  );
  assertTrue(releaseCount > 40, `${releaseCount} were let go of`);
});
