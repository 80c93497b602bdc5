import fc from "fast-check";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { idOf, longPacket, shortPacket } from "./packets_for_tests.ts";
import { OfferedIds, opensConnection } from "./quic_ids.ts";

Deno.test("a packet opens a connection only when it is long, large and for an id nobody guesses", () => {
  assertTrue(opensConnection(longPacket(idOf(1), idOf(2))));
  assertTrue(opensConnection(longPacket(idOf(1), new Uint8Array(0))));
  assertTrue(!opensConnection(longPacket(idOf(1), idOf(2), 1_199)));
  assertTrue(!opensConnection(longPacket(new Uint8Array(7), idOf(2))));
  assertTrue(!opensConnection(shortPacket(idOf(1), 1_200)));
  const negotiation = longPacket(idOf(1), idOf(2));
  negotiation[4] = 0;
  assertTrue(!opensConnection(negotiation));
});

Deno.test("who says an id that the other side offered is told from who does not", () => {
  const ids = new OfferedIds();
  ids.learn(0, longPacket(idOf(9), idOf(1)));
  assertTrue(ids.isEcho(1, shortPacket(idOf(1))));
  assertTrue(ids.isEcho(1, longPacket(idOf(1), idOf(2))));
  assertTrue(!ids.isEcho(1, shortPacket(idOf(9))));
  assertTrue(!ids.isEcho(0, shortPacket(idOf(1))), "one's own id is no echo");
});

Deno.test("ids that can be guessed are not learned, and only the latest are kept", () => {
  const ids = new OfferedIds();
  ids.learn(0, longPacket(idOf(9), new Uint8Array(7)));
  assertTrue(!ids.isEcho(1, shortPacket(new Uint8Array(7))));
  for (let n = 1; n <= 5; n++) ids.learn(0, longPacket(idOf(9), idOf(n)));
  assertTrue(!ids.isEcho(1, shortPacket(idOf(1))));
  for (let n = 2; n <= 5; n++) {
    assertTrue(ids.isEcho(1, shortPacket(idOf(n))));
  }
});

Deno.test("no bytes make the reader throw, and none are an echo of nothing", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (packet) => {
    const ids = new OfferedIds();
    ids.learn(0, packet);
    assertEquals(opensConnection(packet), false);
    ids.isEcho(1, packet);
    assertEquals(new OfferedIds().isEcho(0, packet), false);
  }));
});
