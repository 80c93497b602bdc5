import fc from "fast-check";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { MemoryBlobs } from "@tesseras/blobs";
import { Counters, nodeId } from "@tesseras/core";
import { MemoryState } from "@tesseras/state";
import { Space } from "./space.ts";

const never = new AbortController().signal;
const sender = (number: number) => nodeId(new Uint8Array(20).fill(number));

function spaceOf(limits: { freeBytes: number; perPeerMax: number }) {
  const counters = new Counters();
  const space = new Space({
    state: new MemoryState(),
    blobs: new MemoryBlobs({ freeBytes: limits.freeBytes }),
    counters,
    freeSpaceMin: 100,
    perPeerMax: limits.perPeerMax,
  });
  return { space, counters };
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
    /60 on their way|120 on their way/,
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

Deno.test("whatever is promised and given back, nothing is left over", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(
      fc.record({
        who: fc.integer({ min: 1, max: 3 }),
        bytes: fc.integer({ min: 1, max: 400 }),
      }),
      { maxLength: 20 },
    ),
    async (wishes) => {
      const { space } = spaceOf({ freeBytes: 1_000, perPeerMax: 500 });
      const held: Disposable[] = [];
      for (const { who, bytes } of wishes) {
        try {
          held.push(await space.promise(sender(who), bytes, never));
        } catch {
          held.shift()?.[Symbol.dispose]();
        }
      }
      for (const one of held) one[Symbol.dispose]();
      assertEquals(space.promisedBytes, 0);
    },
  ));
});
