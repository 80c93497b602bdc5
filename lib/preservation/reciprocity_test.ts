import { nodeId, SeededRandom, shuffled } from "@tesseras/core";
import { DEFICIT_MAX, GIB, MIB, PER_PEER_MAX } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import type { Urgency } from "./health.ts";
import {
  type Account,
  balanceBytes,
  mayAccept,
  rankOf,
  type RepairJob,
  repairOrder,
} from "./reciprocity.ts";

function account(theyKeep: number, weKeep: number): Account {
  return { theyKeepBytes: theyKeep * MIB, weKeepBytes: weKeep * MIB };
}

Deno.test("the balance is what they keep for us less what we keep for them", () => {
  assertEquals(balanceBytes(account(500, 0)), 500 * MIB);
  assertEquals(balanceBytes(account(0, 200)), -200 * MIB);
});

Deno.test("a stranger may owe 256 MB to the byte", () => {
  const stranger = account(0, 0);
  assertEquals(mayAccept(stranger, DEFICIT_MAX), { may: true });
  assertEquals(mayAccept(stranger, DEFICIT_MAX + 1), {
    may: false,
    why: "deficit",
    roomBytes: DEFICIT_MAX,
  });
});

Deno.test("who keeps for us may have as much more kept, up to 1 GB", () => {
  const good = account(500, 0);
  assertEquals(mayAccept(good, 756 * MIB), { may: true });
  assertTrue(!mayAccept(good, 757 * MIB).may);
  const rich = account(5_000, 1_000);
  assertEquals(mayAccept(rich, 24 * MIB), { may: true });
  assertEquals(mayAccept(rich, 24 * MIB + 1), {
    may: false,
    why: "perPeer",
    roomBytes: 24 * MIB,
  });
});

Deno.test("an institution may owe what it likes, within what one peer may have", () => {
  const library = { ...account(0, 600), isExempt: true };
  assertEquals(mayAccept(library, 400 * MIB), { may: true });
  assertTrue(!mayAccept(library, 425 * MIB).may);
  assertEquals(rankOf(library), 0);
});

Deno.test("who owes more than it may gets nothing, and no negative room", () => {
  assertEquals(mayAccept(account(0, 300), 1), {
    may: false,
    why: "deficit",
    roomBytes: 0,
  });
  assertEquals(mayAccept(account(9_000, 2_000), 1), {
    may: false,
    why: "perPeer",
    roomBytes: 0,
  });
});

Deno.test("what is accepted one by one never passes either limit", () => {
  const accounts = fc.record({
    theyKeepBytes: fc.nat(2 * GIB),
    weKeepBytes: fc.nat(2 * GIB),
  });
  const offers = fc.array(fc.nat(64 * MIB), { maxLength: 60 });
  fc.assert(fc.property(accounts, offers, (start, list) => {
    let now: Account = start;
    for (const bytes of list) {
      if (!mayAccept(now, bytes).may) continue;
      now = { ...now, weKeepBytes: now.weKeepBytes + bytes };
      assertTrue(now.weKeepBytes <= PER_PEER_MAX);
      assertTrue(balanceBytes(now) >= -DEFICIT_MAX);
    }
  }));
});

Deno.test("ranks are three: giver, even, free rider", () => {
  assertEquals(rankOf(account(1, 0)), 1);
  assertEquals(rankOf(account(0, 0)), 0);
  assertEquals(rankOf(account(0, 255)), 0);
  assertEquals(rankOf(account(0, 256)), -1);
});

const URGENCIES = ["none", "idle", "soon", "atOnce"] as const;

function job(number: number, rest: Partial<RepairJob>): RepairJob {
  const key = nodeId(new Uint8Array(20).fill(number));
  return { key, urgency: "soon", spareCount: 5, rank: 0, ...rest };
}

Deno.test("the urgent goes first, then who keeps for us, then the smaller margin, and free riders last", () => {
  const jobs = [
    job(0, { urgency: "atOnce" }),
    job(1, { rank: 1 }),
    job(2, { spareCount: 3 }),
    job(3, {}),
    job(4, { urgency: "idle", rank: 1 }),
    job(5, { rank: -1, urgency: "atOnce" }),
    job(6, { rank: -1 }),
  ];
  const mixed = shuffled(jobs, new SeededRandom(1));
  assertEquals(repairOrder(mixed).map(({ key }) => key[0]), [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
  ]);
});

Deno.test("nothing is dropped, and the order does not depend on how it came", () => {
  const some = fc.array(
    fc.record({
      number: fc.nat(255),
      urgency: fc.constantFrom<Urgency>(...URGENCIES),
      spareCount: fc.integer({ min: -3, max: 24 }),
      rank: fc.constantFrom<-1 | 0 | 1>(-1, 0, 1),
    }).map(({ number, ...rest }) => job(number, rest)),
    { maxLength: 40 },
  );
  fc.assert(fc.property(some, fc.nat(), (jobs, seed) => {
    const ordered = repairOrder(jobs);
    assertEquals(new Set(ordered), new Set(jobs));
    assertEquals(ordered.length, jobs.length);
    const again = repairOrder(shuffled(jobs, new SeededRandom(seed)));
    assertEquals(again.map(plain), ordered.map(plain));
  }));
});

function plain({ key, ...rest }: RepairJob): unknown {
  return { key: key[0], ...rest };
}
