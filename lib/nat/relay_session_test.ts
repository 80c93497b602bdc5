import fc from "fast-check";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { RelaySession, type Side } from "./relay_session.ts";

const TERMS = {
  bytesPerSecond: 64_000,
  burstBytes: 64_000,
  lastsMs: 600_000,
  idleMs: 60_000,
  joinMs: 30_000,
};
const A = { ip: "5.1.1.1", port: 1_000 };
const B = { ip: "6.1.1.1", port: 2_000 };

function opened(): RelaySession {
  return new RelaySession({
    id: new Uint8Array(16),
    peers: ["a", "b"],
    ip: A.ip,
    terms: TERMS,
  }, 0);
}

/** A session both peers have joined and sent over. */
function running(): RelaySession {
  const session = opened();
  session.join(1, B.ip, 0);
  send(session, 0, A);
  send(session, 1, B);
  return session;
}

function send(
  session: RelaySession,
  side: Side,
  from: typeof A,
  nowMs = 0,
  bytes = 1_200,
) {
  return session.packet(side, { ...from, bytes }, nowMs);
}

Deno.test("forwards once both peers have asked and sent, and nothing before", () => {
  const session = opened();
  assertEquals(send(session, 0, A), "alone");
  assertEquals(send(session, 1, B), "stranger");
  session.join(1, B.ip, 0);
  assertEquals(send(session, 0, A), "alone");
  assertEquals(session.addressOf(1), undefined);
  assertEquals(send(session, 1, B), "forward");
  assertEquals(session.addressOf(1), B);
  assertEquals(send(session, 0, A), "forward");
  assertEquals(session.bytes, 2_400);
});

Deno.test("takes no packet from a stranger's address, nor from another port while the peer's is in use", () => {
  const session = running();
  assertEquals(send(session, 0, B), "stranger");
  assertEquals(send(session, 0, { ip: "9.9.9.9", port: 1_000 }), "stranger");
  assertEquals(send(session, 0, { ip: A.ip, port: 1_001 }, 999), "stranger");
  assertEquals(session.addressOf(0), A);
});

Deno.test("follows a peer whose NAT gave it another port, once the old one is silent", () => {
  const session = running();
  const moved = { ip: A.ip, port: 1_001 };
  assertEquals(send(session, 0, moved, 1_000), "forward");
  assertEquals(session.addressOf(0), moved);
  assertEquals(send(session, 0, A, 1_500), "stranger");
});

Deno.test("follows a peer to another address when it proves itself there, and not before", () => {
  const session = running();
  const moved = { ip: "7.7.7.7", port: 5 };
  assertEquals(send(session, 0, moved, 100), "stranger");
  session.join(0, moved.ip, 200);
  assertEquals(send(session, 0, A, 201), "stranger");
  assertEquals(send(session, 1, B, 201), "alone");
  assertEquals(send(session, 0, moved, 202), "forward");
  assertEquals(send(session, 1, B, 203), "forward");
});

Deno.test("asking again from the same place cuts off no line that works", () => {
  const session = running();
  session.join(0, A.ip, 10);
  assertEquals(session.addressOf(0), A);
  assertEquals(send(session, 1, B, 11), "forward");
});

Deno.test("drops what is over the rate, each way by itself", () => {
  const session = running();
  let passed = 0;
  for (let at = 0; at < 200; at++) {
    if (send(session, 0, A, 0) === "forward") passed++;
  }
  assertEquals(passed, Math.floor(TERMS.burstBytes / 1_200));
  assertEquals(send(session, 0, A, 0), "rate");
  assertEquals(send(session, 1, B, 0), "forward");
  assertEquals(send(session, 0, A, 1_000), "forward");
});

Deno.test("better terms lift rate and time, worse ones change nothing", () => {
  const session = running();
  session.lift({ ...TERMS, bytesPerSecond: 1, lastsMs: 1 }, 0);
  assertEquals(session.bytesPerSecond, 64_000);
  assertEquals(session.leftMs(1_000), 599_000);
  session.lift({ ...TERMS, bytesPerSecond: 256_000, lastsMs: Infinity }, 0);
  assertEquals([session.bytesPerSecond, session.leftMs(0)], [
    256_000,
    Infinity,
  ]);
});

Deno.test("ends alone, idle or after its time, and forwards nothing then", () => {
  const alone = opened();
  assertEquals(alone.expire(29_999), undefined);
  assertEquals(alone.expire(30_000), "alone");
  const idle = running();
  assertEquals(idle.expire(59_999), undefined);
  send(idle, 0, A, 50_000);
  assertEquals(idle.expire(109_999), undefined);
  assertEquals(idle.expire(110_000), "idle");
  const long = running();
  for (let nowMs = 0; nowMs < 600_000; nowMs += 30_000) send(long, 0, A, nowMs);
  assertEquals(long.expire(599_999), undefined);
  assertEquals(long.expire(600_000), "time");
  assertEquals(send(long, 0, A, 600_001), "over");
  long.join(0, "7.7.7.7", 600_001);
  assertEquals(long.addressOf(0), A);
});

Deno.test("packets that are not forwarded keep no session alive", () => {
  const session = running();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 1_000) {
    send(session, 0, { ip: "9.9.9.9", port: 1 }, nowMs);
    session.packet(1, { ...B, bytes: 1_000_000 }, nowMs);
  }
  assertEquals(session.expire(60_000), "idle");
});

Deno.test("forwards only from where a peer proved itself to where the other sent from, byte for byte", () => {
  const ip = fc.constantFrom(A.ip, B.ip, "9.9.9.9");
  const event = fc.oneof(
    fc.record({
      side: fc.constantFrom<Side>(0, 1),
      ip,
      join: fc.constant(true),
      port: fc.constant(0),
    }),
    fc.record({
      side: fc.constantFrom<Side>(0, 1),
      ip,
      join: fc.constant(false),
      port: fc.integer({ min: 1, max: 3 }),
    }),
  );
  fc.assert(fc.property(fc.array(event), fc.nat(900), (events, pauseMs) => {
    const session = opened();
    const proven: (string | undefined)[] = [A.ip, undefined];
    let forwarded = 0;
    for (const [at, { side, ip, join, port }] of events.entries()) {
      if (join) {
        session.join(side, ip, at * pauseMs);
        proven[side] = ip;
        continue;
      }
      const verdict = session.packet(
        side,
        { ip, port, bytes: 10 },
        at * pauseMs,
      );
      if (verdict !== "forward") continue;
      forwarded += 10;
      const target = session.addressOf(side === 0 ? 1 : 0);
      assertEquals(ip, proven[side]);
      assertEquals(target?.ip, proven[side === 0 ? 1 : 0]);
    }
    assertEquals(session.bytes, forwarded);
    assertTrue(forwarded <= events.length * 10);
  }));
});
