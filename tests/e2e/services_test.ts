// Real processes, each of which takes a moment to start: about 15 s in all.
import { assertEquals, assertTrue } from "@tesseras/testing";
import { existsSync } from "node:fs";
import { clockOf, Counters, RecordingLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import {
  callControl,
  dataPaths,
  EXIT,
  readConfig,
  startDaemon,
} from "@tesseras/run";
import {
  type Ending,
  eventsIn,
  isRunning,
  Program,
  runProgram,
  temporaryFolder,
  until,
} from "./service_process.ts";

const never = new AbortController().signal;
const NODE = "services/node/main.ts";
const SEED = "services/bootstrap/main.ts";
/** Identities of a small network take no time to make. */
const env = {
  TESSERAS_NODE_POW_BITS: "8",
  TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
};

/** A seed on a free port without health pages, unless told otherwise. */
function argsOf(
  dataDir: string,
  { listen = "127.0.0.1:0", metrics = "", bootstrap = "" } = {},
): string[] {
  return [
    `--data-dir=${dataDir}`,
    `--listen=${listen}`,
    `--metrics-addr=${metrics}`,
    `--bootstrap=${bootstrap}`,
  ];
}

/** It ended with one sentence and nothing else, and with the code. */
function assertSentence(ending: Ending, code: number, message: RegExp): void {
  assertEquals(ending.stderr.split("\n").length, 2, ending.stderr);
  assertTrue(message.test(ending.stderr), ending.stderr);
  assertEquals([ending.code, ending.signal], [code, null]);
}

const services = ["bootstrap", "dht", "store", "relay", "node"];
for (const service of services) {
  Deno.test(`the ${service} service starts, offers its roles and stops on request`, async () => {
    await using folder = await temporaryFolder();
    const script = `services/${service}/main.ts`;
    const { code, stdout } = await runProgram(script, ["--help"]);
    assertEquals(code, EXIT.ok);
    assertTrue(/Usage: [\w-]+ \[OPTIONS\]/.test(stdout), stdout);
    await using program = Program.start(script, argsOf(folder.path), env);
    const { id } = await program.event("daemon.listening");
    await program.event("daemon ready");
    const { socket } = dataPaths(folder.path);
    const status = await callControl(socket, "status", {}, () => {}, never);
    assertEquals([status.id, status.pid], [String(id), program.pid]);
    assertEquals(
      status.roles,
      service === "node" ? ["dht", "store"] : [service],
    );
    program.signal("SIGTERM");
    assertOrderly(await program.ended());
  });
}

function assertOrderly(ending: Ending): void {
  assertEquals([ending.code, ending.signal, ending.stderr], [0, null, ""]);
  assertEquals(eventsIn(ending.stdout).at(-1)?.event, "daemon.stopped");
}

Deno.test("what cannot be used is one sentence and exit code 2", async () => {
  await using folder = await temporaryFolder();
  const config = `${folder.path}/c.toml`;
  await Deno.writeTextFile(config, "[dht]\nkk = 3\n");
  const file = `${folder.path}/file`;
  await Deno.writeTextFile(file, "");
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [["--nope"], /^tesd: Cannot start: "--nope" is not known; see tesd --help/],
    [["-c", config], /^tesd: Cannot use \S+c\.toml: \[dht\] kk: there is no/],
    [argsOf(file), /^tesd: Cannot use the folder \S+file: /],
    [
      argsOf(`${folder.path}/a`, { listen: "192.0.2.1:1" }),
      /^tesd: Cannot listen on UDP 192\.0\.2\.1:1: /,
    ],
  ];
  for (const [args, message] of wrong) {
    assertSentence(await runProgram(NODE, args, env), EXIT.usage, message);
  }
});

Deno.test("a taken port or data directory is one sentence and exit code 1; kill -9 leaves neither", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/a`;
  const served = argsOf(dataDir, { metrics: "127.0.0.1:0" });
  await using first = Program.start(NODE, served, env);
  const { id, address } = await first.event("daemon.listening");
  const health = await first.event("health.listening");
  const other = `${folder.path}/b`;
  const taken: readonly (readonly [string[], RegExp])[] = [
    [
      argsOf(dataDir),
      /^tesd: Cannot start: a node is already running on this data directory/,
    ],
    [
      argsOf(other, { listen: String(address) }),
      /^tesd: Cannot listen on UDP 127\.0\.0\.1:\d+: /,
    ],
    [
      argsOf(other, { metrics: String(health.address) }),
      /^tesd: Cannot serve metrics on 127\.0\.0\.1:\d+: another process/,
    ],
  ];
  for (const [args, message] of taken) {
    assertSentence(await runProgram(NODE, args, env), EXIT.failed, message);
  }
  first.signal("SIGKILL");
  await first.ended();
  await using again = Program.start(NODE, argsOf(dataDir), env);
  assertEquals((await again.event("daemon.listening")).id, id);
  again.signal("SIGINT");
  assertOrderly(await again.ended());
});

Deno.test("the end of standard input stops it where that was asked for, and only there", async () => {
  await using folder = await temporaryFolder();
  const tied = [...argsOf(`${folder.path}/tied`), "--stop-with-stdin"];
  await using program = Program.start(NODE, tied, env);
  await using free = Program.start(NODE, argsOf(`${folder.path}/free`), env);
  await Promise.all([program, free].map((one) => one.event("daemon ready")));
  await free.closeInput();
  await program.closeInput();
  assertOrderly(await program.ended());
  assertTrue(isRunning(free.pid));
  free.signal("SIGHUP");
  assertOrderly(await free.ended());
});

Deno.test("a node that is told to stop while it still starts ends quietly", async () => {
  await using folder = await temporaryFolder();
  const dear = { ...env, TESSERAS_NODE_POW_BITS: "40" };
  await using program = Program.start(NODE, argsOf(folder.path), dear);
  // The lock is taken before the search for an identity begins, which takes hours at 40 bits.
  await until(() => existsSync(`${folder.path}/lock`), "it has begun");
  program.signal("SIGTERM");
  const ending = await program.ended();
  assertEquals([ending.code, ending.stdout, ending.stderr], [0, "", ""]);
});

Deno.test("a stop finishes calls under way; a second Ctrl-C does not wait for them", async () => {
  await using folder = await temporaryFolder();
  await using seed = Program.start(SEED, argsOf(`${folder.path}/seed`), env);
  const { id, address } = await seed.event("daemon.listening");
  const dataDir = `${folder.path}/node`;
  const bootstrap = `${id}@${address}`;
  await using node = Program.start(NODE, argsOf(dataDir, { bootstrap }), env);
  await node.event("daemon ready");
  // A peer that says nothing holds up a lookup for as long as a query may take.
  seed.signal("SIGSTOP");
  const { socket } = dataPaths(dataDir);
  const tessera = "ab".repeat(32);
  const call = callControl(socket, "providers", { tessera }, () => {}, never)
    .then(() => "answered", (error: Error) => error.message);
  await systemClock.sleep(300, never);
  node.signal("SIGINT");
  await node.event("daemon.stopping");
  await systemClock.sleep(600, never);
  assertTrue(isRunning(node.pid));
  node.signal("SIGINT");
  const ending = await node.ended();
  assertEquals([ending.code, ending.signal], [EXIT.failed, null]);
  assertTrue(/the node stopped before it was done/.test(await call));
});

Deno.test("a node joins again after every seed was replaced by another at the same address", async () => {
  await using folder = await temporaryFolder();
  await using seed = Program.start(SEED, argsOf(`${folder.path}/seed`), env);
  const { address } = await seed.event("daemon.listening");
  // In this process, where waits of many seconds can be made short.
  const clock = clockOf({
    nowMs: () => Date.now(),
    monotonicMs: () => 10 * performance.now(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms / 10);
      return () => clearTimeout(timer);
    },
  });
  const config = readConfig({
    env: {
      ...env,
      TESSERAS_NODE_LISTEN_ADDR: "127.0.0.1:0",
      TESSERAS_BOOTSTRAP_HARDCODED: String(address),
      TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
      TESSERAS_NETWORK_ENABLE_MDNS: "false",
      TESSERAS_OBSERVABILITY_METRICS_ADDR: "",
    },
  });
  const log = new RecordingLog();
  await using node = await startDaemon(
    { name: "node", config, dataDir: `${folder.path}/node`, roles: ["dht"] },
    { clock, random: systemRandom, log, counters: new Counters() },
    never,
  );
  await node.joined;
  seed.signal("SIGTERM");
  await seed.ended();
  const replaced = argsOf(`${folder.path}/fresh`, { listen: String(address) });
  await using fresh = Program.start(SEED, replaced, env);
  await fresh.event("daemon.listening");
  const { socket } = dataPaths(`${folder.path}/fresh`);
  await until(async () => {
    const status = await callControl(socket, "status", {}, () => {}, never);
    return status.knownPeers === 1;
  }, "the new seed knows the node");
});
