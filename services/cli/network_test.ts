/** The commands that need a node, with a network of real nodes on loopback in this process. */
import { match } from "node:assert/strict";
import { COUNTER_HELP } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Home, textOf } from "./home_for_tests.ts";
import { node } from "./node_for_tests.ts";

/** At least one lookup, whose questions say whom they were put to and how they ended. */
function assertTraced(trace: unknown): void {
  const lookups = trace as { questions: Record<string, unknown>[] }[];
  assertTrue(lookups.length >= 1);
  const questions = lookups.flatMap((lookup) => lookup.questions);
  assertTrue(questions.some(({ outcome }) => outcome === "answered"));
  for (const { id, address, path, askedMs } of questions) {
    match(textOf(id), /^[0-9a-f]{40}$/);
    match(textOf(address), /^127\.0\.0\.1:\d+$/);
    assertTrue([0, 1, 2].includes(Number(path)) && Number(askedMs) >= 0);
  }
}

Deno.test("what one home publishes, status tells and another home fetches", async () => {
  await using home = await Home.ready();
  await using other = await Home.empty();
  await using entry = await node(`${home.path}/entry`, ["bootstrap", "dht"]);
  await using _first = await node(`${home.path}/s1`, ["store"], entry);
  await using _second = await node(`${home.path}/s2`, ["store"], entry);
  await using _mine = await node(home.dataDir, ["dht"], entry);
  await using _theirs = await node(other.dataDir, ["dht"], entry);
  const hash = await home.tessera();
  const local = await home.tes(["status", hash]);
  assertEquals([local.json.state, local.json.plan], ["Local", null]);

  const published = await home.tes(["publish", hash.slice(0, 8), "--trace"]);
  const { json } = published;
  assertTraced(json.trace);
  assertEquals([json.hash, json.dataCount, json.peerCount], [hash, 1, 2]);
  const holders = json.holders as { index: number; id: string }[];
  assertEquals(
    holders.length + (json.unplaced as unknown[]).length,
    7,
    "every copy has a holder or is named as having none",
  );
  assertTrue(Number(json.prepareSeconds) <= Number(json.seconds));
  match(
    published.lines.join("\n"),
    /copies, of which any one is enough, on 2 peers/,
  );

  const status = await home.tes(["status", hash.slice(0, 4)]);
  assertEquals(status.json.plan, json.plan);
  assertEquals(
    [status.json.peerCount, status.json.survivesLossOf],
    [2, 1],
  );
  assertTrue(["Publishing", "Replicated"].includes(textOf(status.json.state)));
  const all = await home.tes(["status"]);
  assertEquals(all.json, { tesseras: [status.json] });

  const fetched = await other.tes(["fetch", "--trace", hash]);
  assertTraced(fetched.json.trace);
  assertEquals([fetched.json.hash, fetched.json.plan], [hash, json.plan]);
  assertEquals((await other.tes(["verify", hash])).json.passed, true);
  const { tesseras } = (await other.tes(["list"])).json as {
    tesseras: { hash: string; origin: string }[];
  };
  assertEquals(tesseras.map(({ hash, origin }) => [hash, origin]), [
    [hash, "fetched"],
  ]);
  await assertRejectsCode(other.tes(["publish", hash]), "missing");

  const about = await home.tes(["status", "--node"]);
  match(textOf(about.json.id), /^[0-9a-f]{40}$/);
  match(about.lines.join("\n"), /Roles: +dht\n/);
  match(about.lines.join("\n"), /connections: \d+ in, \d+ out\n/);
  const counters = about.json.counters as Record<string, number>;
  assertEquals(Object.keys(counters), [...COUNTER_HELP.keys()]);
  assertTrue(counters["rpc.asked"]! > 0);
  await assertRejectsCode(
    home.tes(["fetch", "0".repeat(64)]),
    "absent",
    /no peer says it holds/,
  );
});
