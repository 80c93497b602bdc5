/** The real program as a process: exit codes, what goes to which stream, interrupts and power cuts. */
import { match } from "node:assert/strict";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Home, textOf } from "./home_for_tests.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** How a process ended and what it said. */
type Ended = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** A command that runs `tes` with a pipe on every stream, as scripts do. */
function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--cached-only",
      "--config",
      `${ROOT}/deno.json`,
      `${ROOT}/services/cli/main.ts`,
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs `tes` to its end. Its standard input stays open: whoever read from it would wait for ever. */
async function tes(...args: string[]): Promise<Ended> {
  const child = command(args).spawn();
  const [output] = await Promise.all([child.output()]);
  await child.stdin.close().catch(() => {
    // It closed with the process.
  });
  const text = new TextDecoder();
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}

Deno.test("help and version go to standard output, a missing command is an error", async () => {
  const help = await tes("--help");
  assertEquals([help.code, help.stderr], [0, ""]);
  match(help.stdout, /^Create and preserve human memories\n\nUsage: tes/);
  assertEquals(
    (await tes("help", "create")).stdout.split("\n")[2],
    "Usage: tes create [OPTIONS] <PATH>",
  );
  assertEquals((await tes("-V")).stdout, "tes 0.1.0\n");
  const none = await tes();
  assertEquals([none.code, none.stdout], [2, ""]);
  match(none.stderr, /^tes: Cannot tell what to do: .*\n$/);
});

Deno.test("an error is one sentence on stderr, or one JSON object on stdout", async () => {
  const text = await tes("lst");
  assertEquals([text.code, text.stdout], [2, ""]);
  match(text.stderr, /^tes: Cannot run "lst".*did you mean list\?\n$/);
  const json = await tes("lst", "--json");
  assertEquals([json.code, json.stderr], [2, ""]);
  const { error } = JSON.parse(json.stdout);
  assertEquals([error.code, typeof error.message], ["unusable", "string"]);
  const failed = await tes("verify", "/nowhere/at/all\x1b[31m\u202e");
  assertEquals([failed.code, failed.stdout], [1, ""]);
  match(failed.stderr, /^tes: Cannot read a tessera from .*\\u\{1b\}.*\n$/);
});

Deno.test("a folder becomes a tessera without anybody to ask, and a damaged export fails", async () => {
  await using home = await Home.empty();
  const run = (...args: string[]) => tes("--data-dir", home.dataDir, ...args);
  const folder = await home.folder("f\x1b[2J", {
    "story.txt": "A warm Sunday.\n",
    "\u202egpj.\x1b]0;owned\x07.txt": "evil",
    "new\nline.exe": "left out",
    [`${"n".repeat(251)}.txt`]: "long",
  });
  const init = await run("init", "--json");
  assertEquals([init.code, init.stderr], [0, ""]);
  const made = await run("create", folder, "--title", "a\r\nb");
  assertEquals(made.code, 0, made.stderr);
  for (const text of [made.stdout, made.stderr]) {
    // deno-lint-ignore no-control-regex -- looked for because they must not be there
    assertTrue(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(text), text);
  }
  const list = JSON.parse((await run("list", "--json")).stdout);
  const hash = textOf(list.tesseras[0].hash);
  match(made.stdout, new RegExp(`Content hash: ${hash}\n$`));
  const exported = await run("export", hash, `${home.path}/out`, "--json");
  const { path } = JSON.parse(exported.stdout);
  const whole = await run("verify", path, "--quiet");
  assertEquals([whole.code, whole.stderr], [0, ""]);
  match(whole.stdout, /Verification: PASSED\n$/);
  await Deno.writeTextFile(`${path}/README.decode`, "nothing to see");
  const damaged = await run("verify", path, "--json");
  assertEquals(damaged.code, 1);
  const report = JSON.parse(damaged.stdout);
  assertEquals(
    report.files.filter((file: { status: string }) => file.status !== "ok")
      .map((file: { path: string }) => file.path),
    ["README.decode"],
  );
});

/** A folder whose tessera takes a moment to make; its bytes are a hole on disk. */
async function slowFolder(home: Home): Promise<string> {
  const folder = await home.folder("slow", { "a.txt": "a", "b.wav": "RIFF" });
  await Deno.truncate(`${folder}/b.wav`, 200_000_000);
  return folder;
}

/** Waits until a create has written some of its second file. */
async function untilWriting(dataDir: string): Promise<void> {
  const sizeOf = async (path: string): Promise<number> => {
    let bytes = 0;
    try {
      for await (const entry of Deno.readDir(path)) {
        const at = `${path}/${entry.name}`;
        bytes += entry.isDirectory
          ? await sizeOf(at)
          : (await Deno.stat(at)).size;
      }
    } catch (error) {
      // Files get their names while we look.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return bytes;
  };
  while (await sizeOf(`${dataDir}/blobs`) < 20_000_000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a create that is killed or interrupted lists nothing, and the next one is whole", async () => {
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    await using home = await Home.ready();
    const folder = await slowFolder(home);
    const child = command(["--data-dir", home.dataDir, "create", folder])
      .spawn();
    await untilWriting(home.dataDir);
    child.kill(signal);
    const { code, stderr } = await child.output();
    await child.stdin.close().catch(() => {
      // It closed with the process.
    });
    assertTrue(code !== 0, signal);
    if (signal === "SIGINT") {
      match(new TextDecoder().decode(stderr), /tes: Stopped on request\n$/);
      assertEquals(code, 1);
    }
    assertEquals((await home.tes(["list"])).lines, ["No tesseras found."]);
    const { json } = await home.tes(["create", folder]);
    const verified = await home.tes(["verify", textOf(json.hash)]);
    assertEquals(verified.json.passed, true);
  }
});

Deno.test("a reader that goes away early is no failure", async () => {
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      `"$0" run -A --no-check --cached-only --config "$1/deno.json" "$1/services/cli/main.ts" completions zsh | head -n 1`,
      Deno.execPath(),
      ROOT,
    ],
  });
  const { stdout, stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "#compdef tes\n");
  assertEquals(new TextDecoder().decode(stderr), "");
});
