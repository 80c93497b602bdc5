import { match } from "node:assert/strict";
import * as fc from "fast-check";
import { codeOf, messageOf } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { parseCommandLine } from "./command_line.ts";
import { COMMANDS } from "./command_table.ts";
import { commandHelp, overview, quickAnswer } from "./help.ts";
import { UsageError } from "./usage_error.ts";

/** The sentence with which a command line is refused. */
function refusal(args: readonly string[]): string {
  try {
    parseCommandLine(args);
  } catch (error) {
    assertTrue(error instanceof UsageError, `not a usage error: ${error}`);
    return messageOf(error);
  }
  throw new Error(`${args.join(" ")} was taken`);
}

Deno.test("options are taken before and after the command, with = or without", () => {
  for (
    const args of [
      ["--data-dir", "/x", "--json", "create", "f", "--tags=a,b"],
      ["create", "--tags", "a,b", "f", "--data-dir=/x", "--json"],
    ]
  ) {
    const line = parseCommandLine(args);
    assertEquals(line.command?.name, "create");
    assertEquals(line.arguments, ["f"]);
    assertEquals(Object.fromEntries(line.options), {
      "data-dir": "/x",
      json: true,
      tags: "a,b",
    });
  }
});

Deno.test("--location describes and --no-location strips, both at once if wanted", () => {
  const line = parseCommandLine(
    ["create", "f", "--location", "Home", "--no-location"],
  );
  assertEquals(Object.fromEntries(line.options), {
    location: "Home",
    "no-location": true,
  });
});

Deno.test("short options mean their long ones", () => {
  const { options } = parseCommandLine(["create", "-nq", "f"]);
  assertEquals([...options.keys()].sort(), ["non-interactive", "quiet"]);
});

Deno.test("hashes of digits and names that begin with a dash stay as they were typed", () => {
  assertEquals(parseCommandLine(["show", "00012345"]).arguments, ["00012345"]);
  assertEquals(parseCommandLine(["create", "--", "--no-dir"]).arguments, [
    "--no-dir",
  ]);
});

Deno.test("what cannot be used is refused with a sentence that says what is near", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /there is no command/],
    [["lst"], /"lst": .*did you mean list\?$/],
    [["list", "--jsn"], /"--jsn": tes list .*did you mean --json\?$/],
    [["list", "-z"], /"-z": tes list has no such option/],
    [["list", "--tags", "a"], /"--tags": tes list has no such option/],
    [
      ["create", "f", "--no-title"],
      /"--no-title": tes create has no such option/,
    ],
    [["create", "f", "--title"], /--title: it needs a value/],
    [["create", "f", "--title", "--json"], /--title: it needs a value/],
    [["--data-dir", "a", "--data-dir", "b", "list"], /more than once/],
    [["create"], /PATH is missing; the usage is tes create \[OPTIONS\] <PATH>/],
    [["create", ""], /PATH is missing/],
    [["export", "abcd"], /DEST is missing/],
    [["list", "x"], /"x" is one argument too many/],
    [["show", "a", "b"], /"b" is one argument too many/],
  ];
  for (const [args, sentence] of cases) match(refusal(args), sentence);
});

Deno.test("any words are taken or refused with a usage error, and nothing else", () => {
  const word = fc.oneof(
    fc.constantFrom(
      ...COMMANDS.map(({ name }) => name),
      "--json",
      "--no-location",
      "--tags",
      "--__proto__",
      "--constructor.x=1",
      "--",
      "-",
      "-nqy",
      "--=x",
    ),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (args) => {
    try {
      parseCommandLine(args);
    } catch (error) {
      assertEquals(codeOf(error), "unusable", `${args}: ${error}`);
    }
  }));
});

Deno.test("help is answered at once for every command, and lists every option", () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    assertEquals(quickAnswer(args), overview());
  }
  for (const command of COMMANDS) {
    const text = commandHelp(command);
    assertEquals(quickAnswer(["help", command.name]), text);
    assertEquals(quickAnswer([command.name, "--help"]), text);
    assertTrue(overview().includes(`  ${command.name.padEnd(11)}  `));
    for (const { name } of command.options) {
      assertTrue(text.includes(`--${name}`), `${command.name} --${name}`);
    }
    assertTrue(text.includes("Exit codes:"));
    for (const line of text.split("\n")) assertTrue(line.length <= 100, line);
  }
});

Deno.test("only a plain question is answered at once", () => {
  for (
    const args of [[], ["list"], ["--json", "--help"], ["help", "crete"], [
      "help",
      "list",
      "x",
    ], ["--help", "--help"]]
  ) assertEquals(quickAnswer(args), undefined);
});
