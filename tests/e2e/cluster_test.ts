// Starts a network of six processes three times: about 20 s.
import { assertEquals, assertTrue } from "@tesseras/testing";
import { callControl } from "@tesseras/run";
import {
  isRunning,
  Program,
  runProgram,
  temporaryFolder,
  until,
} from "./service_process.ts";

const CLUSTER = "ops/cluster/main.ts";
const NODES = 6;
const never = new AbortController().signal;

/** One process as `cluster.json` tells of it. */
type Member = {
  readonly name: string;
  readonly role: string;
  readonly id: string;
  readonly address: string;
  readonly health: string;
  readonly pid: number;
  readonly socket: string;
};

async function startCluster(dir: string) {
  // Settings of a node on this machine are not the cluster's.
  const env = {
    TESSERAS_NODE_LISTEN_ADDRS: "127.0.0.1:1",
    TESSERAS_LOG: "error",
  };
  const args = ["--nodes", `${NODES}`, "--dir", dir];
  const launcher = Program.start(CLUSTER, args, env);
  await launcher.said((text) => /^cluster ready/m.exec(text) ?? undefined);
  const { processes } = JSON.parse(
    await Deno.readTextFile(`${dir}/cluster.json`),
  ) as { readonly processes: readonly Member[] };
  const idsByName = Object.fromEntries(
    processes.map(({ name, id }) => [name, id] as const).sort(),
  );
  return { launcher, processes, idsByName };
}

const noneRuns = (processes: readonly Member[]): boolean =>
  !processes.some(({ pid }) => isRunning(pid));

Deno.test("a cluster starts, tells where it is, and leaves no process behind however it ends", async (t) => {
  await using folder = await temporaryFolder();
  const dir = `${folder.path}/with space`;
  let ids: Record<string, string> = {};

  await t.step(
    "every process runs, is ready, and answers as who it is",
    async () => {
      const { launcher, processes, idsByName } = await startCluster(dir);
      await using _launcher = launcher;
      ids = idsByName;
      assertEquals(processes.length, NODES);
      const roles = Object.groupBy(processes, ({ role }) => role);
      assertEquals(
        Object.entries(roles).map(([role, all]) => `${role} ${all?.length}`)
          .sort(),
        ["bootstrap 2", "dht 1", "node 1", "store 2"],
      );
      for (const { id, pid, address, health, socket } of processes) {
        const status = await callControl(socket, "status", {}, () => {}, never);
        assertEquals([status.id, status.pid], [id, pid]);
        assertEquals(status.addresses, [address]);
        assertTrue(Number(status.knownPeers) > 0);
        const answer = await fetch(`http://${health}/readyz`);
        assertEquals(await answer.text(), "ready\n");
      }
      launcher.signal("SIGINT");
      const ending = await launcher.ended();
      assertEquals([ending.code, ending.stderr], [0, ""]);
      assertTrue(noneRuns(processes));
      // Numbers of dead processes must not be found by anybody.
      const left = [...Deno.readDirSync(dir)].map(({ name }) => name);
      assertTrue(!left.includes("cluster.json"));
      for (const { name } of processes) {
        const log = await Deno.readTextFile(`${dir}/${name}.log`);
        assertTrue(log.includes('"daemon.stopped"'), `${name}: ${log}`);
      }
    },
  );

  await t.step(
    "the same folder gives the same identities, and a killed launcher takes all with it",
    async () => {
      const { launcher, processes, idsByName } = await startCluster(dir);
      await using _launcher = launcher;
      assertEquals(idsByName, ids);
      launcher.signal("SIGKILL");
      await launcher.ended();
      await until(() => noneRuns(processes), "no process is left");
    },
  );

  await t.step(
    "the crash of one process stops all of them, with a sentence and exit code 1",
    async () => {
      const { launcher, processes } = await startCluster(dir);
      await using _launcher = launcher;
      const victim = processes.find(({ role }) => role === "store")!;
      Deno.kill(victim.pid, "SIGKILL");
      const { code, stderr } = await launcher.ended();
      assertEquals(code, 1);
      assertTrue(
        new RegExp(`^cluster: ${victim.name} ended by itself \\(SIGKILL\\)`)
          .test(stderr),
        stderr,
      );
      assertTrue(noneRuns(processes));
    },
  );
});

Deno.test("a cluster that cannot start says why in one sentence", async () => {
  await using folder = await temporaryFolder();
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [["--nodes", "4"], /^cluster: Cannot start 4 nodes: wanted a whole number/],
    [["--nodes", "many"], /^cluster: Cannot start many nodes/],
    [["--nodes"], /^cluster: Cannot start .* nodes/],
    [["--node", "6"], /^cluster: .*"--node" is not known/],
    [["six"], /^cluster: .*"six" is not known/],
    [["--dir", ""], /^cluster: .*--dir wants one folder/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await runProgram(CLUSTER, args);
    assertEquals(code, 2);
    assertTrue(message.test(stderr), stderr);
  }
  // A process that cannot start stops the others, and its own words are told.
  await Deno.writeTextFile(`${folder.path}/dht-1`, "in the way");
  const { code, stderr } = await runProgram(CLUSTER, [
    "--nodes",
    "5",
    "--dir",
    folder.path,
  ]);
  assertEquals(code, 1);
  assertTrue(
    /^cluster: Cannot start dht-1: it ended with .*folder/.test(stderr),
    stderr,
  );
});
