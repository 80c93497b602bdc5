import { keyOf, nodeId } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { repairAfterLosses, urgentSpareMax } from "./coding.ts";
import { type Holder, judge, type Keeping, type PlanView } from "./health.ts";
import { observe, type Standing } from "./standing.ts";

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const CODINGS = [
  { dataCount: 1, parityCount: 6 },
  { dataCount: 16, parityCount: 8 },
  { dataCount: 48, parityCount: 24 },
  { dataCount: 4, parityCount: 2 },
] as const;
const [COPIES, MEDIUM, LARGE] = CODINGS;

const PROVED = observe(undefined, "proved", NOW_MS);
const LOST = observe(undefined, "saidLost", NOW_MS);
const CORRUPT = observe(undefined, "corruptLocal", NOW_MS);
const REPORTED: Standing = { is: "reported", atMs: NOW_MS };
const ASLEEP = silentFor(10);
const GONE = silentFor(8 * 24);

function silentFor(hours: number): Standing {
  let standing = PROVED;
  for (let hour = hours; hour >= 0; hour -= 2) {
    standing = observe(standing, "unanswered", NOW_MS - hour * HOUR_MS);
  }
  return standing;
}

function holder(number: number, subnet = `10.0.${number}.0/24`): Holder {
  const id = new Uint8Array(20);
  new DataView(id.buffer).setUint32(0, number + 1);
  return { id: nodeId(id), subnet };
}

/** Every fragment with a holder of its own; the first ones in the standings named. */
function view(
  coding: { readonly dataCount: number; readonly parityCount: number },
  standings: readonly Standing[] = [],
): PlanView {
  const count = coding.dataCount + coding.parityCount;
  const keepings = Array.from({ length: count }, (_, index) => ({
    index,
    holder: holder(index),
    standing: standings[index] ?? PROVED,
  }));
  return { ...coding, keepings };
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

Deno.test("a tessera whose every fragment is proved is healthy, and nothing is done", () => {
  for (const coding of CODINGS) {
    const health = judge(view(coding), NOW_MS, { peersMin: 1 });
    assertEquals(health.state, "healthy");
    assertEquals(health.urgency, "none");
    assertEquals([...health.replicate, ...health.refetch], []);
    assertTrue(health.canRebuild);
    assertEquals(health.census.spareCount, coding.parityCount);
  }
});

Deno.test("repair begins at the first lost copy, at 3 of 8 and at 7 of 24", () => {
  assertEquals(CODINGS.map(repairAfterLosses), [1, 3, 7, 1]);
  for (const coding of CODINGS) {
    const due = repairAfterLosses(coding);
    const before = judge(view(coding, times(due - 1, LOST)), NOW_MS);
    assertEquals(before.replicate, [], "not yet");
    const after = judge(view(coding, times(due, LOST)), NOW_MS);
    assertEquals(after.state, "needsReplication");
    assertEquals(after.replicate, range(0, due), "to full, not to the brink");
  }
});

Deno.test("seven sleepers of 24 are watched, and nothing is moved for them", () => {
  const health = judge(view(MEDIUM, times(7, ASLEEP)), NOW_MS);
  assertEquals(health.state, "watch");
  assertEquals(health.replicate, []);
  assertEquals(health.census.provedCount, 17);
  assertEquals(health.census.presentCount, 24);
});

Deno.test("silence is forgiven for a shorter time once those who answer are only just enough", () => {
  // 16 h of silence: within the grace of 36 h, beyond the one of 12 h.
  const long = silentFor(16);
  assertEquals(judge(view(MEDIUM, times(7, long)), NOW_MS).state, "watch");
  const alarmed = judge(view(MEDIUM, times(8, long)), NOW_MS);
  assertEquals(alarmed.state, "needsReplication");
  assertEquals(alarmed.urgency, "atOnce");
  assertTrue(alarmed.canRebuild);
  // A night is no reason to be alarmed.
  const night = judge(view(MEDIUM, times(8, ASLEEP)), NOW_MS);
  assertEquals(night.state, "watch");
});

Deno.test("absent holders have four days while half of the margin is there, and 36 h below that", () => {
  const away = silentFor(40);
  const calm = judge(view(MEDIUM, times(4, away)), NOW_MS);
  assertEquals(calm.state, "watch");
  const uneasy = judge(view(MEDIUM, times(5, away)), NOW_MS);
  assertEquals(uneasy.replicate, range(0, 5));
  const longer = judge(view(MEDIUM, times(4, silentFor(4 * 24))), NOW_MS);
  assertEquals(longer.replicate, range(0, 4));
  const copies = judge(view(COPIES, times(3, away)), NOW_MS);
  assertEquals(copies.state, "watch");
});

Deno.test("a holder gone, lost, evasive or failed counts alike towards repair", () => {
  const failed = observe(PROVED, "failedAudit", NOW_MS);
  const left = observe(PROVED, "leaving", NOW_MS);
  const health = judge(view(MEDIUM, [GONE, failed, left]), NOW_MS);
  assertEquals(health.replicate, [0, 1, 2]);
  assertEquals(health.urgency, "soon");
});

Deno.test("repair is for at once when a quarter of the margin is left", () => {
  assertEquals(CODINGS.map(urgentSpareMax), [1, 2, 6, 1]);
  for (const coding of [COPIES, MEDIUM, LARGE]) {
    const losses = coding.parityCount - urgentSpareMax(coding);
    const urgencies = [losses - 1, losses].map((count) =>
      judge(view(coding, times(count, LOST)), NOW_MS).urgency
    );
    assertEquals(urgencies, ["soon", "atOnce"]);
  }
});

Deno.test("is lost for good only when nobody who may come back brings enough", () => {
  const hoped = judge(
    view(MEDIUM, [...times(8, LOST), ...times(16, GONE)]),
    NOW_MS,
  );
  assertEquals(hoped.state, "needsReplication");
  assertEquals(hoped.canRebuild, false);
  const over = judge(view(MEDIUM, times(9, LOST)), NOW_MS);
  assertEquals(over.state, "lostForGood");
  assertEquals([...over.replicate, ...over.refetch], []);
  const empty = judge({ ...MEDIUM, keepings: [] }, NOW_MS);
  assertEquals(empty.state, "lostForGood");
});

Deno.test("our own rotten fragment is fetched again here and given to nobody else", () => {
  const alone = judge(view(MEDIUM, [CORRUPT]), NOW_MS);
  assertEquals(alone.state, "corruptLocal");
  assertEquals(alone.refetch, [0]);
  assertEquals(alone.replicate, []);
  const among = judge(view(MEDIUM, [CORRUPT, LOST, LOST]), NOW_MS);
  assertEquals(among.state, "needsReplication");
  assertEquals(among.refetch, [0]);
  assertEquals(among.replicate, [1, 2]);
});

Deno.test("a rotten fragment that somebody else keeps, too, is nothing to worry about", () => {
  const base = view(MEDIUM, [CORRUPT]);
  const keepings = [
    ...base.keepings,
    { index: 0, holder: holder(99), standing: PROVED },
  ];
  const health = judge({ ...base, keepings }, NOW_MS);
  assertEquals(health.state, "healthy");
  assertEquals(health.refetch, []);
});

Deno.test("what is only reported is not healthy and not missing", () => {
  const health = judge(view(MEDIUM, [REPORTED]), NOW_MS);
  assertEquals(health.state, "watch");
  assertEquals(health.census.presentCount, 24);
});

Deno.test("claims by ever new names do not hide that fragments are gone", () => {
  const claimed = observe(undefined, "unanswered", NOW_MS - HOUR_MS);
  const base = view(MEDIUM, times(3, claimed));
  assertEquals(judge(base, NOW_MS).state, "watch");
  const watched = (hours: number) =>
    judge({ ...base, watchedSinceMs: NOW_MS - hours * HOUR_MS }, NOW_MS);
  assertEquals(watched(35).replicate, []);
  assertEquals(watched(36).replicate, [0, 1, 2]);
});

Deno.test("a third peer in one network makes its fragment lie too close, until it is elsewhere, too", () => {
  const crowd = holder(0).subnet;
  const base = view(MEDIUM);
  const keepings = base.keepings.map((keeping) =>
    keeping.index < 3
      ? { ...keeping, holder: holder(keeping.index, crowd) }
      : keeping
  );
  const health = judge({ ...base, keepings }, NOW_MS);
  assertEquals(health.state, "needsReplication");
  assertEquals(health.urgency, "idle");
  assertEquals(health.replicate.length, 1);
  const elsewhere: Keeping = {
    index: health.replicate[0]!,
    holder: holder(50),
    standing: PROVED,
  };
  const mended = judge({ ...base, keepings: [...keepings, elsewhere] }, NOW_MS);
  assertEquals(mended.state, "healthy");
  const lifted = { subnetLimit: undefined };
  assertEquals(judge({ ...base, keepings }, NOW_MS, lifted).state, "healthy");
});

Deno.test("fewer than seven peers are too few, and become seven", () => {
  const base = view(MEDIUM);
  const few = base.keepings.map((keeping) => ({
    ...keeping,
    holder: holder(keeping.index % 5),
  }));
  const health = judge({ ...base, keepings: few }, NOW_MS);
  assertEquals(health.replicate.length, 2);
  assertEquals(health.urgency, "idle");
  const more = health.replicate.map((index, at) => ({
    index,
    holder: holder(90 + at),
    standing: PROVED,
  }));
  const after = judge({ ...base, keepings: [...few, ...more] }, NOW_MS);
  assertEquals(after.state, "healthy");
  assertEquals(after.census.peerCount, 7);
});

Deno.test("an index the plan has not is ignored", () => {
  const base = view(MEDIUM);
  const odd = [-1, 24, 0.5, Number.NaN].map((index) => ({
    index,
    holder: holder(70),
    standing: PROVED,
  }));
  const health = judge(
    { ...base, keepings: [...odd, ...base.keepings] },
    NOW_MS,
  );
  assertEquals(health, judge(base, NOW_MS));
});

const standings = fc.constantFrom(
  PROVED,
  LOST,
  CORRUPT,
  REPORTED,
  ASLEEP,
  GONE,
  observe(undefined, "leaving", NOW_MS),
);
const views = fc.record({
  coding: fc.constantFrom(...CODINGS),
  keepings: fc.array(
    fc.record({
      index: fc.nat(71),
      holder: fc.tuple(fc.nat(30), fc.nat(8))
        .map(([number]) => holder(number, `10.0.${number % 7}.0/24`)),
      standing: standings,
    }),
    { maxLength: 120 },
  ),
}).map(({ coding, keepings }): PlanView => ({ ...coding, keepings }));

Deno.test("the order of what is known never changes a judgement", () => {
  fc.assert(fc.property(views, fc.infiniteStream(fc.nat()), (one, numbers) => {
    const keys = one.keepings.map(() => numbers.next().value);
    const other = one.keepings.map((keeping, at) =>
      [keys[at], keeping] as const
    )
      .toSorted(([a], [b]) => a - b).map(([, keeping]) => keeping);
    const plain = (seen: PlanView) => {
      const { live, ...health } = judge(seen, NOW_MS);
      return { ...health, live: live.map(({ id }) => keyOf(id)).sort() };
    };
    assertEquals(plain({ ...one, keepings: other }), plain(one));
  }));
});

Deno.test("a repair that is done is enough: what was asked for is not asked for again", () => {
  fc.assert(fc.property(views, (one) => {
    const health = judge(one, NOW_MS);
    const made = health.replicate.map((index, at) => ({
      index,
      holder: holder(1_000 + at),
      standing: PROVED,
    }));
    const after = judge(
      { ...one, keepings: [...one.keepings, ...made] },
      NOW_MS,
    );
    assertEquals(after.replicate, []);
    assertTrue(after.census.presentCount >= health.census.presentCount);
  }));
});

Deno.test("to know of one more proof never makes a judgement worse", () => {
  const severity = [
    "healthy",
    "watch",
    "corruptLocal",
    "needsReplication",
    "lostForGood",
  ];
  fc.assert(fc.property(views, fc.nat(71), (one, index) => {
    const more = { index, holder: holder(2_000), standing: PROVED };
    const before = judge(one, NOW_MS);
    const after = judge({ ...one, keepings: [...one.keepings, more] }, NOW_MS);
    assertTrue(
      after.replicate.length <= before.replicate.length ||
        before.state === "lostForGood",
    );
    const gained = after.census.provedCount - before.census.provedCount;
    // More proofs may end an alarm and with it the impatience, which only forgives more.
    assertTrue(gained >= 0);
    assertTrue(
      severity.indexOf(after.state) <= severity.indexOf(before.state),
      `${before.state} to ${after.state}`,
    );
  }));
});
