// A node that was killed leaves its socket, its lock and its port as a crash does.
import { join } from "node:path";
import { Cluster } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { runTes, sentenceOf, tesJson } from "./commands.ts";
import { makeFolder } from "./folder.ts";
import { SeededRandom } from "@tesseras/core";

const SHAPE = { bootstrap: 1, dht: 0, store: 0, node: 1 };

Deno.test("behind the socket of a node that was killed nobody answers, and the next start takes it over", async () => {
  const dir = await Deno.makeTempDir({ prefix: "tesseras_gone_" });
  const { signal } = new AbortController();
  {
    await using cluster = await Cluster.start(dir, SHAPE, () => {}, signal);
    const node = cluster.infos.find(({ role }) => role === "node")!;
    await tesJson(node.dataDir, ["init"]);
    await makeFolder(join(dir, "folder"), 3_000, new SeededRandom(1));
    const { hash } = await tesJson<{ hash: string }>(
      node.dataDir,
      ["create", join(dir, "folder")],
    );
    const alone = await runTes(node.dataDir, ["--quiet", "publish", hash]);
    assertEquals(alone.code, 1);
    assertTrue(
      /no peer that stores fragments|found a holder/.test(sentenceOf(alone)),
    );
    await cluster.crash(node.name);
    assertTrue((await Deno.lstat(node.socket)).isSocket);
    const calls = [
      ["publish", hash],
      ["fetch", "0".repeat(64)],
      ["status", "--node"],
    ];
    for (const args of calls) {
      const ended = await runTes(node.dataDir, ["--quiet", ...args]);
      assertEquals(ended.code, 1);
      assertTrue(/it is not running .* start it/.test(sentenceOf(ended)));
    }
    await cluster.restart(node.name, signal);
    const { id } = await tesJson<{ id: string }>(
      node.dataDir,
      ["status", "--node"],
    );
    assertEquals(id, node.id);
  }
  await Deno.remove(dir, { recursive: true });
});
