import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { directoryContract, entryFor } from "@tesseras/testing/directory";
import { codeOf, SeededRandom } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import { openKvDirectory } from "./kv.ts";

const never = new AbortController().signal;
const parts = { clock: systemClock, random: new SeededRandom(1) };

directoryContract(
  "KvDirectory",
  (parts) => openKvDirectory(":memory:", parts, never),
);

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "tesseras_kv_" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

Deno.test("what was put is there after the directory was closed, and after one that was not", async () => {
  await using folder = await temporary();
  const file = `${folder.path}/directory.kv`;
  const entry = entryFor(7, systemClock.nowMs());
  {
    await using directory = await openKvDirectory(file, parts, never);
    assertEquals(await directory.put([entry], never), 1);
  }
  const program = `
    const kv = await Deno.openKv(Deno.args[0]);
    const rows = await Array.fromAsync(kv.list({ prefix: [] }));
    await kv.set([...rows[0].key.slice(0, -1), 8], { ...rows[0].value, id: "8".padStart(40, "0") });
    Deno.kill(Deno.pid, "SIGKILL");
  `;
  const script = `${folder.path}/killed.ts`;
  await Deno.writeTextFile(script, program);
  const { signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", "--no-config", script, file],
    stderr: "inherit",
  }).output();
  assertEquals(signal, "SIGKILL");
  await using directory = await openKvDirectory(file, parts, never);
  assertEquals((await directory.sample(9, never)).length, 2);
});

Deno.test("what others wrote there that is no entry is passed over, and its place taken", async () => {
  await using folder = await temporary();
  const file = `${folder.path}/directory.kv`;
  const good = entryFor(1, systemClock.nowMs());
  const rubbish: readonly unknown[] = [
    null,
    "text",
    [],
    new Map(),
    { ...good, id: "../../etc" },
    { ...good, record: new Uint8Array(5_000) },
    { ...good, record: "AAAA" },
    { ...good, addresses: ["x".repeat(100_000 / 10)] },
    { ...good, addresses: Array(1_000).fill("192.0.2.1:1") },
    { ...good, offers: [1] },
    { ...good, subnet: {} },
    { ...good, seenMs: -1 },
    { ...good, expiresAtMs: NaN },
    { ...good, expiresAtMs: 10n },
    { ...good, expiresAtMs: good.seenMs + 24 * 3_600_000 },
  ];
  {
    using kv = await Deno.openKv(file);
    for (const [place, value] of rubbish.entries()) {
      await kv.set(["tesseras", "directory", 1, place], value);
    }
  }
  await using directory = await openKvDirectory(file, parts, never);
  assertEquals(await directory.sample(99, never), []);
  const entries = rubbish.map((_, n) => entryFor(n, systemClock.nowMs()));
  assertEquals(await directory.put(entries, never), rubbish.length);
  assertEquals((await directory.sample(99, never)).length, rubbish.length);
});

Deno.test("a store that cannot be opened is one sentence, and one that is closed fails with a code", async () => {
  await assertRejectsCode(
    openKvDirectory("/nowhere/at/all.kv", parts, never),
    "unusable",
    /^Cannot open the directory of peers in \/nowhere\/at\/all\.kv: /,
  );
  const directory = await openKvDirectory(":memory:", parts, never);
  await directory[Symbol.asyncDispose]();
  const put = directory.put([entryFor(1, systemClock.nowMs())], never);
  await assertRejectsCode(put, "unreachable", /^Cannot use the directory/);
  await assertRejectsCode(directory.sample(1, never), "unreachable");
  await assertRejectsCode(
    openKvDirectory(":memory:", parts, AbortSignal.abort()),
    "cancelled",
  );
});

Deno.test("two on one file share what they know, or one is told so with a code; nothing is torn", async () => {
  await using folder = await temporary();
  const file = `${folder.path}/directory.kv`;
  await using first = await openKvDirectory(file, parts, never);
  await using second = await openKvDirectory(file, parts, never);
  const nowMs = systemClock.nowMs();
  const entries = Array.from({ length: 60 }, (_, n) => entryFor(n, nowMs));
  const ends = await Promise.allSettled([
    first.put(entries, never),
    second.put(entries, never),
  ]);
  for (const end of ends) {
    if (end.status === "rejected") {
      assertEquals(codeOf(end.reason), "unreachable");
    }
  }
  await first.put(entries, never);
  const all = await second.sample(99, never);
  const ids = all.map(({ id }) => id).sort();
  assertEquals(ids, entries.map(({ id }) => id).sort());
});
