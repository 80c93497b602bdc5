import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import {
  Counters,
  formatAddress,
  keyOf,
  orAbort,
  RecordingLog,
  TesserasError,
  VirtualClock,
} from "@tesseras/core";
import { systemRandom } from "@tesseras/core/system";
import {
  type ConfiguredPeer,
  type FindAddresses,
  resolvePeer,
  resolvePeers,
  systemAddresses,
} from "./entries.ts";

const never = new AbortController().signal;
const ID = "00ab".repeat(10);

/** Names of a small world. */
const find: FindAddresses = async (host, signal) => {
  switch (host) {
    case "boot.example":
      return ["192.0.2.1", "2001:DB8::1", "::ffff:192.0.2.1", "192.0.2.2"];
    case "many.example":
      return Array.from({ length: 40 }, (_, n) => `192.0.2.${n}`);
    case "odd.example":
      return ["fe80::1%eth0", "nonsense"];
    case "slow.example":
      return await orAbort(new Promise<never>(() => {}), signal);
    default:
      throw new TesserasError("unreachable", `Cannot find ${host}`);
  }
};

const shown = ({ address, id }: ConfiguredPeer): string =>
  (id ? `${keyOf(id).slice(0, 4)}@` : "") + formatAddress(address);

Deno.test("literals need no name, names give each of their addresses once, and an id stays with all of them", async () => {
  const of = async (text: string): Promise<readonly string[]> =>
    (await resolvePeer(text, find, never)).map(shown);
  assertEquals(await of("192.0.2.9:4433"), ["192.0.2.9:4433"]);
  assertEquals(await of("[2001:DB8::9]:1"), ["[2001:db8::9]:1"]);
  assertEquals(await of("boot.example:5"), [
    "192.0.2.1:5",
    "[2001:db8::1]:5",
    "192.0.2.2:5",
  ]);
  assertEquals(await of(`${ID}@boot.example:5`), [
    "00ab@192.0.2.1:5",
    "00ab@[2001:db8::1]:5",
    "00ab@192.0.2.2:5",
  ]);
  assertEquals((await of("many.example:5")).length, 8);
});

Deno.test("what cannot be resolved says why", async () => {
  const of = (text: string) => resolvePeer(text, find, never);
  await assertRejectsCode(of("none.example:1"), "unreachable");
  await assertRejectsCode(of("odd.example:1"), "unreachable", /it has none/);
  await assertRejectsCode(of("abc@192.0.2.1:1"), "malformed");
  await assertRejectsCode(of("192.0.2.1"), "malformed");
});

Deno.test("entries that cannot be found are logged and left out, a resolver that hangs is not waited for", async () => {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const counters = new Counters();
  const runtime = { clock, random: systemRandom, log, counters };
  const texts = ["none.example:1", "slow.example:2", "192.0.2.7:3"];
  const peers = await clock.run(resolvePeers(texts, runtime, find, never));
  assertEquals(peers.map(shown), ["192.0.2.7:3"]);
  assertEquals(
    log.events.map(({ event, fields }) => [event, fields.peer]),
    [
      ["bootstrap.unresolved", "none.example:1"],
      ["bootstrap.unresolved", "slow.example:2"],
    ],
  );
  const controller = new AbortController();
  const stopped = resolvePeers(texts, runtime, find, controller.signal);
  controller.abort();
  await assertRejectsCode(stopped, "cancelled");
});

Deno.test("the system's resolver knows this machine, and not what cannot exist", async () => {
  const found = await systemAddresses("localhost", never);
  assertEquals(found.some((ip) => ip === "127.0.0.1" || ip === "::1"), true);
  await assertRejectsCode(
    systemAddresses("name.invalid", never),
    "unreachable",
    /^Cannot find the address of name\.invalid: /,
  );
});
