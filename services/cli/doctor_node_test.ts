/** What `tes doctor` makes of what a node says, of whatever version it is. */
import { match } from "node:assert/strict";
import { type JsonObject, readConfig } from "@tesseras/run";
import { assertEquals } from "@tesseras/testing";
import { checkCompany, sightFindings } from "./doctor_node.ts";

const PUBLIC = readConfig({});
const SEED = readConfig({
  env: {
    TESSERAS_BOOTSTRAP_HARDCODED: "",
    TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
  },
});

function levels(found: readonly { check: string; level: string }[]) {
  return found.map(({ check, level }) => `${check} ${level}`);
}

Deno.test("a node that knows nobody is a problem, unless it is the first of its network", () => {
  const alone = { knownPeers: 0, sessionsIn: 0, uptimeSecs: 10_000 };
  assertEquals(levels(checkCompany(alone, PUBLIC)), ["Peers problem"]);
  assertEquals(levels(checkCompany(alone, undefined)), ["Peers problem"]);
  assertEquals(levels(checkCompany(alone, SEED)), ["Peers advice"]);
  assertEquals(levels(checkCompany({}, PUBLIC)), ["Peers problem"]);
});

Deno.test("few peers, and nobody who dialled in ten minutes, are worth a word", () => {
  const of = (knownPeers: number, sessionsIn: number, uptimeSecs: number) =>
    levels(checkCompany({ knownPeers, sessionsIn, uptimeSecs }, PUBLIC));
  assertEquals(of(2, 0, 10_000), ["Peers advice", "Reachable advice"]);
  assertEquals(of(2, 0, 60), ["Peers advice", "Reachable ok"]);
  assertEquals(of(20, 1, 10_000), ["Peers ok", "Reachable ok"]);
});

Deno.test("a clock is doubted when most peers are of another time, never for one", () => {
  const seen = (outOfTimeCount: number): JsonObject => ({
    answeredCount: 4,
    outOfTimeCount,
    observed: Array(4).fill("1.2.3.4:4433"),
    advertised: ["1.2.3.4:4433"],
  });
  assertEquals(levels(sightFindings(seen(2))), ["Clock ok", "Address ok"]);
  assertEquals(levels(sightFindings(seen(3))), ["Clock problem", "Address ok"]);
  assertEquals(sightFindings({ answeredCount: 0 }), []);
});

Deno.test("an address counts when most see it, and should be the one that is said", () => {
  const of = (observed: readonly string[]) =>
    sightFindings({
      answeredCount: observed.length,
      outOfTimeCount: 0,
      observed,
      advertised: ["10.0.0.2:4433"],
    })[1]!;
  const other = of(["1.2.3.4:4433", "1.2.3.4:4433", "6.6.6.6:1"]);
  assertEquals(other.level, "advice");
  match(other.todo!, /advertise_addrs = \["1\.2\.3\.4:4433"\]/);
  const many = of(["1.2.3.4:1", "1.2.3.4:2", "1.2.3.4:3"]);
  match(many.what, /3 peers see it at 3 addresses/);
  assertEquals(of(["10.0.0.2:4433"]).level, "ok");
});
