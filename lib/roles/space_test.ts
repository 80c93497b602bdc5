import fc from "fast-check";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { MemoryBlobs } from "@tesseras/blobs";
import { Counters, nodeId, VirtualClock } from "@tesseras/core";
import { MemoryState } from "@tesseras/state";
import { Space } from "./space.ts";

const never = new AbortController().signal;
const sender = (number: number, subnet?: string) => ({
  id: nodeId(new Uint8Array(20).fill(number)),
  subnet,
});

function spaceOf(
  limits: {
    freeBytes: number;
    perPeerMax: number;
    perSubnetMax?: number;
    storeMax?: number;
  },
) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const space = new Space({
    state: new MemoryState(),
    blobs: new MemoryBlobs({ freeBytes: limits.freeBytes }),
    clock,
    counters,
    freeSpaceMin: 100,
    storeMax: limits.storeMax ?? Infinity,
    perPeerMax: limits.perPeerMax,
    perSubnetMax: limits.perSubnetMax ?? Infinity,
  });
  return { space, counters, clock };
}

Deno.test("two who ask at once cannot both have the last place", async () => {
  const { space, counters } = spaceOf({ freeBytes: 1_000, perPeerMax: 100 });
  const asked = await Promise.allSettled([
    space.promise(sender(1), 60, never),
    space.promise(sender(1), 60, never),
  ]);
  assertEquals(asked.filter(({ status }) => status === "fulfilled").length, 0);
  assertEquals(space.promisedBytes, 0);
  assertEquals(counters.get("fragment.refused_per_peer"), 2);
  using _one = await space.promise(sender(1), 60, never);
  await assertRejectsCode(
    space.promise(sender(1), 60, never),
    "refused",
    /of this peer .* more than 100$/,
  );
  using _other = await space.promise(sender(2), 60, never);
});

Deno.test("what must stay free stays free, over all senders", async () => {
  const { space, counters } = spaceOf({ freeBytes: 1_000, perPeerMax: 9_999 });
  using _one = await space.promise(sender(1), 500, never);
  await assertRejectsCode(
    space.promise(sender(2), 401, never),
    "diskFull",
    /100 must stay free/,
  );
  assertEquals(counters.get("fragment.refused_space"), 1);
  using _two = await space.promise(sender(2), 400, never);
});

Deno.test("the peers of a subnet share a limit, whoever they say they are", async () => {
  const { space, counters } = spaceOf({
    freeBytes: 9_999,
    perPeerMax: 100,
    perSubnetMax: 250,
  });
  const [crowded, other] = ["192.0.2.0/24", "198.51.100.0/24"];
  using _one = await space.promise(sender(1, crowded), 100, never);
  using _two = await space.promise(sender(2, crowded), 100, never);
  await assertRejectsCode(
    space.promise(sender(3, crowded), 51, never),
    "refused",
    /all peers in 192\.0\.2\.0\/24 .* more than 250$/,
  );
  assertEquals(counters.get("fragment.refused_per_subnet"), 1);
  using _three = await space.promise(sender(3, crowded), 50, never);
  using _four = await space.promise(sender(4, other), 100, never);
  using _five = await space.promise(sender(5), 100, never);
});

Deno.test("whatever is promised and given back, nothing is left over", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(
      fc.record({
        who: fc.integer({ min: 1, max: 3 }),
        where: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
        bytes: fc.integer({ min: 1, max: 400 }),
      }),
      { maxLength: 20 },
    ),
    async (wishes) => {
      const limits = { freeBytes: 1_000, perPeerMax: 500, perSubnetMax: 600 };
      const { space } = spaceOf(limits);
      const held: Disposable[] = [];
      for (const { who, where, bytes } of wishes) {
        try {
          held.push(await space.promise(sender(who, where), bytes, never));
        } catch {
          held.shift()?.[Symbol.dispose]();
        }
      }
      for (const one of held) one[Symbol.dispose]();
      assertEquals(space.promisedBytes, 0);
      using _share = await space.promise(sender(1, "a"), 500, never);
    },
  ));
});

Deno.test("all others together have no more than the store gives them", async () => {
  const { space, counters } = spaceOf({
    freeBytes: 9_999,
    perPeerMax: 9_999,
    storeMax: 300,
  });
  using one = await space.promise(sender(1), 200, never);
  await assertRejectsCode(
    space.promise(sender(2), 101, never),
    "diskFull",
    /of all others .* more than 300$/,
  );
  assertEquals(counters.get("fragment.refused_store_full"), 1);
  // Kept bytes count before the state is asked for them again.
  one.keep();
  one[Symbol.dispose]();
  using _two = await space.promise(sender(2), 100, never);
});

Deno.test("what was kept a moment ago counts until the state is asked again, and who would be refused by it has it asked", async () => {
  const { space, clock } = spaceOf({ freeBytes: 9_999, perPeerMax: 100 });
  const first = await space.promise(sender(1), 90, never);
  // The state of this test never hears of it, as if the fragment were removed at once.
  first.keep();
  first[Symbol.dispose]();
  using _small = await space.promise(sender(1), 10, never);
  await assertRejectsCode(space.promise(sender(1), 91, never), "refused");
  using _asked = await space.promise(sender(1), 90, never);
  await clock.advance(1_000);
  assertEquals(space.promisedBytes, 100);
});
