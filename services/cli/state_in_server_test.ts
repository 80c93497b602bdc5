/** `tes` on a data directory whose state is in a libSQL server: it makes no second one beside it, and says so. */
import { dataPaths, writeNewSecret } from "@tesseras/run";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Home } from "./home_for_tests.ts";

async function served(): Promise<Home> {
  const home = await Home.ready();
  const { serverDatabase } = dataPaths(home.dataDir);
  await Deno.remove(`${home.dataDir}/db`, { recursive: true });
  await Deno.mkdir(`${home.dataDir}/db`);
  await writeNewSecret(serverDatabase, new Uint8Array(16));
  return home;
}

Deno.test("every command that opens the archive refuses, and none makes a file", async () => {
  await using home = await served();
  const folder = await home.folder("sunday", { "a.txt": "a" });
  const commands = [
    ["init"],
    ["list"],
    ["status"],
    ["create", folder, "-n"],
    ["store", "check"],
    ["store", "check", "--repair"],
  ];
  for (const command of commands) {
    await assertRejectsCode(
      home.tes(command),
      "unusable",
      /^Cannot open the archive: the state of .* is in a libSQL server/,
    );
  }
  const names = [...Deno.readDirSync(`${home.dataDir}/db`)];
  assertEquals(names.map(({ name }) => name), ["server"]);
});

Deno.test("tes doctor says where the state is, and looks no further", async () => {
  await using home = await served();
  const { json } = await home.tes(["doctor"]);
  const text = JSON.stringify(json.findings);
  assertTrue(/It is in a libSQL server, which is not looked into/.test(text));
});
