// Twelve processes on a short day, their owner and most holders killed: about a minute.
import { join } from "node:path";
import { SeededRandom, TesserasError } from "@tesseras/core";
import { compareExport } from "@tesseras/ops/compare";
import { type ChildInfo, Cluster } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { type Created, type Published, tesJson } from "./commands.ts";
import { makeFolder } from "./folder.ts";
import { counted } from "./lab.ts";

/** Ten seconds for a day: silence is forgiven for fifteen, and a turn is one. */
const SETTINGS = {
  TESSERAS_REPLICATION_REPAIR_INTERVAL_SECS: "10",
  TESSERAS_REPLICATION_REPAIR_JITTER_SECS: "1",
};
const SHAPE = { bootstrap: 1, dht: 1, store: 9, node: 1, settings: SETTINGS };
/** More than half of what may be lost, so that nobody waits for holidays to end. */
const KILLED = 4;
const PATIENCE_MS = 180_000;

Deno.test("holders repair without the owner, and a newcomer fetches every byte from those who came after", async () => {
  const dir = await Deno.makeTempDir({ prefix: "tesseras_repair_" });
  const { signal } = new AbortController();
  {
    const path = join(dir, "cluster");
    await using cluster = await Cluster.start(path, SHAPE, () => {}, signal);
    const home = cluster.infos.find(({ role }) => role === "node")!;
    await tesJson(home.dataDir, ["init"]);
    const folder = join(dir, "folder");
    await makeFolder(folder, 200_000, new SeededRandom(1));
    const created = await tesJson<Created>(home.dataDir, ["create", folder]);
    const plan = await tesJson<Published>(
      home.dataDir,
      ["publish", created.hash],
    );
    assertEquals(plan.holders.length, 7);
    await cluster.crash(home.name);
    const first = storesOf(cluster, plan).slice(0, KILLED);
    for (const { name } of first) await cluster.crash(name);
    // Five stores are left, and each can have a copy.
    await untilPlaced(cluster, 5 - (7 - KILLED));
    // Those who had it from the owner go, too.
    for (const { name } of storesOf(cluster, plan)) await cluster.crash(name);
    const dataDir = join(dir, "newcomer");
    await cluster.add({ name: "newcomer", role: "node", dataDir }, signal);
    await tesJson(dataDir, ["fetch", created.hash]);
    const target = join(dir, "out");
    const exported = await tesJson<{ path: string }>(
      dataDir,
      ["export", created.hash, target],
    );
    const report = await compareExport(
      folder,
      exported.path,
      created.memories,
    );
    assertEquals(report.differences, []);
  }
  await Deno.remove(dir, { recursive: true });
});

/** The living processes that had something from the owner. */
function storesOf(cluster: Cluster, plan: Published): readonly ChildInfo[] {
  const ids = new Set(plan.holders.map(({ id }) => id));
  return cluster.infos.filter(({ id }) => ids.has(id));
}

/** Waits until all that live have together made so many copies. @throws `timeout` */
async function untilPlaced(cluster: Cluster, count: number): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const stores = cluster.infos.filter(({ role }) => role === "store");
    const placed = await Promise.all(
      stores.map((info) => counted(info, "repair.placed")),
    );
    const sum = placed.reduce((all, one) => all + one, 0);
    if (sum >= count) return assertTrue(sum <= 2 * count, "no flood");
    if (performance.now() > endMs) {
      throw new TesserasError(
        "timeout",
        `Cannot see ${count} copies made anew within ${PATIENCE_MS} ms: ${sum}`,
      );
    }
    await new Promise((wake) => setTimeout(wake, 250));
  }
}
