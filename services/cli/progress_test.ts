import { assertEquals, assertTrue } from "@tesseras/testing";
import { Progress } from "./progress.ts";

/** A place for progress with a clock that is moved by hand. */
function sink(terminal: boolean, columns = 80) {
  const written: string[] = [];
  const state = { nowMs: 0 };
  const progress = new Progress({
    terminal,
    columns: () => columns,
    write: (text) => written.push(text),
    monotonicMs: () => state.nowMs,
  });
  return { written, state, progress };
}

Deno.test("elsewhere than on a terminal there is a line a second and one at the end", () => {
  const { written, state, progress } = sink(false);
  for (let done = 0; done <= 3_000; done++) {
    state.nowMs = done;
    progress.show("Sending", done * 1_000, 3_000_000);
  }
  progress.show("Sending", 3_000_000, 3_000_000);
  assertEquals(written, [
    "Sending: 33 % (1 MB of 3 MB, 1 MB/s, 2 s left)\n",
    "Sending: 66 % (2 MB of 3 MB, 1 MB/s, 1 s left)\n",
    "Sending: 100 % (3 MB of 3 MB, 1 MB/s)\n",
  ]);
});

Deno.test("short work is told once, and so is work on nothing", () => {
  const { written, progress } = sink(false);
  progress.show("Reading", 5, 10);
  progress.show("Reading", 10, 10);
  progress.show("Verifying", 0, 0, "files");
  assertEquals(written, [
    "Reading: 100 % (10 B of 10 B)\n",
    "Verifying: 100 % (0 of 0 files)\n",
  ]);
});

Deno.test("a bar never wraps, makes way for notes, and is gone at the end", () => {
  for (const columns of [200, 80, 40, 10, 1, 0]) {
    const { written, state, progress } = sink(true, columns);
    for (let done = 0; done < 100; done++) {
      state.nowMs = done * 50;
      progress.show("Receiving", done * 10_000, 1_000_000);
    }
    progress.note("Fragment 3 did not come\x1b[31m");
    progress.show("Receiving", 1_000_000, 1_000_000);
    progress[Symbol.dispose]();
    const drawn = written.filter((text) => /\d+ %/.test(text));
    assertTrue(drawn.length <= 52, `drawn ${drawn.length} times`);
    for (const text of drawn) {
      const shown = text.replace("\r", "").replace("\x1b[K", "");
      assertTrue(shown.length <= Math.max(0, columns - 1), shown);
    }
    assertTrue(written.includes("Fragment 3 did not come\\u{1b}[31m\n"));
    assertEquals(written.at(-1), "\r\x1b[K");
  }
});

Deno.test("without a place to go nothing is shown", () => {
  using progress = new Progress(undefined);
  progress.show("Reading", 1, 2);
  progress.note("nothing");
});
