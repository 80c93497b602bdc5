// Real listeners on loopback.
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
} from "@tesseras/testing";
import { entryFor } from "@tesseras/testing/directory";
import {
  Counters,
  formatAddress,
  RecordingLog,
  type Runtime,
} from "@tesseras/core";
import { DIRECTORY_PAGE_BYTES_MAX } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { MemoryDirectory, readDirectoryPage } from "@tesseras/directory";
import { readConfig } from "./config.ts";
import { fetchDirectoryPage } from "./directory_client.ts";
import { callerOf, openDirectory, serveDirectory } from "./directory_server.ts";
import { temporaryFolder } from "./folder_for_tests.ts";
import { dataPaths } from "./paths.ts";

const never = new AbortController().signal;

function runtime(): Runtime & { readonly log: RecordingLog } {
  return {
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
}

function configOf(settings: Readonly<Record<string, string>> = {}) {
  return readConfig({
    defaults: {
      "bootstrap.directory_addr": "127.0.0.1:0",
      "network.subnet_diversity": "false",
      ...settings,
    },
  });
}

Deno.test("the caller is the other end of the connection; a header counts only from a trusted proxy, the hop nearest to it first", () => {
  const proxies = new Set(["127.0.0.1", "10.0.0.1"]);
  const ipOf = (remote: string, forwarded: string | null) =>
    callerOf(remote, forwarded, proxies)?.ip;
  assertEquals(ipOf("203.0.113.9", null), "203.0.113.9");
  assertEquals(ipOf("203.0.113.9", "198.51.100.1"), "203.0.113.9");
  assertEquals(ipOf("127.0.0.1", "198.51.100.1"), "198.51.100.1");
  assertEquals(ipOf("127.0.0.1", "1.1.1.1, 198.51.100.1"), "198.51.100.1");
  assertEquals(
    ipOf("127.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.1"),
    "198.51.100.1",
  );
  assertEquals(ipOf("127.0.0.1", null), "127.0.0.1");
  for (
    const odd of [
      "",
      ",",
      "<script>",
      "unknown",
      "1.2.3.4:80",
      "x".repeat(9_999),
    ]
  ) {
    assertEquals(ipOf("127.0.0.1", odd), "127.0.0.1", odd.slice(0, 20));
  }
  assertEquals(ipOf("::ffff:203.0.113.9", null), "203.0.113.9");
  assertEquals(
    callerOf("2001:db8:1:2:3:4:5:6", null, proxies)?.network,
    "2001:db8:1:2::/64",
  );
  assertEquals(callerOf("nonsense", null, proxies), undefined);
});

Deno.test("the page is served with the caller's own address, and read back by the client that verifies", async () => {
  const world = runtime();
  const { clock, random } = world;
  await using directory = new MemoryDirectory({
    nowMs: () => clock.nowMs(),
    random,
  });
  await directory.put([entryFor(1, clock.nowMs())]);
  await using server = serveDirectory(configOf(), directory, world);
  const base = `http://${formatAddress(server!.address)}`;
  const bytes = await fetchDirectoryPage(base, never);
  assertEquals(readDirectoryPage(bytes).records.length, 1);
  const url = `${base}/.well-known/tesseras`;
  const answer = await fetch(url, {
    headers: { "x-forwarded-for": "198.51.100.1" },
  });
  assertEquals((await answer.json()).observed, "127.0.0.1");
  assertEquals(world.counters.get("directory.answered"), 2);
});

Deno.test("behind a trusted proxy the page names whom the proxy speaks for", async () => {
  const world = runtime();
  const { clock, random } = world;
  await using directory = new MemoryDirectory({
    nowMs: () => clock.nowMs(),
    random,
  });
  const config = configOf({ "bootstrap.trusted_proxies": "127.0.0.1" });
  await using server = serveDirectory(config, directory, world);
  const answer = await fetch(
    `http://${formatAddress(server!.address)}/.well-known/tesseras`,
    { headers: { "x-forwarded-for": "6.6.6.6, 198.51.100.1" } },
  );
  assertEquals((await answer.json()).observed, "198.51.100.1");
});

Deno.test("no address serves no page, and a taken one is a sentence that names the setting", async () => {
  const world = runtime();
  const directory = new MemoryDirectory({
    nowMs: () => 0,
    random: world.random,
  });
  const none = configOf({ "bootstrap.directory_addr": "" });
  assertEquals(serveDirectory(none, directory, world), undefined);
  await using first = serveDirectory(configOf(), directory, world);
  const taken = configOf({
    "bootstrap.directory_addr": formatAddress(first!.address),
  });
  assertThrowsCode(
    () => serveDirectory(taken, directory, world),
    "inUse",
    /^Cannot serve the directory on 127\.0\.0\.1:\d+: another process listens there; set \[bootstrap\] directory_addr/,
  );
});

Deno.test("the directory lies in the data directory and survives; where it cannot be opened memory takes its place", async () => {
  await using folder = await temporaryFolder();
  const world = runtime();
  const paths = dataPaths(folder.path);
  await Deno.mkdir(`${folder.path}/db`);
  const entry = entryFor(1, world.clock.nowMs());
  {
    await using directory = await openDirectory(
      configOf(),
      paths,
      world,
      never,
    );
    await directory.put([entry], never);
  }
  {
    await using directory = await openDirectory(
      configOf(),
      paths,
      world,
      never,
    );
    assertEquals((await directory.sample(9, never)).length, 1);
  }
  assertEquals(world.log.events, []);
  const config = configOf({
    "bootstrap.directory_kv": `${folder.path}/no/x.kv`,
  });
  await using directory = await openDirectory(config, paths, world, never);
  assertEquals(await directory.put([entry], never), 1);
  const [event] = world.log.events;
  assertEquals(event?.event, "directory.in_memory");
});

Deno.test("a page is read up to its bound, from where it was asked for, or refused with a code", async () => {
  let at = 0;
  const endless = () => {
    const body = new ReadableStream({
      pull: (stream) => stream.enqueue(new Uint8Array(16 * 1024)),
    });
    return new Response(body);
  };
  const handlers = [
    endless,
    () => new Response("no", { status: 404 }),
    () => Response.redirect("http://127.0.0.1:1/"),
    () => new Response(new Uint8Array(DIRECTORY_PAGE_BYTES_MAX)),
  ];
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen() {},
  }, () => handlers[at]!());
  const base = `http://127.0.0.1:${server.addr.port}`;
  await assertRejectsCode(
    fetchDirectoryPage(base, never),
    "malformed",
    /131072/,
  );
  at = 1;
  await assertRejectsCode(
    fetchDirectoryPage(base, never),
    "unreachable",
    /404/,
  );
  at = 2;
  await assertRejectsCode(fetchDirectoryPage(base, never), "unreachable");
  at = 3;
  const { length } = await fetchDirectoryPage(base, never);
  assertEquals(length, DIRECTORY_PAGE_BYTES_MAX);
  await assertRejectsCode(
    fetchDirectoryPage("http://127.0.0.1:1", never),
    "unreachable",
  );
  const stopped = fetchDirectoryPage(base, AbortSignal.abort());
  await assertRejectsCode(stopped, "cancelled");
});
