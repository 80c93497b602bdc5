// Real sockets, disks and databases, so this file takes some seconds.
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  type Clock,
  clockOf,
  Counters,
  formatAddress,
  keyOf,
  RecordingLog,
  toHex,
} from "@tesseras/core";
import { systemRandom } from "@tesseras/core/system";
import { readConfig } from "./config.ts";
import { callControl } from "./control_client.ts";
import { type Daemon, type RoleName, startDaemon } from "./daemon.ts";
import { temporaryFolder } from "./folder_for_tests.ts";

const never = new AbortController().signal;

/** Real timers that run ten times as fast, for waits of many seconds; dates stay true. */
const fastClock: Clock = clockOf({
  nowMs: () => Date.now(),
  monotonicMs: () => 10 * performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms / 10);
    return () => clearTimeout(timer);
  },
});

type Wanted = {
  readonly bootstrap?: readonly string[];
  readonly listen?: string;
  readonly metrics?: string;
  readonly network?: string;
  readonly roles?: readonly RoleName[];
};

async function start(dataDir: string, wanted: Wanted = {}) {
  const { bootstrap = [], listen = "127.0.0.1:0", metrics = "" } = wanted;
  const { network = "main" } = wanted;
  const config = readConfig({
    env: {
      TESSERAS_NODE_LISTEN_ADDR: listen,
      TESSERAS_NODE_POW_BITS: "8",
      TESSERAS_BOOTSTRAP_HARDCODED: bootstrap.join(","),
      TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
      TESSERAS_NETWORK_NAME: network,
      TESSERAS_NETWORK_ENABLE_MDNS: "false",
      TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
      TESSERAS_OBSERVABILITY_METRICS_ADDR: metrics,
    },
  });
  const log = new RecordingLog();
  const runtime = {
    clock: fastClock,
    random: systemRandom,
    log,
    counters: new Counters(),
  };
  const roles = wanted.roles ?? ["dht"];
  const options = { name: "test", config, dataDir, roles };
  const daemon = await startDaemon(options, runtime, never);
  return Object.assign(daemon, { log });
}

const entryOf = ({ node, listening }: Daemon): string =>
  `${toHex(node.id)}@${formatAddress(listening)}`;

async function until(holds: () => boolean, what: string): Promise<void> {
  using deadline = fastClock.deadline(150_000, never);
  while (!holds()) {
    assertTrue(!deadline.signal.aborted, `waited in vain until ${what}`);
    await fastClock.sleep(100, never);
  }
}

const knows = (a: Daemon, b: Daemon): boolean =>
  [...a.node.table.entries()].some(({ contact }) =>
    keyOf(contact.id) === keyOf(b.node.id)
  );

Deno.test("a seed is joined at once; others join through a pinned entry, and answer over their socket", async () => {
  await using folder = await temporaryFolder();
  await using seed = await start(`${folder.path}/seed`, {
    metrics: "127.0.0.1:0",
  });
  await seed.joined;
  await using other = await start(`${folder.path}/other`, {
    bootstrap: [entryOf(seed)],
    roles: ["dht", "store"],
  });
  await other.joined;
  assertTrue(knows(seed, other) && knows(other, seed));
  const { socket } = other.paths;
  const status = await callControl(socket, "status", {}, () => {}, never);
  assertEquals(status.id, toHex(other.node.id));
  assertEquals(status.knownPeers, 1);
  const base = `http://${formatAddress(seed.health!)}`;
  assertEquals(await (await fetch(`${base}/readyz`)).text(), "ready\n");
  const metrics = await (await fetch(`${base}/metrics`)).text();
  assertTrue(/^tesseras_peers_known 1$/m.test(metrics), metrics);
});

Deno.test("a pinned entry whose key is another's is refused, and the node stays out", async () => {
  await using folder = await temporaryFolder();
  await using seed = await start(`${folder.path}/seed`);
  const lie = `${"00".repeat(20)}@${formatAddress(seed.listening)}`;
  await using other = await start(`${folder.path}/other`, {
    bootstrap: [lie],
    metrics: "127.0.0.1:0",
  });
  const refused = () =>
    other.log.events.find(({ event }) => event === "bootstrap.refused");
  await until(() => refused() !== undefined, "the entry is refused");
  const reason = String(refused()!.fields.reason);
  assertTrue(
    new RegExp(`^Cannot trust ${lie}: ${toHex(seed.node.id)}`).test(reason),
  );
  assertEquals(other.node.table.size, 0);
  const answer = await fetch(`http://${formatAddress(other.health!)}/readyz`);
  assertEquals([answer.status, await answer.text()], [503, "not ready\n"]);
});

Deno.test("a node of another network stays out of this one, and says why", async () => {
  await using folder = await temporaryFolder();
  await using seed = await start(`${folder.path}/seed`);
  const address = formatAddress(seed.listening);
  await using other = await start(`${folder.path}/other`, {
    bootstrap: [address],
    network: "garden",
  });
  const alone = () =>
    other.log.events.find(({ event }) => event === "network.unreachable");
  await until(() => alone() !== undefined, "the entry is refused");
  const reason = JSON.stringify(other.log.events);
  assertTrue(/is of another network/.test(reason), reason);
  assertEquals([seed.node.table.size, other.node.table.size], [0, 0]);
  assertTrue(seed.node.runtime.counters.get("quic.other_network") > 0);
});

Deno.test("a data directory serves one node at a time, and each one after another", async () => {
  await using folder = await temporaryFolder();
  const first = await start(folder.path);
  const id = keyOf(first.node.id);
  await assertRejectsCode(start(folder.path), "inUse", /already running/);
  // The one that was refused has not taken the socket away.
  await callControl(first.paths.socket, "status", {}, () => {}, never);
  await first[Symbol.asyncDispose]();
  await using second = await start(folder.path);
  assertEquals(keyOf(second.node.id), id);
});

Deno.test("two that start in the same moment: one runs, and what the other opened is closed", async () => {
  await using folder = await temporaryFolder();
  const ends = await Promise.allSettled([
    start(folder.path),
    start(folder.path),
    start(folder.path),
  ]);
  const running = ends.filter((end) => end.status === "fulfilled");
  assertEquals(running.length, 1);
  const { value: daemon } = running[0]!;
  await callControl(daemon.paths.socket, "status", {}, () => {}, never);
  await daemon[Symbol.asyncDispose]();
});

Deno.test("a port in use is one sentence, for QUIC and for HTTP, and leaves nothing open", async () => {
  await using folder = await temporaryFolder();
  await using first = await start(`${folder.path}/a`, {
    metrics: "127.0.0.1:0",
  });
  const dataDir = `${folder.path}/b`;
  const listen = formatAddress(first.listening);
  await assertRejectsCode(
    start(dataDir, { listen }),
    "inUse",
    /^Cannot listen on UDP 127\.0\.0\.1:\d+: [^\n]+$/,
  );
  await assertRejectsCode(
    start(dataDir, { metrics: formatAddress(first.health!) }),
    "inUse",
    /^Cannot serve metrics on 127\.0\.0\.1:\d+: [^\n]+$/,
  );
  await using second = await start(dataDir);
  await callControl(second.paths.socket, "status", {}, () => {}, never);
});

Deno.test("a start that is stopped opens nothing", async () => {
  await using folder = await temporaryFolder();
  const options = {
    name: "test",
    config: readConfig({}),
    dataDir: folder.path,
    roles: [],
  };
  const runtime = {
    clock: fastClock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
  const stopped = startDaemon(options, runtime, AbortSignal.abort());
  await assertRejectsCode(stopped, "cancelled");
});

Deno.test("a restarted node finds back through its own peers when every seed is dead", async () => {
  await using folder = await temporaryFolder();
  const seed = await start(`${folder.path}/seed`);
  const bootstrap = [entryOf(seed)];
  await using steady = await start(`${folder.path}/steady`, { bootstrap });
  const leaving = await start(`${folder.path}/leaving`, { bootstrap });
  await Promise.all([steady.joined, leaving.joined]);
  await until(() => knows(leaving, steady), "the two know each other");
  await leaving[Symbol.asyncDispose]();
  await seed[Symbol.asyncDispose]();
  await using back = await start(`${folder.path}/leaving`, { bootstrap });
  await back.joined;
  assertTrue(knows(back, steady));
});

Deno.test("a seed whose peers of an earlier life are gone is ready all the same", async () => {
  await using folder = await temporaryFolder();
  const seed = await start(`${folder.path}/seed`);
  const other = await start(`${folder.path}/other`, {
    bootstrap: [entryOf(seed)],
  });
  await other.joined;
  await seed[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await using again = await start(`${folder.path}/seed`);
  await again.joined;
});

Deno.test("a data directory with a path too long for a socket works all the same", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/${"long".repeat(30)}`;
  const node = await start(dataDir);
  const { socket, socketDir } = node.paths;
  assertTrue(socketDir.startsWith("/tmp/tesseras-"));
  try {
    await callControl(socket, "status", {}, () => {}, never);
    assertEquals(Deno.statSync(socketDir).mode! & 0o777, 0o700);
  } finally {
    await node[Symbol.asyncDispose]();
    await Deno.remove(socketDir);
  }
});
