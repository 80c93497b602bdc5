import { assertEquals } from "@tesseras/testing";
import { parseArgs } from "./parse_args.ts";

const options = {
  boolean: ["json", "help"],
  string: ["data-dir", "tags"],
  alias: { h: "help", d: "data-dir" },
};

Deno.test("flags, aliases, values and positionals read as with @std/cli", () => {
  const parsed = parseArgs(
    ["create", "folder", "--tags=a,b", "-d", "/x", "--json"],
    options,
  );
  assertEquals(parsed._, ["create", "folder"]);
  assertEquals([parsed.tags, parsed["data-dir"], parsed.json, parsed.help], [
    "a,b",
    "/x",
    true,
    false,
  ]);
});

Deno.test("a number that looks like a name stays a text", () => {
  assertEquals(parseArgs(["show", "00123456"], options)._, [
    "show",
    "00123456",
  ]);
});

Deno.test("unknown flags are told, known ones and values are not", () => {
  const unknown: string[] = [];
  parseArgs(["--json", "--nope", "-z", "--tags", "x", "--no-way=1"], {
    ...options,
    unknown: (flag) => unknown.push(flag),
  });
  assertEquals(unknown, ["--nope", "-z", "--no-way=1"]);
});

Deno.test("--no-x is a flag of its own, and a plain text after --", () => {
  const flags = { boolean: ["no-places"], string: ["places"] };
  const parsed = parseArgs(["--places", "x", "--no-places"], flags);
  assertEquals([parsed.places, parsed["no-places"]], ["x", true]);
  assertEquals(parseArgs(["--", "--no-places"], flags)._, ["--no-places"]);
});

Deno.test("an empty text after a flag is its value, by either name", () => {
  for (const flag of ["-d", "--data-dir"]) {
    const parsed = parseArgs([flag, "", "folder"], options);
    assertEquals([parsed["data-dir"], parsed._], ["", ["folder"]]);
  }
  assertEquals(parseArgs(["", "x", "--", "-d", ""], options)._, [
    "",
    "x",
    "-d",
    "",
  ]);
});
