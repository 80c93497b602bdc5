/** How long a person waits for `tes --help`, and for `tes list` with a thousand tesseras. Targets: 2 times a bare script, and 400 ms. */
import { pathToFileURL } from "node:url";
import { hash, SeededRandom, tesseraId } from "@tesseras/core";
import { report } from "@tesseras/bench";
import { dataPaths } from "@tesseras/run";
import { openLibsqlState } from "@tesseras/state/libsql";

const TESSERAS = 1_000;
/** Files of each: eight memories and what explains them. */
const FILES = 40;
const ROUNDS = 15;

const dir = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
try {
  await fill(dir);
  const bare = `${dir}/bare.ts`;
  await Deno.writeTextFile(bare, "console.log();\n");
  const main = new URL("./main.ts", import.meta.url).pathname;
  const [bareMs, helpMs, listMs] = await medians([
    [bare],
    [main, "--help"],
    [main, "--data-dir", dir, "list"],
  ]);
  const reference = { name: "bare Deno script", value: bareMs! };
  report({ name: "tes --help", value: helpMs! }, "ms", reference);
  const name = `tes list, ${TESSERAS} tesseras`;
  report({ name, value: listMs! }, "ms", reference);
} finally {
  await Deno.remove(dir, { recursive: true });
}

/** A database as a diligent family has after some years. */
async function fill(dir: string): Promise<void> {
  const { signal } = new AbortController();
  const random = new SeededRandom(1);
  const url = pathToFileURL(dataPaths(dir).database).href;
  await using state = await openLibsqlState({ url, worker: false }, signal);
  for (let at = 0; at < TESSERAS; at++) {
    const manifest = hash(random.bytes(32));
    const files = Array.from({ length: FILES }, (_, i) => ({
      path: i === 0 ? "MANIFEST" : `memories/${i}/media.jpg`,
      hash: i === 0 ? manifest : hash(random.bytes(32)),
      bytes: random.below(4_000_000),
    }));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    await state.addTessera(
      {
        id: tesseraId(random.bytes(32)),
        createdAtMs: 1_700_000_000_000 + at * 86_400_000,
        addedAtMs: 1_700_000_000_000 + at * 86_400_000,
        title: `Sunday ${at}`,
        visibility: "public",
        memoryCount: 8,
        bytes,
        packBytes: bytes + 100_000,
        origin: "created",
        manifest,
      },
      files,
      signal,
    );
  }
}

/** Milliseconds from start to end of each program, in turns, so that a busy moment hits all alike. */
async function medians(
  programs: readonly (readonly string[])[],
): Promise<readonly number[]> {
  const times = programs.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [at, args] of programs.entries()) {
      const ms = await timeOf(args);
      // The first round fills caches.
      if (round > 0) times[at]!.push(ms);
    }
  }
  return times.map((all) => all.toSorted((a, b) => a - b)[ROUNDS >> 1]!);
}

async function timeOf(args: readonly string[]): Promise<number> {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const startMs = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--cached-only",
      "--config",
      config,
      ...args,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${args.join(" ")} failed`);
  return performance.now() - startMs;
}
