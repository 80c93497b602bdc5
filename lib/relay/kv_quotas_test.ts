/** Shared quotas in a store in memory, and in a denokv server where one is installed. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { openDenokv } from "@tesseras/testing/denokv";
import { type Clock, clockOf } from "@tesseras/core";
import { RELAY_LEASE_MS } from "@tesseras/core/limits";
import { systemClock } from "@tesseras/core/system";
import { openKvQuotas } from "./kv_quotas.ts";
import { type Lease, LEASES_PER_SUBJECT_MAX } from "./quotas.ts";

const never = new AbortController().signal;

function lease(name: string, subject: string, max: number): Lease {
  return { name, subjects: [{ name: subject, max }] };
}

/** The real clock, ahead by so much. */
function clockAhead(aheadMs: () => number): Clock {
  return clockOf({
    nowMs: () => Date.now() + aheadMs(),
    monotonicMs: () => performance.now(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
}

Deno.test("a lease is refused when there is no room, and taken again by who holds it", async () => {
  await using quotas = await openKvQuotas(":memory:", systemClock, never);
  assertTrue(await quotas.take(lease("r1/a/b", "a", 2), never));
  assertTrue(await quotas.take(lease("r2/a/c", "a", 2), never));
  assertEquals(await quotas.take(lease("r1/a/d", "a", 2), never), false);
  assertTrue(await quotas.take(lease("r1/a/b", "a", 2), never), "held before");
  await quotas.release(lease("r2/a/c", "a", 2), never);
  await quotas.release(lease("nobody", "a", 2), never);
  assertTrue(await quotas.take(lease("r1/a/d", "a", 2), never));
});

Deno.test("a lease is taken of all its subjects or of none", async () => {
  await using quotas = await openKvQuotas(":memory:", systemClock, never);
  const both = (name: string): Lease => ({
    name,
    subjects: [{ name: "peer", max: 9 }, { name: "net", max: 1 }],
  });
  assertTrue(await quotas.take(both("one"), never));
  assertEquals(await quotas.take(both("two"), never), false);
  for (let i = 0; i < 8; i++) {
    assertTrue(await quotas.take(lease(`${i}`, "peer", 9), never), `${i}`);
  }
  assertEquals(await quotas.take(lease("ten", "peer", 9), never), false);
});

Deno.test("leases of a relay that died run out", async () => {
  let aheadMs = 0;
  const clock = clockAhead(() => aheadMs);
  await using quotas = await openKvQuotas(":memory:", clock, never);
  assertTrue(await quotas.take(lease("dead", "a", 1), never));
  aheadMs = RELAY_LEASE_MS - 1_000;
  assertEquals(await quotas.take(lease("new", "a", 1), never), false);
  aheadMs = RELAY_LEASE_MS + 1_000;
  assertTrue(await quotas.take(lease("new", "a", 1), never));
});

Deno.test("a subject never has more leases than a value has room for", async () => {
  await using quotas = await openKvQuotas(":memory:", systemClock, never);
  for (let i = 0; i < LEASES_PER_SUBJECT_MAX; i++) {
    const name = `${i}`.padStart(250, "x");
    assertTrue(await quotas.take(lease(name, "a", Infinity), never));
  }
  assertEquals(await quotas.take(lease("more", "a", Infinity), never), false);
});

Deno.test("takes what others wrote into the store for nothing, unless it can be a lease", async () => {
  const path = await Deno.makeTempFile({ suffix: ".kv" });
  try {
    const kv = await Deno.openKv(path);
    const far = Date.now() + 100 * RELAY_LEASE_MS;
    for (const value of ["text", 7, [["a", far]], [[3, 4], "x", ["n", NaN]]]) {
      await kv.set(["tesseras", "relay", 1, "a"], value);
      await using quotas = await openKvQuotas(path, systemClock, never);
      assertTrue(await quotas.take(lease("one", "a", 1), never));
      assertEquals(await quotas.take(lease("two", "a", 1), never), false);
    }
    kv.close();
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a store that cannot be opened is unusable", async () => {
  const opening = openKvQuotas("/nowhere/at/all.kv", systemClock, never);
  await assertRejectsCode(opening, "unusable");
});

Deno.test("relays that share a denokv server grant a quota once, however they hurry", async () => {
  await using server = await openDenokv();
  if (server === undefined) return;
  await using one = await openKvQuotas(server.url, systemClock, never);
  await using other = await openKvQuotas(server.url, systemClock, never);
  const asked = Array.from(
    { length: 8 },
    (_, i) => (i % 2 === 0 ? one : other).take(lease(`${i}`, "a", 3), never),
  );
  const granted = await Promise.all(asked);
  assertEquals(granted.filter((isGranted) => isGranted).length, 3);
});
