import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { dnsServers, type Zone } from "@tesseras/testing/dns";
import * as fc from "fast-check";
import { systemClock } from "@tesseras/core/system";
import { SOURCE_PEERS_MAX } from "@tesseras/core/limits";
import { dnsTexts, readPeerTexts } from "./dns_texts.ts";

const never = new AbortController().signal;
const ID = "00ab".repeat(10);

Deno.test("peers stand in words, several in one record, and strings of one record are one text", () => {
  const { peers, refusedCount } = readPeerTexts([
    [`v=tesseras1 peer=${ID}@boot1.example:4433`],
    ["v=tesseras1 pe", "er=192.0.2.7:4433  peer=[2001:db8::7]:1"],
    ["v=tesseras1 note=hello peer=boot1.example:4433 peer=192.0.2.7:4433"],
    ["v=tesseras1"],
  ]);
  assertEquals(peers, [
    `${ID}@boot1.example:4433`,
    "192.0.2.7:4433",
    "[2001:db8::7]:1",
    "boot1.example:4433",
  ]);
  assertEquals(refusedCount, 0);
});

Deno.test("records of others, peers of another form and everything beyond the bounds are passed over and counted", () => {
  const wrong = [
    ["v=spf1 -all"],
    [],
    [""],
    ["v=tesseras2 peer=192.0.2.7:4433"],
    ["peer=192.0.2.7:4433 v=tesseras1"],
    [`v=tesseras1 ${"x".repeat(1_024)}`],
    ["v=tesseras1 peer="],
    ["v=tesseras1 peer=192.0.2.7"],
    ["v=tesseras1 peer=192.0.2.7:0"],
    ["v=tesseras1 peer=192.0.2.7:70000"],
    ["v=tesseras1 peer=abc@192.0.2.7:1"],
    [`v=tesseras1 peer=${ID}@${ID}@h:1`],
  ];
  assertEquals(readPeerTexts(wrong), { peers: [], refusedCount: wrong.length });
  const flood = Array.from({ length: 500 }, (_, n) => [
    `v=tesseras1 peer=192.0.2.7:${n + 1}`,
  ]);
  const { peers, refusedCount } = readPeerTexts(flood);
  assertEquals(peers.length, SOURCE_PEERS_MAX);
  assertEquals(refusedCount, 500 - SOURCE_PEERS_MAX);
});

Deno.test("no records whatever do more than be passed over", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom("v=tesseras1", " ", "peer=", "@", ":1", ID),
  );
  const records = fc.array(fc.array(word, { maxLength: 8 }), { maxLength: 80 });
  fc.assert(fc.property(records, (texts) => {
    const { peers } = readPeerTexts(texts);
    assertTrue(peers.length <= SOURCE_PEERS_MAX);
    assertTrue(peers.every((peer) => !/[\s\p{Cc}]/u.test(peer)));
  }));
});

const ZONE: Zone = {
  "_tesseras._udp.example.test": [
    [`v=tesseras1 peer=${ID}@192.0.2.7:4433`],
    ["v=tesseras1 ", "peer=boot.example.test:4433"],
    ["v=spf1 -all"],
  ],
  "many.example.test": Array.from({ length: 40 }, (_, n) => [
    `v=tesseras1 peer=${ID}@boot${n}.a.rather.long.name.example.test:4433`,
  ]),
};

Deno.test("real servers answer with few records and with many, and say when there are none", async () => {
  for (const server of await dnsServers(ZONE)) {
    await using _server = server;
    const find = dnsTexts({ ip: server.ip, port: server.port });
    const few = await find("_tesseras._udp.example.test", never);
    const { peers, refusedCount } = readPeerTexts(few);
    assertEquals(
      [...peers].sort(),
      [`${ID}@192.0.2.7:4433`, "boot.example.test:4433"],
      server.name,
    );
    assertEquals(refusedCount, 1);
    const many = await find("many.example.test", never);
    assertEquals(many.length, 40, server.name);
    await assertRejectsCode(
      find("none.example.test", never),
      "unreachable",
      /^Cannot find the TXT records of none\.example\.test: /,
    );
  }
});

Deno.test("a server that says nothing is left at the deadline", async () => {
  const silent = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = silent.addr as Deno.NetAddr;
  const find = dnsTexts({ ip: "127.0.0.1", port });
  using deadline = systemClock.deadline(200, never);
  await assertRejectsCode(find("a.test", deadline.signal), "timeout");
  await assertRejectsCode(find("a.test", AbortSignal.abort()), "cancelled");
  silent.close();
});
