import fc from "fast-check";
import { nodeId } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  INTRODUCTIONS_REMEMBERED_MAX,
  PUNCHES_MAX,
  PUNCHES_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type Introduction,
  Introductions,
  isFresh,
  PunchPlaces,
  punchTargets,
  Replays,
  type Sighting,
} from "./introductions.ts";

const NOW = 1_800_000_000_000;
const SELF = nodeId(new Uint8Array(20).fill(1));
const FROM = nodeId(new Uint8Array(20).fill(2));
const OUTER = { ip: "93.184.216.34", port: 40_000 };
const SEEN: Sighting = {
  claimed: [OUTER],
  seenIp: OUTER.ip,
  ownIp: "5.1.1.1",
  realm: "internet",
};
const VIA = { ...SEEN, via: { ip: "9.1.1.1" } };

function introduction(number: number, signedMs = NOW): Introduction {
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(0, number);
  return { from: FROM, to: SELF, nonce, signedMs };
}

/** The reason a verdict gives, and "ok" for none. */
function judged(gate: Introductions, it: Introduction, sighting = VIA): string {
  const verdict = gate.judge(it, sighting, NOW);
  if (!verdict.ok) return verdict.why;
  verdict.place[Symbol.dispose]();
  return "ok";
}

Deno.test("acts on a fresh introduction once", () => {
  const places = new PunchPlaces();
  const gate = new Introductions(SELF, places);
  assertEquals(judged(gate, introduction(1)), "ok");
  assertEquals(judged(gate, introduction(1)), "replayed");
  assertEquals(places.count, 0, "what is refused holds no place");
  assertEquals(judged(gate, introduction(2)), "ok");
  const other = nodeId(new Uint8Array(20).fill(3));
  assertEquals(judged(gate, { ...introduction(1), from: other }), "ok");
});

Deno.test("refuses introductions of too long ago and from too far ahead", () => {
  const gate = new Introductions(SELF, new PunchPlaces());
  const at = (offMs: number) =>
    judged(gate, introduction(offMs + 99_999, NOW + offMs));
  assertEquals(at(-INTRODUCTION_FRESH_MS), "ok");
  assertEquals(at(INTRODUCTION_FRESH_MS), "ok");
  assertEquals(at(-INTRODUCTION_FRESH_MS - 1), "stale");
  assertEquals(at(INTRODUCTION_FRESH_MS + 1), "stale");
  assertEquals(isFresh(NaN, NOW), false);
});

Deno.test("refuses an introduction meant for another node", () => {
  const gate = new Introductions(SELF, new PunchPlaces());
  assertEquals(judged(gate, { ...introduction(1), to: FROM }), "misdirected");
  assertEquals(
    judged(gate, { ...introduction(1), from: SELF }),
    "misdirected",
    "nor its own, sent back to it",
  );
});

Deno.test("punches nowhere but where the peer was seen and asked for", () => {
  const victim = { ip: "8.8.8.8", port: 53 };
  assertEquals(punchTargets({ ...SEEN, claimed: [victim] }), []);
  assertEquals(punchTargets({ ...SEEN, claimed: [victim, OUTER] }), [OUTER]);
  assertEquals(punchTargets({ ...SEEN, claimed: [] }), []);
  const six = { ip: "2606:2800::1", port: 1 };
  assertEquals(punchTargets({ ...SEEN, claimed: [six, OUTER] }), [OUTER]);
  const gate = new Introductions(SELF, new PunchPlaces());
  assertEquals(
    judged(gate, introduction(1), { ...VIA, claimed: [victim] }),
    "nowhere",
  );
});

Deno.test("knocks at one port of a peer, however many it names", () => {
  const claimed = [1, 2, 3, 4, 5, 6].map((port) => ({ ip: OUTER.ip, port }));
  assertEquals(punchTargets({ ...SEEN, claimed }), [claimed[0]]);
});

Deno.test("takes private addresses of a neighbour behind the same router alone", () => {
  const inner = { ip: "192.168.1.7", port: 4433 };
  const claimed = [OUTER, inner, { ip: "127.0.0.1", port: 1 }];
  assertEquals(punchTargets({ ...SEEN, claimed }), [OUTER]);
  assertEquals(punchTargets({ ...SEEN, claimed, ownIp: undefined }), [OUTER]);
  assertEquals(punchTargets({ ...SEEN, claimed, ownIp: OUTER.ip }), [
    OUTER,
    inner,
  ]);
});

Deno.test("never punches at a third party, whatever an introduction claims", () => {
  const ip = fc.constantFrom(
    "8.8.8.8",
    OUTER.ip,
    "10.0.0.1",
    "::1",
    "224.0.0.1",
    "2606::1",
    "127.0.0.1",
    "0.0.0.0",
  );
  const address = fc.record({ ip, port: fc.integer({ min: 0, max: 70_000 }) });
  fc.assert(fc.property(fc.array(address), fc.option(ip), (claimed, own) => {
    const ownIp = own ?? undefined;
    const targets = punchTargets({ ...SEEN, claimed, ownIp });
    assertTrue(targets.length <= 4);
    for (const target of targets) {
      assertTrue(
        target.ip === OUTER.ip ||
          (ownIp === OUTER.ip && target.ip === "10.0.0.1"),
      );
      assertTrue(target.port >= 1 && target.port <= 65_535);
    }
  }));
});

Deno.test("keeps at most 32 punches in flight, few of them for one subnet, and gives places back", () => {
  const places = new PunchPlaces();
  const held = [];
  for (let net = 0; held.length < PUNCHES_MAX; net++) {
    held.push(
      places.enter([{ ip: `5.${net}.1.1` }], { ip: `6.${net}.1.1` })!,
    );
  }
  assertEquals(places.enter([OUTER], { ip: "9.1.1.1" }), undefined);
  for (const place of [...held, ...held]) place[Symbol.dispose]();
  assertEquals(places.count, 0);
  const here = { ip: "9.1.1.1" };
  const crowd = Array.from(
    { length: 9 },
    (_, at) => places.enter([{ ip: `5.${at}.1.1` }], here),
  );
  assertEquals(
    crowd.filter((place) => place !== undefined).length,
    PUNCHES_PER_SUBNET_MAX,
  );
  assertEquals(
    places.enter([{ ip: "9.1.1.9" }], { ip: "7.1.1.1" }),
    undefined,
  );
});

Deno.test("a punch asked for by oneself does not count against the introducer, and a lab may lift the share", () => {
  const places = new PunchPlaces();
  for (let at = 0; at < PUNCHES_MAX; at++) {
    assertTrue(places.enter([{ ip: `5.${at}.1.1` }]));
  }
  const lab = new PunchPlaces(Infinity);
  for (let at = 0; at < PUNCHES_MAX; at++) {
    assertTrue(lab.enter([{ ip: "10.0.0.1" }], { ip: "10.0.0.2" }));
  }
  assertEquals(lab.enter([{ ip: "10.0.0.1" }]), undefined);
});

Deno.test("an introduction turned away for want of a place may come again", () => {
  const places = new PunchPlaces();
  const gate = new Introductions(SELF, places);
  const held = Array.from(
    { length: PUNCHES_PER_SUBNET_MAX },
    () => places.enter([OUTER], OUTER)!,
  );
  assertEquals(judged(gate, introduction(1)), "full");
  held[0]![Symbol.dispose]();
  assertEquals(judged(gate, introduction(1)), "ok");
  assertEquals(places.count, PUNCHES_PER_SUBNET_MAX - 1);
});

Deno.test("remembers a bounded number of introductions and forgets only stale ones", () => {
  const replays = new Replays();
  for (let at = 0; at < INTRODUCTIONS_REMEMBERED_MAX; at++) {
    assertEquals(replays.note(introduction(at, NOW + at), NOW), "new");
  }
  assertEquals(replays.note(introduction(99_999), NOW), "full");
  assertEquals(replays.note(introduction(0, NOW), NOW), "replayed");
  const later = NOW + INTRODUCTION_FRESH_MS + 10;
  assertEquals(replays.note(introduction(99_999, later), later), "new");
  assertEquals(replays.size, INTRODUCTIONS_REMEMBERED_MAX - 10 + 1);
});
