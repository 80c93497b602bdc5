import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Counters, keyOf, type Runtime, silentLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { temporaryFolder } from "./folder_for_tests.ts";
import {
  initCreator,
  loadCreator,
  loadOrMintNode,
  seedPath,
} from "./identities.ts";
import { dataPaths } from "./paths.ts";

const runtime: Runtime = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  counters: new Counters(),
};
const never = new AbortController().signal;
const POW_BITS = 8;

Deno.test("a node keeps the identity it made, in a file of 0600", async () => {
  await using folder = await temporaryFolder();
  const paths = dataPaths(`${folder.path}/data`);
  const made = await loadOrMintNode(paths, POW_BITS, runtime, never);
  const loaded = await loadOrMintNode(paths, POW_BITS, runtime, never);
  assertEquals(keyOf(loaded.id), keyOf(made.id));
  const message = new Uint8Array(5);
  assertEquals(loaded.sign(message), made.sign(message));
  const { mode, size } = await Deno.stat(paths.nodeKey);
  assertEquals([mode! & 0o777, size], [0o600, 88]);
});

Deno.test("a node key that is cut, changed or too cheap is a sentence that names it, and stays as it is", async () => {
  await using folder = await temporaryFolder();
  const paths = dataPaths(folder.path);
  await loadOrMintNode(paths, POW_BITS, runtime, never);
  const whole = await Deno.readFile(paths.nodeKey);
  const flipped = whole.slice();
  flipped[20]! ^= 1;
  const wrong = [
    [new Uint8Array(0), "malformed"],
    [whole.subarray(0, 87), "malformed"],
    [new Uint8Array(88), "malformed"],
    [flipped, "corrupt"],
  ] as const;
  for (const [bytes, code] of wrong) {
    await Deno.writeFile(paths.nodeKey, bytes);
    await assertRejectsCode(
      loadOrMintNode(paths, POW_BITS, runtime, never),
      code,
      /^Cannot use \S+identity\.key: /,
    );
    assertEquals(await Deno.readFile(paths.nodeKey), bytes.slice());
  }
  await Deno.writeFile(paths.nodeKey, whole);
  await assertRejectsCode(
    loadOrMintNode(paths, 60, runtime, never),
    "forged",
    /identity\.key: its id has \d+ leading zero bits, the network wants 60/,
  );
});

Deno.test("a start that is stopped while it mints writes nothing", async () => {
  await using folder = await temporaryFolder();
  const paths = dataPaths(folder.path);
  const stopped = AbortSignal.abort();
  const minting = loadOrMintNode(paths, 40, runtime, stopped);
  await assertRejectsCode(minting, "cancelled");
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("init makes a creator once, and two at once agree on one", async () => {
  await using folder = await temporaryFolder();
  const paths = dataPaths(folder.path);
  await assertRejectsCode(loadCreator(paths), "missing", /run "tes init"/);
  const made = await Promise.all(
    Array.from({ length: 4 }, () => initCreator(paths, runtime)),
  );
  assertEquals(made.filter(Boolean).length, 1);
  const keys = await loadCreator(paths);
  assertEquals(await initCreator(paths, runtime), false);
  const again = await loadCreator(paths);
  assertEquals(again.publicKeys, keys.publicKeys);
  const { mode } = await Deno.stat(seedPath(paths));
  assertEquals(mode! & 0o777, 0o600);
  assertEquals((await Deno.stat(paths.identity)).mode! & 0o777, 0o700);
});

Deno.test("a master seed with a slip of the hand is refused, and init leaves it alone", async () => {
  await using folder = await temporaryFolder();
  const paths = dataPaths(folder.path);
  await initCreator(paths, runtime);
  const path = seedPath(paths);
  const text = await Deno.readTextFile(path);
  const digit = text.match(/seed: (.)/)![1]!;
  const slips = [
    [
      text.replace(`seed: ${digit}`, `seed: ${digit === "0" ? 1 : 0}`),
      "corrupt",
    ],
    [text.slice(0, 50), "malformed"],
    ["", "malformed"],
    [text.replace("v1", "v2"), "malformed"],
    [text.replace("seed: ", "seed:  "), "malformed"],
  ] as const;
  for (const [slip, code] of slips) {
    await Deno.writeTextFile(path, slip);
    const named = /^Cannot use \S+master\.seed: /;
    await assertRejectsCode(loadCreator(paths), code, named);
    await assertRejectsCode(initCreator(paths, runtime), code, named);
    assertEquals(await Deno.readTextFile(path), slip);
  }
  await Deno.writeFile(path, Uint8Array.of(0xff, 0xfe));
  await assertRejectsCode(loadCreator(paths), "malformed", /master\.seed/);
  // Written by an editor of another system, it still reads.
  await Deno.writeTextFile(path, text.replaceAll("\n", "\r\n"));
  assertTrue(await loadCreator(paths));
});
