// On real packets: two real endpoints knock at each other, and what a punch costs somebody who never asked for one (6 s, as long as
// a punch lasts).
import { codeOf } from "@tesseras/core";
import { MEETING_NONCE_BYTES } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { INTRODUCTION, type PunchRequest, signFresh } from "@tesseras/wire";
import {
  identityOf,
  never,
  runtimeOn,
  startNode,
  type TestNode,
} from "./node_for_tests.ts";
import { openQuic } from "./quic.ts";
import type { Standing } from "./standing.ts";

const ping = { type: "ping" } as const;
const STANDING: Standing = {
  realm: "lab",
  own: [],
  kind: "cone",
  likely: () => undefined,
};

function node(seed: number, hidden: boolean): Promise<TestNode> {
  const runtime = runtimeOn(systemClock, systemRandom);
  const listen = { ip: "127.0.0.1", port: 0 };
  return startNode({
    seed,
    options: { hidden, standing: STANDING, nat: hidden ? "cone" : "public" },
    runtime,
    open: (identity, admit) =>
      openQuic({ identity, listen, admit }, runtime, never),
  });
}

Deno.test("QUIC: two that nobody can dial meet over an introducer, and both dial", async () => {
  await using introducer = await node(1, false);
  await using a = await node(2, true);
  await using b = await node(3, true);
  for (const each of [a, b]) {
    await each.peers.ask(introducer.record, ping, {}, never);
  }
  await a.peers.ask(b.record, ping, {}, never);
  await b.peers.ask(a.record, ping, {}, never);
  assertEquals(a.counted("punch.succeeded"), 1);
  assertEquals(b.counted("punch.tried"), 1);
  assertEquals(introducer.counted("punch.introduced"), 1);
  for (const each of [a, b]) {
    const ways = each.peers.sessions().map(({ way }) => way);
    assertTrue(ways.includes("punched"), `${ways}`);
  }
});

Deno.test("QUIC: whoever is aimed at by two who conspire gets a few packets for a message, and then no more", async () => {
  await using rogue = await node(1, false);
  await using peer = await node(2, false);
  const victim = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = victim.addr as Deno.NetAddr;
  const observed = { ip: "127.0.0.1", port };
  const signer = await identityOf(77);
  const { bytes: intro } = signFresh(INTRODUCTION, {
    to: peer.record.id,
    meeting: systemRandom.bytes(MEETING_NONCE_BYTES),
    addresses: [observed],
    nat: "cone",
  }, { signer, nowMs: systemClock.nowMs() });
  const request: PunchRequest = {
    type: "punch_request",
    intro,
    observed,
    waitMs: 0,
    rendezvous: undefined,
  };
  let packets = 0;
  let bytes = 0;
  const counting = (async () => {
    for await (const [packet] of victim) {
      packets++;
      bytes += packet.length;
    }
  })();
  await rogue.peers.ask(peer.record, request, {}, never);
  while (peer.counted("punch.failed") === 0) {
    await systemClock.sleep(50, never);
  }
  victim.close();
  await counting.catch((error) => assertTrue(codeOf(error) === undefined));
  // Three dials, the first packet of each sent again until it is given up.
  assertTrue(packets >= 3, "three dials began");
  assertTrue(packets <= 18, `${packets} packets of ${bytes} bytes`);
});
