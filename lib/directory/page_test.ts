import { assertEquals, assertTrue } from "@tesseras/testing";
import { entryFor } from "@tesseras/testing/directory";
import { SeededRandom, TesserasError, VirtualClock } from "@tesseras/core";
import {
  DIRECTORY_PAGE_BYTES_MAX,
  DIRECTORY_PEERS_MAX,
  NODE_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import type { Directory, DirectoryEntry } from "./entry.ts";
import { MemoryDirectory } from "./memory.ts";
import { directoryPage } from "./page.ts";
import { readDirectoryPage } from "./read_page.ts";

const PATH = "https://boot.example/.well-known/tesseras";
const CALLER = { ip: "203.0.113.9", network: "203.0.113.9" };

function world(isLocal = false) {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const counted: string[] = [];
  const directory = new MemoryDirectory({
    nowMs: () => clock.nowMs(),
    random,
  });
  const pageOf = (source: Pick<Directory, "sample">) =>
    directoryPage({
      directory: source,
      clock,
      random,
      powBits: 16,
      isLocal,
      count: (event) => counted.push(event),
    });
  const page = pageOf(directory);
  const get = (caller = CALLER) => page.fetch(new Request(PATH), { caller });
  const entry = (number: number, changes: Partial<DirectoryEntry> = {}) =>
    entryFor(number, clock.nowMs(), changes);
  return { clock, counted, directory, pageOf, page, get, entry };
}

Deno.test("the page names peers by records that a reader gets back byte for byte, and the caller's address", async () => {
  const { directory, get, entry, clock } = world();
  await directory.put([entry(1), entry(2)]);
  const answer = await get();
  assertEquals(answer.status, 200);
  assertEquals(
    answer.headers.get("content-type"),
    "application/json; charset=utf-8",
  );
  // The caller's address is in it, so a cache between us may not keep it for others.
  assertEquals(answer.headers.get("cache-control"), "private, max-age=60");
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const { records, refusedCount } = readDirectoryPage(bytes);
  assertEquals(refusedCount, 0);
  assertEquals(records.map((one) => one[3]).sort(), [1, 2]);
  const page = JSON.parse(new TextDecoder().decode(bytes));
  assertEquals(
    [page.v, page.time, page.pow_bits, page.observed],
    [1, clock.nowMs(), 16, "203.0.113.9"],
  );
  assertEquals(Object.keys(page.peers[0]), [
    "id",
    "addresses",
    "offers",
    "seen",
    "record",
  ]);
});

Deno.test("HEAD is GET without its body; other paths are 404, other methods 405, and no answer repeats what was asked", async () => {
  const { page, directory, entry } = world();
  await directory.put([entry(1)]);
  const ask = (path: string, method = "GET") =>
    page.fetch(
      new Request(`https://boot.example${path}`, {
        method,
        headers: { "x-evil": "<script>", "host": "evil.example" },
      }),
    );
  const head = await ask("/.well-known/tesseras", "HEAD");
  assertEquals([head.status, await head.text()], [200, ""]);
  assertEquals(
    head.headers.get("content-type"),
    "application/json; charset=utf-8",
  );
  for (const path of ["/", "/<script>", "/.well-known/tesseras/..%2fetc"]) {
    const answer = await ask(path);
    assertEquals([answer.status, await answer.text()], [404, "not found\n"]);
  }
  for (const method of ["POST", "DELETE", "OPTIONS"]) {
    const answer = await ask("/.well-known/tesseras", method);
    assertEquals(answer.status, 405);
    assertEquals(answer.headers.get("allow"), "GET, HEAD");
    await answer.body?.cancel();
  }
  const odd = await ask("/.well-known/tesseras?callback=evil&x=<script>");
  assertTrue(!/evil|script/.test(await odd.text()));
});

Deno.test("a full directory of the largest records makes a page within the bound, two peers of each network at most", async () => {
  const { directory, get, entry } = world();
  const record = new Uint8Array(NODE_RECORD_BYTES_MAX).fill(255);
  const addresses = Array(8).fill(
    "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535",
  );
  const offers = ["DHT", "STORAGE", "RELAY", "REPLICATION", "BOOTSTRAP"];
  await directory.put(Array.from(
    { length: 1_000 },
    (_, n) => entry(n, { record, addresses, offers, subnet: `net ${n >> 4}` }),
  ));
  const answer = await get();
  const bytes = new Uint8Array(await answer.arrayBuffer());
  assertTrue(bytes.length <= DIRECTORY_PAGE_BYTES_MAX, `${bytes.length}`);
  const { records } = readDirectoryPage(bytes);
  assertEquals(records.length, DIRECTORY_PEERS_MAX);
});

Deno.test("a caller that asks and asks is sent away for a while, others are not; a flood from everywhere is slowed, too", async () => {
  const { get, clock, counted, page } = world();
  const statuses: number[] = [];
  for (let times = 0; times < 12; times++) statuses.push((await get()).status);
  assertEquals(statuses.filter((status) => status === 200).length, 10);
  const refused = await get();
  assertEquals([refused.status, refused.headers.get("retry-after")], [
    429,
    "2",
  ]);
  assertEquals(await refused.text(), "too many questions\n");
  assertEquals(
    (await get({ ip: "192.0.2.1", network: "192.0.2.1" })).status,
    200,
  );
  await clock.advance(2_000);
  assertEquals((await get()).status, 200);
  assertTrue(counted.includes("directory.rate_limited"));
  let answered = 0;
  for (let n = 0; n < 3_000; n++) {
    const { status } = await page.fetch(new Request(PATH), {
      caller: { ip: `${n}`, network: `${n}` },
    });
    if (status === 200) answered++;
  }
  assertTrue(answered <= 1_000, `${answered} of 3,000 in one moment`);
});

Deno.test("one caller that asks without end leaves the others their page", async () => {
  const { directory, get, entry } = world();
  await directory.put([entry(1)]);
  for (let asked = 0; asked < 2_000; asked++) {
    await (await get()).body?.cancel();
  }
  const other = { ip: "192.0.2.77", network: "192.0.2.77" };
  assertEquals((await get(other)).status, 200);
});

Deno.test("a directory that fails leaves the page as it was for a while, then there is none; it is not asked again and again", async () => {
  const { clock, counted, directory, pageOf, entry } = world();
  let isAway = false;
  let askedCount = 0;
  const page = pageOf({
    sample: async (count) => {
      askedCount++;
      if (isAway) throw new TesserasError("unreachable", "Cannot ask: away");
      return await directory.sample(count);
    },
  });
  const status = async () => (await page.fetch(new Request(PATH))).status;
  await directory.put([entry(1)]);
  assertEquals(await Promise.all([status(), status(), status()]), [
    200,
    200,
    200,
  ]);
  assertEquals(askedCount, 1);
  isAway = true;
  await clock.advance(16_000);
  assertEquals(await status(), 200);
  await status();
  assertEquals(askedCount, 2);
  await clock.advance(10 * 60_000);
  const gone = await page.fetch(new Request(PATH));
  assertEquals([gone.status, gone.headers.get("retry-after")], [503, "30"]);
  assertEquals(await gone.text(), "no directory now\n");
  isAway = false;
  await clock.advance(16_000);
  assertEquals(await status(), 200);
  assertEquals(
    counted.filter((event) => event === "directory.unread").length,
    2,
  );
});

Deno.test("a peer whose time is over is on no new page", async () => {
  const { clock, directory, get, entry } = world();
  await directory.put([entry(1, { expiresAtMs: clock.nowMs() + 30_000 })]);
  const countNow = async () =>
    JSON.parse(await (await get()).text()).peers.length;
  assertEquals(await countNow(), 1);
  await clock.advance(31_000);
  assertEquals(await countNow(), 0);
});

type Modules = {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier: string };
    }[];
  }[];
};

async function deno(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, new URL("edge_for_tests.ts", import.meta.url).href],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

Deno.test("the same handler runs without any permission, and nothing it imports belongs to one platform", async () => {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const printed = await deno([
    "run",
    "--no-prompt",
    "--quiet",
    "--no-check",
    "--cached-only",
    "--config",
    config,
  ]);
  const [page, head, missing] = printed.trim().split("\n")
    .map((line) => JSON.parse(line));
  assertEquals(page.status, 200);
  const { records } = readDirectoryPage(new TextEncoder().encode(page.text));
  assertEquals(records, [Uint8Array.of(250, 251, 252)]);
  assertEquals([head.status, head.text], [200, ""]);
  assertEquals(missing.status, 404);

  const graph: Modules = JSON.parse(await deno(["info", "--json"]));
  const loaded = new Set<string>();
  const waiting = [...graph.roots];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (loaded.has(next)) continue;
    loaded.add(next);
    const module = graph.modules.find(({ specifier }) => specifier === next);
    for (const { code } of module?.dependencies ?? []) {
      if (code !== undefined) waiting.push(code.specifier);
    }
  }
  const foreign = [...loaded].filter((one) =>
    !one.startsWith("file:") && !/^npm:\/?hono@/.test(one)
  );
  assertEquals(foreign, []);
  for (const one of [...loaded].filter((file) => file.startsWith("file:"))) {
    const text = await Deno.readTextFile(new URL(one));
    assertTrue(!/\bDeno\./.test(text), `${one} names a platform`);
  }
  assertTrue(loaded.size > 5, "the search finds imports at all");
});
