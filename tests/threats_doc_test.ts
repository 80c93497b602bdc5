/** docs/THREATS.md names files, counters, limits and commands; they are there, and they are what it says. */
import { COUNTER_HELP } from "@tesseras/core";
import * as limits from "@tesseras/core/limits";
import { ADMISSION_DEFAULTS } from "@tesseras/net";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { SCENARIOS } from "../ops/sim/scenarios.ts";

const ROOT = new URL("../", import.meta.url);
const threats = await Deno.readTextFile(new URL("docs/THREATS.md", ROOT));
const protocol = await Deno.readTextFile(new URL("docs/PROTOCOL.md", ROOT));

/** Everything in the text that a pattern finds, once. */
function named(text: string, pattern: RegExp): string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, name]) => name!))];
}

Deno.test("every file that THREATS.md names is there", async () => {
  const files = named(threats, /\b((?:lib|tests|ops|docs)\/[\w/]+(?:\.\w+)?)/g);
  assertTrue(files.length > 40, `${files.length} files`);
  for (const file of files) await Deno.stat(new URL(file, ROOT));
});

Deno.test("every counter that THREATS.md names is counted", () => {
  const names = named(threats, /`([a-z]+\.[a-z_]+)`/g)
    .filter((name) => !name.endsWith(".ts"));
  assertTrue(names.length > 40, `${names.length} counters`);
  assertEquals(names.filter((name) => !COUNTER_HELP.has(name)), []);
});

Deno.test("every limit that THREATS.md names has the value it says", () => {
  const real: Readonly<Record<string, unknown>> = limits;
  const said = [...threats.matchAll(/(\d+)( KiB)?[a-z ]* \(`([A-Z_]+)`\)/g)];
  assertTrue(said.length >= 10, `${said.length} limits`);
  for (const [all, number, unit, name] of said) {
    const value = Number(number) * (unit === undefined ? 1 : limits.KIB);
    assertEquals(value, real[name!], all);
  }
});

Deno.test("every scenario that THREATS.md names can be played", () => {
  const names = named(threats, /--scenario ([a-z-]+)/g);
  assertTrue(names.length >= 4);
  const real = SCENARIOS.map(({ name }) => name);
  assertEquals(names.filter((name) => !real.includes(name)), []);
});

Deno.test("PROTOCOL.md says what an answerer really grants", () => {
  const section = protocol.split("### 3.8")[1]!.split("## 4.")[0]!;
  const rows = Array.from(
    section.matchAll(/^\|[^|]+\|\s*(\d+)\s*\|\s*(\d+)\s*\|/gm),
    ([, perSecond, burst]) => [Number(perSecond), Number(burst)],
  );
  const all = ADMISSION_DEFAULTS;
  assertEquals(rows, [
    [all.handshakesPerSecond, 10 * all.handshakesPerSecond],
    [all.addressHandshakesPerSecond, 10 * all.addressHandshakesPerSecond],
    [all.requestsPerSecond, 4 * all.requestsPerSecond],
    [all.addressRequestsPerSecond, 4 * all.addressRequestsPerSecond],
    [all.workPerSecond, limits.WORK_BURST_SECONDS * all.workPerSecond],
    [
      all.subnetWorkPerSecond,
      limits.WORK_BURST_SECONDS * all.subnetWorkPerSecond,
    ],
  ]);
});
