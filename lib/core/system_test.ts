import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { lineLog, systemClock } from "./system.ts";

/** What writes its own line, moves the cursor or turns the direction of writing. */
const FORGING = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;

Deno.test("a value cannot forge a line of the log, or speak to the terminal", () => {
  const value = fc.string({ unit: "binary", maxLength: 30 });
  const hostile = fc.constantFrom(
    "x\n2026-01-01T00:00:00Z error disk.broken",
    "\x1b[2J",
    "\x9b2J",
    "a\u2028b",
    "\u202egnp.exe",
    'quote " and \\',
    "",
  );
  fc.assert(fc.property(fc.oneof(value, hostile), (text) => {
    for (const format of ["json", "text"] as const) {
      const lines: string[] = [];
      const log = lineLog(format, "debug", (line) => lines.push(line));
      log.info("peer.refused", { reason: text, count: 1 });
      assertEquals(lines.length, 1);
      assertTrue(!FORGING.test(lines[0]!), JSON.stringify(lines[0]));
      if (format === "json") {
        const { at, ...rest } = JSON.parse(lines[0]!);
        assertTrue(!Number.isNaN(Date.parse(at)));
        const reason = text.toWellFormed() === text
          ? text
          : rest.reason as string;
        assertEquals(rest, {
          level: "info",
          event: "peer.refused",
          reason,
          count: 1,
        });
      }
    }
  }));
});

Deno.test("a text value cannot pass for another field", () => {
  const lines: string[] = [];
  const log = lineLog("text", "info", (line) => lines.push(line));
  log.warn("peer.refused", {
    id: "00ab",
    reason: "x count=9",
    missing: undefined,
    open: true,
  });
  assertTrue(
    / warn {2}peer\.refused id=00ab reason="x count=9" open=true$/.test(
      lines[0]!,
    ),
    lines[0],
  );
});

Deno.test("lines below the least level are left out", () => {
  const lines: string[] = [];
  const log = lineLog("text", "warn", (line) => lines.push(line));
  log.debug("a.a");
  log.info("b.b");
  log.warn("c.c");
  log.error("d.d");
  assertEquals(lines.map((line) => line.split(" ").at(-1)), ["c.c", "d.d"]);
});

Deno.test("the system's clocks go forward and agree on the time of day", async () => {
  const { signal } = new AbortController();
  const before = systemClock.monotonicMs();
  await systemClock.sleep(2, signal);
  assertTrue(systemClock.monotonicMs() > before);
  assertTrue(Math.abs(systemClock.nowMs() - Date.now()) < 1_000);
});

Deno.test("a wait longer than a platform timer does not fire at once", async () => {
  const { signal } = new AbortController();
  using deadline = systemClock.deadline(60 * 86_400_000, signal);
  await systemClock.sleep(5, signal);
  assertEquals(deadline.signal.aborted, false);
});
