import fc from "fast-check";
import { SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { MonthVolume } from "./allowance.ts";
import { RELAY_DEFAULTS, RelayBook, type RelayLimits } from "./relay_book.ts";
import type { RelaySession } from "./relay_session.ts";

const UNIX = Date.UTC(2026, 6, 15);

function bookOf(
  limits: Partial<RelayLimits> = {},
  bytesMax = Infinity,
): RelayBook {
  return new RelayBook({
    limits: { ...RELAY_DEFAULTS, ...limits },
    volume: new MonthVolume(bytesMax, undefined, UNIX),
    random: new SeededRandom(1),
  });
}

function ask(
  book: RelayBook,
  from: string,
  to: string,
  { ip = "5.1.1.1", nowMs = 0, isReciprocal = false } = {},
) {
  return book.ask({ from, at: { ip, port: 1 }, to, isReciprocal }, nowMs);
}

function refusal(answer: ReturnType<typeof ask>): string {
  return answer.ok ? "ok" : answer.why;
}

function sessionOf(answer: ReturnType<typeof ask>): RelaySession {
  assertTrue(answer.ok);
  return answer.session;
}

function sweep(
  book: RelayBook,
  nowMs: number,
  unixMs = UNIX + nowMs,
): string[] {
  return book.sweep({ nowMs, unixMs }).map(({ why }) => why);
}

Deno.test("two peers that ask for each other share one session, each on its own side", () => {
  const book = bookOf();
  const first = ask(book, "a", "b");
  const second = ask(book, "b", "a", { ip: "6.1.1.1" });
  assertTrue(first.ok && second.ok && first.session === second.session);
  assertEquals([first.side, first.isNew, second.side, second.isNew], [
    0,
    true,
    1,
    false,
  ]);
  assertEquals([book.count, book.freeSlots], [
    1,
    RELAY_DEFAULTS.sessionsMax - 1,
  ]);
  assertEquals(book.get(first.session.id), first.session);
});

Deno.test("gives no session to reach oneself, while draining, or when all are taken", () => {
  const book = bookOf({ sessionsMax: 1 });
  assertEquals(refusal(ask(book, "a", "a")), "self");
  assertEquals(refusal(ask(book, "a", "b")), "ok");
  assertEquals(refusal(ask(book, "c", "d")), "full");
  book.drain();
  assertEquals(refusal(ask(book, "c", "d")), "draining");
  assertEquals(
    refusal(ask(book, "b", "a")),
    "ok",
    "an open session may still be joined",
  );
  assertEquals([book.freeSlots, book.isDraining], [0, true]);
});

Deno.test("one identity and one subnet have their share, and a peer that was only named pays nothing", () => {
  const book = bookOf({ perPeerMax: 2, perSubnetMax: 3 });
  assertEquals(refusal(ask(book, "a", "victim")), "ok");
  assertEquals(refusal(ask(book, "a", "c")), "ok");
  assertEquals(refusal(ask(book, "a", "d")), "peer quota");
  assertEquals(refusal(ask(book, "sybil", "d", { ip: "5.1.1.200" })), "ok");
  assertEquals(
    refusal(ask(book, "other", "d", { ip: "5.1.1.201" })),
    "subnet quota",
  );
  assertEquals(refusal(ask(book, "victim", "x", { ip: "9.1.1.1" })), "ok");
  assertEquals(refusal(ask(book, "victim", "y", { ip: "9.1.1.1" })), "ok");
});

Deno.test("asking again and moving costs no more of one's share", () => {
  const book = bookOf({ perPeerMax: 1, perSubnetMax: 1 });
  for (let at = 0; at < 5; at++) {
    assertEquals(refusal(ask(book, "a", "b", { ip: `5.${at}.1.1` })), "ok");
  }
  assertEquals(book.count, 1);
  assertEquals(
    refusal(ask(book, "z", "y", { ip: "5.0.1.1" })),
    "ok",
    "the old subnet is free again",
  );
  assertEquals(refusal(ask(book, "w", "v", { ip: "5.4.1.1" })), "subnet quota");
});

Deno.test("gives back shares and slots when sessions end", () => {
  const book = bookOf({ sessionsMax: 1, perPeerMax: 1 });
  const session = sessionOf(ask(book, "a", "b"));
  assertEquals(book.close(session.id, "stranger"), false);
  assertEquals(book.close(new Uint8Array(16), "a"), false);
  assertEquals(book.close(session.id, "b"), true);
  assertEquals([book.count, session.ended], [0, "closed"]);
  assertEquals(refusal(ask(book, "a", "b")), "ok");
  assertEquals(sweep(book, 29_999), ["closed"]);
  assertEquals(sweep(book, 30_000), ["alone"]);
  const renewed = ask(book, "a", "c", { nowMs: 30_000 });
  assertTrue(renewed.ok && renewed.isNew);
  const late = ask(book, "c", "a", { nowMs: 70_000 });
  assertTrue(
    late.ok && late.isNew && late.session !== renewed.session,
    "an ended session is not joined",
  );
  assertEquals(
    sweep(book, 70_000),
    ["alone"],
    "whose ports are closed all the same",
  );
});

Deno.test("who gives has four times the rate and no end, and lends it to whom it meets", () => {
  const book = bookOf();
  const plain = sessionOf(ask(book, "a", "b"));
  assertEquals([plain.bytesPerSecond, plain.leftMs(0)], [65_536, 600_000]);
  ask(book, "b", "a", { isReciprocal: true });
  assertEquals([plain.bytesPerSecond, plain.leftMs(0)], [262_144, Infinity]);
  ask(book, "a", "b");
  assertEquals(plain.bytesPerSecond, 262_144);
});

Deno.test("what the data path forwards keeps a session open, and nothing else does", () => {
  const book = bookOf();
  const session = sessionOf(ask(book, "a", "b"));
  ask(book, "b", "a", { ip: "6.1.1.1" });
  book.forwarded(session, 1_200, 50_000);
  book.forwarded(session, 0, 90_000);
  book.forwarded(session, -5, 90_000);
  assertEquals(sweep(book, 109_999), []);
  assertEquals(sweep(book, 110_000), ["idle"]);
  book.forwarded(session, 1_200, 110_001);
  assertEquals(session.bytes, 1_200);
});

Deno.test("a month's volume ends every session and opens none until the next month", () => {
  const book = bookOf({}, 3_000);
  const session = sessionOf(ask(book, "a", "b"));
  book.forwarded(session, 2_999, 0);
  assertEquals([sweep(book, 0), session.bytes], [[], 2_999]);
  book.forwarded(session, 1, 0);
  assertEquals(sweep(book, 1), ["volume"]);
  assertEquals([book.count, book.freeSlots, refusal(ask(book, "a", "b"))], [
    0,
    0,
    "volume",
  ]);
  assertEquals(sweep(book, 2, Date.UTC(2026, 7, 1)), []);
  assertEquals(refusal(ask(book, "a", "b")), "ok");
});

Deno.test("shares are right after whatever happened: nobody has more sessions than it may, and all are free at the end", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "e");
  const act = fc.record({
    from: name,
    to: name,
    net: fc.nat(2),
    what: fc.constantFrom("ask", "ask", "ask", "close", "sweep"),
  });
  fc.assert(fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
    const book = bookOf({ sessionsMax: 4, perPeerMax: 2, perSubnetMax: 3 });
    let nowMs = 0;
    for (const { from, to, net, what } of acts) {
      nowMs += 5_000;
      if (what === "ask") ask(book, from, to, { ip: `5.${net}.1.1`, nowMs });
      const [session] = book.sessions();
      if (what === "close" && session) book.close(session.id, from);
      if (what === "sweep") sweep(book, nowMs);
      const bySide = book.sessions().flatMap((open) =>
        ([0, 1] as const).filter((side) => open.hasJoined(side)).map((side) =>
          open.peers[side]
        )
      );
      for (const peer of "abcde") {
        assertTrue(bySide.filter((joined) => joined === peer).length <= 2);
      }
      assertTrue(book.count <= 4);
    }
    sweep(book, nowMs + 1e9);
    assertEquals([book.count, book.freeSlots], [0, 4]);
    for (const [at, from] of ["a", "b", "c"].entries()) {
      assertEquals(
        refusal(ask(book, from, `x${at}`, { nowMs: nowMs + 1e9 })),
        "ok",
      );
    }
  }));
});
