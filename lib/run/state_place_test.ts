/** Where the state of a node lies: a data directory knows, and nothing starts beside another state than its own. */
import { Counters, messageOf, nodeId, RecordingLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { openLibsqlServer } from "@tesseras/testing/libsql";
import { readConfig } from "./config.ts";
import { callControl } from "./control_client.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { temporaryFolder } from "./folder_for_tests.ts";
import { dataPaths } from "./paths.ts";
import {
  databaseInServer,
  openState,
  type PlacedState,
} from "./state_place.ts";

const { signal } = new AbortController();
const node = nodeId(new Uint8Array(20).fill(1));

function openIn(dataDir: string, url: string): Promise<PlacedState> {
  const config = readConfig({ env: { TESSERAS_STORAGE_STATE_URL: url } });
  const paths = dataPaths(dataDir);
  return openState({ config, paths, node, worker: false }, signal);
}

Deno.test("a state in a server is found again by its data directory, and by a new one of the same node", async () => {
  await using server = await openLibsqlServer();
  await using one = await temporaryFolder();
  await using other = await temporaryFolder();
  const url = server.url("one");
  const first = await openIn(one.path, url);
  await first.state.putValue("a", Uint8Array.of(1), signal);
  await first.state[Symbol.asyncDispose]();
  for (const { path } of [one, other]) {
    const { state } = await openIn(path, url);
    assertEquals(await state.value("a", signal), Uint8Array.of(1));
    await state[Symbol.asyncDispose]();
  }
  const name = await databaseInServer(dataPaths(one.path));
  assertEquals(name?.length, 16);
  assertEquals(await databaseInServer(dataPaths(other.path)), name);
});

Deno.test("a data directory whose state is in a server starts with no other", async () => {
  await using server = await openLibsqlServer();
  await using folder = await temporaryFolder();
  const { state } = await openIn(folder.path, server.url("one"));
  await state[Symbol.asyncDispose]();
  await assertRejectsCode(
    openIn(folder.path, ""),
    "unusable",
    /^Cannot start: the state of .* is in a libSQL server/,
  );
  await assertRejectsCode(
    openIn(folder.path, server.url("two")),
    "unusable",
    /the database is empty, and not the one that this node has had/,
  );
  await Deno.writeTextFile(dataPaths(folder.path).serverDatabase, "short");
  await assertRejectsCode(
    openIn(folder.path, server.url("one")),
    "unusable",
    /wanted 16 bytes, got 73686f7274/,
  );
});

Deno.test("a data directory with a database of its own is not started with one in a server", async () => {
  await using server = await openLibsqlServer();
  await using folder = await temporaryFolder();
  const { state } = await openIn(folder.path, "");
  await state[Symbol.asyncDispose]();
  await assertRejectsCode(
    openIn(folder.path, server.url("one")),
    "unusable",
    /has a database of its own, .* which cannot be moved to a server/,
  );
  assertEquals(server.askedCount, 0);
  await using again = (await openIn(folder.path, "")).state;
  assertEquals(await again.tesseras(signal), []);
});

function startIn(dataDir: string, url: string): Promise<Daemon> {
  const config = readConfig({
    env: {
      TESSERAS_STORAGE_STATE_URL: url,
      TESSERAS_NODE_LISTEN_ADDR: "127.0.0.1:0",
      TESSERAS_NODE_POW_BITS: "8",
      TESSERAS_BOOTSTRAP_HARDCODED: "",
      TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
      TESSERAS_NETWORK_ENABLE_MDNS: "false",
      TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
      TESSERAS_OBSERVABILITY_METRICS_ADDR: "",
    },
  });
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
  const options = { name: "test", config, dataDir, roles: ["dht"] } as const;
  return startDaemon(options, runtime, signal);
}

Deno.test("a copy of a node that starts elsewhere on the same database ends the first", async () => {
  await using server = await openLibsqlServer();
  await using folder = await temporaryFolder();
  await using copy = await temporaryFolder();
  const first = await startIn(folder.path, server.url("one"));
  const from = dataPaths(folder.path);
  await Deno.copyFile(from.nodeKey, dataPaths(copy.path).nodeKey);
  const second = await startIn(copy.path, server.url("one"));
  assertEquals(second.node.id, first.node.id);
  const told = /another process of this node has opened the database/;
  // It notices with the next thing that it does, and this is one.
  const asking = callControl(from.socket, "status", {}, () => {}, signal);
  await assertRejectsCode(asking, "inUse", told);
  assertTrue(told.test(messageOf(await first.failed)));
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});
