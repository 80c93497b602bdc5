/** Calls to the thread of the database, many at once. */
import { TesserasError } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { join } from "node:path";
import { statement } from "./libsql_columns.ts";
import { openThread } from "./libsql_thread.ts";

const { signal } = new AbortController();

Deno.test("of calls that wait together each gets its own answer, in the order in which they were asked", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_thread_" });
  try {
    await using thread = await openThread(join(folder, "a.db"), signal);
    const count = statement("SELECT count(*) FROM value");
    const put = (name: string) =>
      thread.write(
        [statement("INSERT INTO value VALUES (?, x'')", name)],
        signal,
      );
    const order: number[] = [];
    const calls: Promise<unknown>[] = [];
    for (let at = 0; at < 30; at++) {
      // Every third write fails, because it is there already.
      const call = at % 2 === 0
        ? put(at % 6 === 4 ? "0" : String(at))
        : thread.read(count, signal).then(([row]) => row?.[0]);
      calls.push(call.finally(() => order.push(at)));
    }
    const settled = await Promise.allSettled(calls);
    assertEquals(order, Array.from({ length: 30 }, (_, at) => at));
    let written = 0n;
    for (const [at, one] of settled.entries()) {
      if (at % 2 === 1) {
        assertEquals(one, { status: "fulfilled", value: written });
      } else if (at % 6 === 4) {
        assertEquals(one.status, "rejected");
      } else {
        assertEquals(one.status, "fulfilled");
        written++;
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("who waits when the thread is closed is answered first, and who comes later is refused", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_thread_" });
  try {
    const thread = await openThread(join(folder, "a.db"), signal);
    const one = statement("SELECT 1");
    const before = Array.from({ length: 5 }, () => thread.read(one, signal));
    const closing = thread[Symbol.asyncDispose]();
    assertEquals(await Promise.all(before), Array(5).fill([[1n]]));
    await closing;
    const late = await thread.read(one, signal).catch((error) => error);
    assertEquals((late as TesserasError).code, "cancelled");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
