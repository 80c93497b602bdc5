import { TesserasError } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { joined } from "./joined.ts";
import { readRows } from "./shard_rows.ts";

const WINDOW = 262_144;

Deno.test("readRows() goes through every byte of every shard once, in order", async () => {
  const shardBytes = 2 * WINDOW + 5;
  const rows = readRows({
    count: 3,
    shardBytes,
    read: (shard, offset, into) => {
      into.fill(shard + offset / WINDOW);
      return Promise.resolve();
    },
  });
  let at = 0;
  for await (const { offset, bytes, windows } of rows) {
    assertEquals(offset, at);
    assertEquals(windows.map(({ length }) => length), [bytes, bytes, bytes]);
    windows.forEach((window, shard) => {
      assertEquals(window[0], shard + offset / WINDOW);
      assertEquals(window[bytes - 1], shard + offset / WINDOW);
    });
    at += bytes;
  }
  assertEquals(at, shardBytes);
});

Deno.test("readRows() that is left early waits for what it began", async () => {
  let pending = 0;
  const rows = readRows({
    count: 2,
    shardBytes: 3 * WINDOW,
    read: async () => {
      pending++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      pending--;
    },
  });
  for await (const _ of rows) {
    assertEquals(pending, 2, "the next row is being read already");
    break;
  }
  assertEquals(pending, 0);
});

Deno.test("readRows() fails with the reading that failed, in its turn", async () => {
  const seen: number[] = [];
  const rows = readRows({
    count: 2,
    shardBytes: 3 * WINDOW,
    read: (shard, offset) =>
      shard === 1 && offset === WINDOW
        ? Promise.reject(new TesserasError("corrupt", "Cannot read"))
        : Promise.resolve(),
  });
  const walk = async (): Promise<void> => {
    for await (const { offset } of rows) seen.push(offset);
  };
  await assertRejectsCode(walk(), "corrupt");
  assertEquals(seen, [0]);
});

Deno.test("joined() waits for all before it throws the first failure", async () => {
  let ended = false;
  const slow = new Promise<void>((resolve) =>
    setTimeout(() => {
      ended = true;
      resolve();
    }, 5)
  );
  const failing = Promise.reject(new TesserasError("diskFull", "Cannot write"));
  await assertRejectsCode(joined([failing, slow]), "diskFull");
  assertTrue(ended);
  assertEquals(await joined([Promise.resolve(1), Promise.resolve(2)]), [1, 2]);
});
