import fc from "fast-check";
import type { Address } from "@tesseras/core";
import type { SessionTerms, Side } from "@tesseras/nat";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  idOf,
  longPacket,
  OPENING_BYTES,
  shortPacket,
} from "./packets_for_tests.ts";
import { Pair } from "./pair.ts";

const TERMS: SessionTerms = {
  bytesPerSecond: 256 * 1_024,
  burstBytes: 64 * 1_024,
  lastsMs: Infinity,
  idleMs: 60_000,
  joinMs: 30_000,
};
const ONE = { ip: "192.0.2.1", port: 1_001 };
const OTHER = { ip: "198.51.100.2", port: 1_002 };

function come(
  pair: Pair,
  side: Side,
  { from, packet, nowMs = 0 }: {
    readonly from: Address;
    readonly packet: Uint8Array;
    readonly nowMs?: number;
  },
): boolean {
  return pair.judge(
    { side, from, buffer: packet, bytes: packet.length },
    nowMs,
  );
}

/** Both peers have opened a connection: side 0 is called 1, side 1 is called 2. */
function met(): Pair {
  const pair = new Pair(ONE.ip, TERMS, 0);
  pair.relock(1, OTHER.ip, 0);
  come(pair, 0, { from: ONE, packet: longPacket(idOf(9), idOf(1)) });
  come(pair, 1, { from: OTHER, packet: longPacket(idOf(1), idOf(2)) });
  pair.release(0, 0);
  return pair;
}

Deno.test("what the first peer sends waits for the second, and goes on when it is there", () => {
  const pair = new Pair(ONE.ip, TERMS, 0);
  const opening = longPacket(idOf(9), idOf(1));
  assertEquals(come(pair, 0, { from: ONE, packet: opening }), false);
  assertEquals(pair.isHolding(0), false, "nobody is there");
  pair.relock(1, OTHER.ip, 0);
  assertEquals(come(pair, 1, { from: OTHER, packet: opening }), true);
  assertTrue(pair.isHolding(0));
  assertEquals(pair.release(0, 0), [opening]);
  assertEquals(pair.isHolding(0), false);
  assertEquals(pair.addressOf(0), ONE);
  assertEquals(pair.tally.forwardedPackets, 2);
});

Deno.test("no more than four packets wait for a peer", () => {
  const pair = new Pair(ONE.ip, TERMS, 0);
  for (let n = 0; n < 10; n++) {
    come(pair, 0, { from: ONE, packet: longPacket(idOf(9), idOf(1)) });
  }
  pair.relock(1, OTHER.ip, 0);
  come(pair, 1, { from: OTHER, packet: longPacket(idOf(9), idOf(2)) });
  assertEquals(pair.release(0, 0).length, 4);
  assertEquals(pair.tally.alonePackets, 6);
});

Deno.test("a port is not taken by what opens no connection, nor by another address", () => {
  const pair = new Pair(ONE.ip, TERMS, 0);
  const opening = longPacket(idOf(9), idOf(1));
  come(pair, 0, { from: ONE, packet: shortPacket(idOf(9)) });
  come(pair, 0, { from: OTHER, packet: opening });
  come(pair, 1, { from: OTHER, packet: opening });
  assertEquals(pair.addressOf(0), undefined);
  assertEquals(pair.addressOf(1), undefined, "side 1 has not proved itself");
  assertEquals(pair.tally.strangerPackets, 3);
});

Deno.test("a peer whose NAT forgot its port goes on from another; a neighbour behind the same NAT does not take its place", () => {
  const pair = met();
  const elsewhere = { ip: ONE.ip, port: 5_000 };
  const nowMs = 2_000;
  for (const packet of [shortPacket(idOf(7)), longPacket(idOf(7), idOf(8))]) {
    assertEquals(come(pair, 0, { from: elsewhere, packet, nowMs }), false);
  }
  assertEquals(pair.addressOf(0), ONE);
  const echo = shortPacket(idOf(2));
  assertEquals(come(pair, 0, { from: elsewhere, packet: echo, nowMs }), true);
  assertEquals(pair.addressOf(0), elsewhere);
  // An id that somebody overheard is of no use elsewhere: nothing goes to a third party.
  const third = { ip: "203.0.113.3", port: 5_000 };
  come(pair, 0, { from: third, packet: echo, nowMs: 9_000 });
  assertEquals(pair.addressOf(0), elsewhere);
});

Deno.test("a peer that moved proves it elsewhere first, and goes on from its first packet", () => {
  const pair = met();
  const moved = { ip: "203.0.113.9", port: 77 };
  const echo = shortPacket(idOf(2));
  assertEquals(come(pair, 0, { from: moved, packet: echo }), false);
  pair.relock(0, moved.ip, 10);
  assertEquals(pair.addressOf(0), undefined);
  const late = { from: OTHER, packet: shortPacket(idOf(1)), nowMs: 11 };
  assertEquals(come(pair, 1, late), false, "nothing goes to where it was");
  assertEquals(come(pair, 0, { from: moved, packet: echo, nowMs: 12 }), true);
  assertEquals(pair.addressOf(0), moved);
  assertEquals(pair.release(1, 12), [late.packet]);
  assertEquals(come(pair, 0, { from: ONE, packet: echo, nowMs: 12 }), false);
});

Deno.test("what is over the rate is dropped, each way for itself", () => {
  const pair = met();
  const packet = shortPacket(idOf(2), OPENING_BYTES);
  let passed = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    if (come(pair, 0, { from: ONE, packet, nowMs })) passed++;
  }
  const bytes = passed * OPENING_BYTES;
  const most = TERMS.burstBytes + 10 * TERMS.bytesPerSecond;
  assertTrue(bytes <= most && bytes > 0.98 * most, `${bytes} of ${most}`);
  assertEquals(pair.tally.ratePackets, 10_000 - passed);
  const back = { from: OTHER, packet: shortPacket(idOf(1)), nowMs: 9_999 };
  assertTrue(come(pair, 1, back));
});

Deno.test("a pair ends when nothing has passed for a minute, or nobody came", () => {
  const pair = met();
  const packet = shortPacket(idOf(2));
  come(pair, 0, { from: ONE, packet, nowMs: 30_000 });
  assertEquals(pair.expire(89_999), undefined);
  assertEquals(pair.expire(90_000), "idle");
  assertEquals(come(pair, 0, { from: ONE, packet, nowMs: 90_001 }), false);
  assertEquals(new Pair(ONE.ip, TERMS, 0).expire(30_000), "alone");
});

Deno.test("whatever comes from wherever, no more leaves than came in, and only to who proved an address", () => {
  const ips = [ONE.ip, OTHER.ip, "203.0.113.3"];
  const arrival = fc.record({
    side: fc.constantFrom<Side>(0, 1),
    ip: fc.constantFrom(...ips),
    port: fc.integer({ min: 1, max: 3 }),
    packet: fc.oneof(
      fc.constantFrom(0, 1, 2, 9).map((n) => shortPacket(idOf(n))),
      fc.tuple(fc.constantFrom(1, 2, 9), fc.constantFrom(1, 2, 9))
        .map(([to, own]) => longPacket(idOf(to), idOf(own))),
      fc.uint8Array({ maxLength: 50 }),
    ),
    afterMs: fc.integer({ min: 0, max: 1_500 }),
  });
  fc.assert(fc.property(fc.array(arrival, { maxLength: 60 }), (arrivals) => {
    const pair = new Pair(ONE.ip, TERMS, 0);
    pair.relock(1, OTHER.ip, 0);
    let [nowMs, bytesIn, bytesOut] = [0, 0, 0];
    for (const { side, ip, port, packet, afterMs } of arrivals) {
      nowMs += afterMs;
      bytesIn += packet.length;
      if (come(pair, side, { from: { ip, port }, packet, nowMs })) {
        bytesOut += packet.length;
      }
      const other: Side = side === 0 ? 1 : 0;
      if (pair.isHolding(other)) {
        for (const { length } of pair.release(other, nowMs)) bytesOut += length;
      }
      assertTrue(bytesOut <= bytesIn, `${bytesOut} of ${bytesIn}`);
      assertTrue([undefined, ONE.ip].includes(pair.addressOf(0)?.ip));
      assertTrue([undefined, OTHER.ip].includes(pair.addressOf(1)?.ip));
    }
    assertEquals(pair.tally.forwardedBytes, bytesOut);
  }));
});
