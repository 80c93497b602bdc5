/** `tes doctor` on data directories that are well, and on some that are not. */
import { match } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dataPaths, seedPath } from "@tesseras/run";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Home } from "./home_for_tests.ts";
import { node } from "./node_for_tests.ts";

/** A configuration that reaches nobody, and disturbs nobody on this machine. */
const CONFIG = `[node]
listen_addr = "127.0.0.1:0"
pow_bits = 8
[bootstrap]
hardcoded = []
dns_domain = ""
[observability]
metrics_addr = ""
[replication]
min_free_space_bytes = 0
`;

type Found = {
  readonly check: string;
  readonly level: string;
  readonly what: string;
  readonly todo: string | null;
};

async function patient(): Promise<Home> {
  const home = await Home.ready();
  await Deno.writeTextFile(`${home.dataDir}/config.toml`, CONFIG);
  return home;
}

async function examined(home: Home) {
  const { json, lines, failed } = await home.tes(["doctor"]);
  const findings = json.findings as unknown as readonly Found[];
  for (const { level, what, todo } of findings) {
    match(what, /^[A-Z0-9/"].*[^.]$/s);
    assertEquals(todo === null, level === "ok", what);
  }
  const of = (level: string) => findings.filter((one) => one.level === level);
  assertEquals(json.problemCount, of("problem").length);
  assertEquals(json.adviceCount, of("advice").length);
  return {
    failed,
    findings,
    problems: of("problem"),
    advices: of("advice").map(({ check }) => check),
    text: lines.join("\n"),
  };
}

/** Modes and contents of everything but the database, which any look at it gives a log. */
async function everythingIn(folder: string): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    const { mode, mtime } = await Deno.lstat(path);
    if (!path.includes("/db")) {
      all.push(`${path} ${mode} ${mtime?.getTime()}`);
    }
    if (isDirectory) all.push(...await everythingIn(path));
  }
  return all.sort();
}

Deno.test("a data directory that is well has advice and no problem, and is as it was", async () => {
  await using home = await patient();
  const before = await everythingIn(home.dataDir);
  const { failed, problems, advices, text } = await examined(home);
  assertEquals([failed, problems], [false, []]);
  assertEquals(advices, ["Backup", "Node"]);
  match(text, /\[ok\] Database: It opens/);
  match(text, /\[advice\] Backup: .*\n {4}Copy it to a medium/);
  match(text, /0 problems, 2 of advice$/);
  assertEquals(await everythingIn(home.dataDir), before);
});

Deno.test("without a data directory that is the one problem, and none is made", async () => {
  await using home = await Home.empty();
  const { failed, problems } = await examined(home);
  assertEquals([failed, problems.length], [true, 1]);
  match(problems[0]!.todo!, /tes init/);
  assertEquals([...Deno.readDirSync(home.path)], []);
});

Deno.test("a secret that others may read is a problem, and stays as it is", async () => {
  await using home = await patient();
  const seed = seedPath(dataPaths(home.dataDir));
  await Deno.chmod(seed, 0o644);
  const { failed, problems } = await examined(home);
  assertEquals([failed, problems.map(({ check }) => check)], [true, [
    "Permissions",
  ]]);
  match(problems[0]!.todo!, /chmod 600 .*master\.seed/);
  assertEquals((await Deno.stat(seed)).mode! & 0o777, 0o644);
});

Deno.test("each thing that is broken is named, and the rest is looked at all the same", async () => {
  await using home = await patient();
  const paths = dataPaths(home.dataDir);
  await Deno.writeTextFile(seedPath(paths), "TESSERAS MASTER SEED v1\n");
  await Deno.writeTextFile(paths.nodeKey, "no key", { mode: 0o600 });
  await Deno.writeTextFile(paths.config, "[node]\nlisten = 1\n");
  await Deno.writeTextFile(paths.database, "no database");
  await Deno.mkdir(`${paths.blobs}/quarantine`);
  await Deno.writeTextFile(`${paths.blobs}/quarantine/a`, "");
  const half = `${paths.nodeKey}.0123456789ab.tmp`;
  await Deno.writeTextFile(half, "");
  await Deno.utime(half, 1_000, 1_000);
  const { problems, advices, text } = await examined(home);
  assertEquals(problems.map(({ check }) => check), [
    "Identity",
    "Node key",
    "Configuration",
    "Database",
  ]);
  assertEquals(advices, ["Leftovers", "Leftovers", "Node"]);
  match(text, /\[node\] listen: there is no such setting/);
  match(text, /1 file was left by programs that died/);
  assertEquals(await Deno.readTextFile(paths.database), "no database");
});

Deno.test("a database of another version is not opened", async () => {
  await using home = await patient();
  const { database } = dataPaths(home.dataDir);
  const setVersion = (version: number): void => {
    using file = new DatabaseSync(database);
    file.exec(`PRAGMA user_version = ${version}`);
  };
  setVersion(1_000);
  const newer = await examined(home);
  assertEquals(newer.problems.map(({ check }) => check), ["Database"]);
  match(newer.problems[0]!.what, /newer version.*schema 1000/);
  setVersion(1);
  const older = await examined(home);
  assertEquals(older.problems, []);
  assertTrue(older.advices.includes("Database"));
  using file = new DatabaseSync(database);
  assertEquals({ ...file.prepare("PRAGMA user_version").get() }, {
    user_version: 1,
  });
});

Deno.test("ports that are taken and entrances that are nowhere are told", async () => {
  await using home = await patient();
  const taken = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = taken.addr as Deno.NetAddr;
  await Deno.writeTextFile(
    `${home.dataDir}/config.toml`,
    CONFIG.replace("127.0.0.1:0", `127.0.0.1:${port}`)
      .replace("[]", '["127.0.0.1:4433", "nowhere.invalid:4433"]'),
  );
  const { problems, findings } = await examined(home);
  taken.close();
  assertEquals(problems.map(({ check }) => check), ["Ports"]);
  const entrances = findings.find(({ check }) => check === "Entrances")!;
  assertEquals(entrances.level, "advice");
  match(entrances.what, /1 of 2 entrances did not answer: nowhere\.invalid/);
});

Deno.test("a running node is asked whom it knows, and how others see it", async () => {
  await using home = await patient();
  await using entry = await node(`${home.path}/entry`, ["bootstrap", "dht"]);
  await using _store = await node(`${home.path}/s1`, ["store"], entry);
  await using _mine = await node(home.dataDir, ["dht"], entry);
  const hash = await home.tessera();
  let found = await examined(home);
  const of = (name: string) =>
    found.findings.find(({ check }) => check === name);
  // A machine with much else to do may leave every ping without an answer.
  for (let tries = 0; tries < 30 && of("Clock") === undefined; tries++) {
    found = await examined(home);
  }
  const { problems, advices } = found;
  assertEquals(problems, []);
  match(of("Node")!.what, /^It has been running for/);
  match(of("Peers")!.what, /It knows \d+ peers?/);
  match(of("Clock")!.what, /The records of \d of \d peers? fit it/);
  assertEquals(of("Address")!.level, "ok", of("Address")!.what);
  assertEquals(of("Ports"), undefined);
  assertTrue(advices.includes("Tesseras"), `${hash} was never published`);
});
