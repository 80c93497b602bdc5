import { assertEquals } from "@tesseras/testing";
import { LOG_LEVELS, logTo, RecordingLog, silentLog } from "./log.ts";

Deno.test("logTo() hands over level, event and fields of every call", () => {
  const seen: unknown[] = [];
  const log = logTo((level, event, fields) =>
    seen.push([level, event, fields])
  );
  for (const level of LOG_LEVELS) log[level]("thing.happened", { count: 1 });
  log.info("thing.ended");
  assertEquals(seen, [
    ...LOG_LEVELS.map((level) => [level, "thing.happened", { count: 1 }]),
    ["info", "thing.ended", {}],
  ]);
});

Deno.test("RecordingLog keeps the latest events and no more", () => {
  const log = new RecordingLog(3);
  for (const level of LOG_LEVELS) log[level](`${level}.said`, { level });
  assertEquals(log.events, [
    { level: "info", event: "info.said", fields: { level: "info" } },
    { level: "warn", event: "warn.said", fields: { level: "warn" } },
    { level: "error", event: "error.said", fields: { level: "error" } },
  ]);
});

Deno.test("the silent log takes everything and returns nothing", () => {
  for (const level of LOG_LEVELS) {
    assertEquals(silentLog[level]("thing.happened", { count: 1 }), undefined);
  }
});
