/** Completion scripts, read by the shells they are for where those are installed. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { COMMANDS, SHELLS } from "./command_table.ts";
import { Home, textOf } from "./home_for_tests.ts";

async function scriptFor(shell: string): Promise<string> {
  await using home = await Home.empty();
  return textOf((await home.tes(["completions", shell])).json.script);
}

/** Runs a shell, `undefined` where it is not installed. */
async function run(
  shell: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(shell, {
      args: [...args],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`  not tried: ${shell} is not installed`);
  }
}

Deno.test("every command and every option is in every script, and each shell can read its own", async () => {
  for (const shell of SHELLS) {
    const script = await scriptFor(shell);
    for (const { name, options } of COMMANDS) {
      assertTrue(script.includes(name), `${shell}: ${name}`);
      for (const option of options) {
        assertTrue(script.includes(option.name), `${shell}: ${option.name}`);
      }
    }
    await using home = await Home.empty();
    const path = `${home.path}/script`;
    await Deno.writeTextFile(path, script);
    await run(shell, ["-n", path]);
  }
});

Deno.test("bash completes commands, options, words and files", async () => {
  const script = await scriptFor("bash");
  await using home = await Home.empty();
  const folder = await home.folder("f", { "letters.tar": "" });
  const complete = async (...words: string[]) => {
    const answer = await run("bash", [
      "-c",
      `cd "$1"; shift; eval "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tes; printf '%s\\n' "\${COMPREPLY[@]}"`,
      script,
      folder,
      ...words,
    ]);
    return answer?.trim().split("\n");
  };
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["tes", "cr"], ["create"]],
    [["tes", "--data-dir", "x", "cr"], ["create"]],
    [["tes", "create", "--dr"], ["--dry-run"]],
    [["tes", "completions", "z"], ["zsh"]],
    [["tes", "help", "ver"], ["verify"]],
    [["tes", "verify", "let"], ["letters.tar"]],
  ];
  for (const [words, wanted] of cases) {
    const found = await complete(...words);
    if (found !== undefined) assertEquals(found, wanted);
  }
});

Deno.test("another shell is refused with the ones there are", async () => {
  await using home = await Home.empty();
  await assertRejectsCode(
    home.tes(["completions", "powershell"]),
    "unusable",
    /wanted bash, zsh, fish/,
  );
});
