/** `tes delete --everywhere`, with a network of real nodes on loopback in this process. */
import { match } from "node:assert/strict";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Home, ScriptedPerson, textOf } from "./home_for_tests.ts";
import { node } from "./node_for_tests.ts";

Deno.test("deleting everywhere reaches every holder, and one that was down when it is there again", async () => {
  await using home = await Home.ready();
  await using other = await Home.empty();
  await using entry = await node(`${home.path}/entry`, ["bootstrap", "dht"]);
  await using _first = await node(`${home.path}/s1`, ["store"], entry);
  const second = await node(`${home.path}/s2`, ["store"], entry);
  await using _mine = await node(home.dataDir, ["dht"], entry);
  await using _theirs = await node(other.dataDir, ["dht"], entry);
  const hash = await home.tessera();
  const published = await home.tes(["publish", hash]);
  assertEquals(published.json.peerCount, 2);
  await other.tes(["fetch", hash]);
  await other.tes(["init"]);
  // Only its creator can, and whoever only has a copy keeps it.
  await assertRejectsCode(
    other.tes(["delete", hash, "--everywhere", "--yes"]),
    "refused",
    /only its creator can ask that/,
  );
  assertEquals((await other.tes(["verify", hash])).json.passed, true);

  await second[Symbol.asyncDispose]();
  const no = new ScriptedPerson(["n"]);
  await assertRejectsCode(
    home.tes(["delete", hash, "--everywhere"], no),
    "cancelled",
    /nothing was deleted/,
  );
  match(no.said.join("\n"), /copies that others made cannot be recalled/);
  const deleted = await home.tes(["delete", hash, "--everywhere", "--yes"]);
  const { removed, holderCount, confirmedCount, notReachedCount } =
    deleted.json;
  assertEquals(
    { removed, holderCount, confirmedCount, notReachedCount },
    { removed: true, holderCount: 2, confirmedCount: 1, notReachedCount: 1 },
  );
  match(
    deleted.lines.join("\n"),
    /^Deleted "sunday".*\n2 holders: 1 confirmed that nothing is left, 0 told without confirming, 1 not reached\nThe node asks them again until \d{4}-\d\d-\d\d; .*\nCopies that others made cannot be recalled$/,
  );

  // At another port, as behind many a router.
  await using _second = await node(`${home.path}/s2`, ["store"], entry);
  // Named in full, since it is on this disk no more.
  await assertRejectsCode(
    home.tes(["delete", hash.slice(0, 8), "--everywhere", "--yes"]),
    "missing",
  );
  let again = await home.tes(["delete", hash, "--everywhere", "--yes"]);
  // Who could not be reached a moment ago is not dialled again at once.
  for (let tries = 0; tries < 200; tries++) {
    if (again.json.confirmedCount === 2) break;
    await new Promise((resolve) => setTimeout(resolve, 300));
    again = await home.tes(["delete", hash, "--everywhere", "--yes"]);
  }
  assertEquals(
    [again.json.removed, again.json.confirmedCount, again.json.until],
    [false, 2, deleted.json.until],
  );
  match(again.lines[0]!, /^Nothing on this disk to delete/);
  // Keepers of pointers name the holders for a day yet, who have nothing to give.
  await assertRejectsCode(
    home.tes(["fetch", hash]),
    "tooFew",
    /none of 2 holders gave the plan/,
  );

  // The copy of another comes back by hand, and cannot be published again.
  const out = await other.tes(["export", hash, `${other.path}/out`]);
  await home.tes(["import", textOf(out.json.path)]);
  await assertRejectsCode(
    home.tes(["publish", hash]),
    "refused",
    /every holder was asked to forget this tessera/,
  );
  assertTrue((await other.tes(["verify", hash])).json.passed === true);
});

Deno.test("without a node nothing is deleted everywhere, and nothing here", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  await assertRejectsCode(
    home.tes(["delete", hash, "--everywhere"]),
    "unusable",
    /--yes/,
  );
  await assertRejectsCode(
    home.tes(["delete", hash, "--everywhere", "--yes"]),
    "notRunning",
    /start it with/,
  );
  assertEquals((await home.tes(["verify", hash])).json.passed, true);
});
