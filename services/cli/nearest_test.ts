import { assertEquals } from "@tesseras/testing";
import { COMMANDS } from "./command_table.ts";
import { didYouMean, nearest } from "./nearest.ts";

const NAMES = COMMANDS.map(({ name }) => name);

Deno.test("a slip of the hand finds the command that was meant", () => {
  const slips = ["lst", "crate", "craete", "verfy", "exprot", "pub", "stauts"];
  assertEquals(slips.map((slip) => nearest(slip, NAMES)), [
    "list",
    "create",
    "create",
    "verify",
    "export",
    "publish",
    "status",
  ]);
});

Deno.test("a word that is near to nothing finds nothing, however long it is", () => {
  for (const word of ["", "x", "frobnicate", "q".repeat(1_000_000)]) {
    assertEquals(didYouMean(word, NAMES), "");
  }
});
