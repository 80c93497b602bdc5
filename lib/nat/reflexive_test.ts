import fc from "fast-check";
import { type Address } from "@tesseras/core";
import { REFLEXIVE_REPORTS_MAX } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { kindOf, ReflexiveReports } from "./reflexive.ts";

const OURS = { ip: "93.184.216.34", port: 40_000 };
const LIE = { ip: "8.8.8.8", port: 53 };

/** Reports of peers at these addresses, each over a connection of its own. */
function reported(
  words: readonly (readonly [from: string, observed: Address])[],
): ReflexiveReports {
  const reports = new ReflexiveReports("internet");
  for (const [ip, observed] of words) say(reports, ip, observed);
  return reports;
}

function say(
  reports: ReflexiveReports,
  ip: string,
  observed: Address,
  connection: object = {},
) {
  const from = { ip, port: 4433 };
  return reports.take({ reporter: ip, connection, from, observed });
}

Deno.test("confirms what three reporters in two subnets agree on, and tries what two in two do", () => {
  const reports = new ReflexiveReports("internet");
  assertEquals(reports.outlook(4).likely, undefined);
  say(reports, "5.1.1.1", OURS);
  assertEquals(reports.outlook(4).likely, undefined);
  say(reports, "9.1.1.1", OURS);
  assertEquals(reports.outlook(4).likely, OURS);
  assertEquals(reports.outlook(4).confirmed, undefined);
  say(reports, "9.1.1.2", OURS);
  assertEquals(reports.outlook(4), {
    mapping: "cone",
    confirmed: OURS,
    likely: OURS,
    reporterCount: 3,
    subnetCount: 2,
  });
});

Deno.test("believes no number of reporters in one subnet", () => {
  const words = Array.from(
    { length: 200 },
    (_, at) => [`5.1.1.${at}`, OURS] as const,
  );
  const { likely, confirmed, mapping } = reported(words).outlook(4);
  assertEquals([likely, confirmed, mapping], [undefined, undefined, "unknown"]);
});

Deno.test("counts only the latest word of a reporter", () => {
  const reports = reported([
    ["5.1.1.1", OURS],
    ["9.1.1.1", OURS],
    ["9.1.1.2", OURS],
  ]);
  const moved = { ip: OURS.ip, port: 50_000 };
  for (const ip of ["5.1.1.1", "9.1.1.1", "9.1.1.2"]) say(reports, ip, moved);
  assertEquals(reports.outlook(4).confirmed, moved);
  assertEquals(reports.outlook(4).reporterCount, 3);
});

Deno.test("forgets a report with its connection, and not that of a newer connection", () => {
  const reports = reported([["5.1.1.1", OURS], ["9.1.1.1", OURS]]);
  const older = {};
  const newer = {};
  say(reports, "9.1.1.2", OURS, older);
  say(reports, "9.1.1.2", OURS, newer);
  reports.ended(older);
  assertEquals(reports.outlook(4).confirmed, OURS);
  reports.ended(newer);
  assertEquals(reports.outlook(4).confirmed, undefined);
  assertEquals(reports.outlook(4).likely, OURS);
  reports.clear();
  assertEquals(reports.outlook(4).reporterCount, 0);
});

Deno.test("refuses implausible reports and such of another family than they came over", () => {
  const reports = new ReflexiveReports("internet");
  const bad = [
    ["5.1.1.1", { ip: "192.168.1.2", port: 4433 }],
    ["5.1.1.1", { ip: "127.0.0.1", port: 4433 }],
    ["5.1.1.1", { ip: "224.0.0.1", port: 4433 }],
    ["5.1.1.1", { ip: OURS.ip, port: 0 }],
    ["5.1.1.1", { ip: "2606:2800::1", port: 4433 }],
    ["2606:2800::9", OURS],
  ] as const;
  for (const [ip, observed] of bad) {
    assertEquals(say(reports, ip, observed), "implausible");
  }
  assertEquals(
    reports.outlook(4).reporterCount + reports.outlook(6).reporterCount,
    0,
  );
  const lab = new ReflexiveReports("lab");
  assertEquals(say(lab, "10.0.0.1", { ip: "10.0.0.2", port: 1 }), "taken");
});

Deno.test("keeps IPv4 and IPv6 apart", () => {
  const six = { ip: "2606:2800:220::7", port: 4433 };
  const reports = reported([["5.1.1.1", OURS], ["9.1.1.1", OURS]]);
  for (const net of ["2001:1", "2001:2", "2001:3"]) {
    say(reports, `${net}::1`, six);
  }
  assertEquals(reports.outlook(6).confirmed, six);
  assertEquals(reports.outlook(4).confirmed, undefined);
});

Deno.test("tells a symmetric NAT by disagreement, and not by one liar", () => {
  const port = (number: number) => ({ ip: OURS.ip, port: number });
  const each = reported([["5.1.1.1", port(1)], ["9.1.1.1", port(2)]]);
  assertEquals(each.outlook(4).mapping, "unknown");
  say(each, "9.2.1.1", port(3));
  assertEquals(each.outlook(4).mapping, "symmetric");
  const lied = reported([["5.1.1.1", OURS], ["9.1.1.1", OURS], [
    "7.1.1.1",
    LIE,
  ]]);
  assertEquals(lied.outlook(4).mapping, "cone");
  const apart = reported([["5.1.1.1", OURS], ["5.1.1.2", OURS], [
    "7.1.1.1",
    LIE,
  ]]);
  assertEquals(apart.outlook(4).mapping, "unknown");
});

Deno.test("two that agree prove nothing against more subnets that do not", () => {
  const port = (number: number) => ({ ip: OURS.ip, port: number });
  const reports = reported([
    ["5.1.1.1", LIE],
    ["6.1.1.1", LIE],
    ["7.1.1.1", port(1)],
    ["8.1.1.1", port(2)],
  ]);
  assertEquals(reports.outlook(4).likely, undefined);
  assertEquals(reports.outlook(4).mapping, "symmetric");
});

Deno.test("listens to a bounded number of reporters, and lets none in by pushing another out", () => {
  const reports = new ReflexiveReports("internet");
  const ip = (at: number) => `5.${at >> 8}.${at & 255}.1`;
  for (let at = 0; at < REFLEXIVE_REPORTS_MAX; at++) say(reports, ip(at), OURS);
  assertEquals(say(reports, "9.1.1.1", LIE), "full");
  assertEquals(say(reports, ip(0), LIE), "taken");
  assertEquals(reports.outlook(4).confirmed, OURS);
});

Deno.test("liars with fewer subnets than honest reporters never make a node believe another address", () => {
  fc.assert(fc.property(
    fc.integer({ min: 2, max: 12 }),
    fc.array(fc.tuple(fc.nat(11), fc.nat(200)), { maxLength: 40 }),
    (honestCount, liars) => {
      const lying = liars.map(([net, host]) =>
        [`7.${net % (honestCount - 1)}.1.${host}`, LIE] as const
      );
      const honest = Array.from(
        { length: honestCount },
        (_, at) => [`5.${at}.1.1`, OURS] as const,
      );
      for (const words of [[...honest, ...lying], [...lying, ...honest]]) {
        const { likely, confirmed } = reported(words).outlook(4);
        assertEquals(likely, OURS);
        assertTrue(confirmed === undefined || confirmed.ip === OURS.ip);
      }
    },
  ));
});

Deno.test("what is known does not depend on the order of the reports", () => {
  const word = fc.tuple(
    fc.constantFrom("5.1.1.1", "5.1.1.2", "6.1.1.1", "7.1.1.1", "8.1.1.1"),
    fc.constantFrom(OURS, LIE, { ip: OURS.ip, port: 2 }),
  );
  fc.assert(fc.property(
    fc.uniqueArray(word, { selector: ([ip]) => ip }),
    (words) => {
      const there = reported(words).outlook(4);
      assertEquals(reported(words.toReversed()).outlook(4), there);
      assertTrue(
        there.confirmed === undefined || there.likely === there.confirmed,
      );
      assertTrue(there.mapping !== "symmetric" || there.likely === undefined);
    },
  ));
});

Deno.test("calls a node public when it is seen where it is bound, or strangers of two subnets reach it", () => {
  const outlook = reported([["5.1.1.1", OURS], ["9.1.1.1", OURS]]).outlook(4);
  assertEquals(kindOf(outlook, [], 0), "cone");
  assertEquals(kindOf(outlook, [OURS], 0), "public");
  assertEquals(kindOf(outlook, [{ ip: OURS.ip, port: 1 }], 1), "cone");
  assertEquals(kindOf(outlook, [], 2), "public");
  const nothing = new ReflexiveReports("internet").outlook(4);
  assertEquals(kindOf(nothing, [OURS], 9), "unknown");
});
