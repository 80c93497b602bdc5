/** `deno task demo`: the whole story in one command. */
import { resolve } from "node:path";
import { codeOf, messageOf, SeededRandom, TesserasError } from "@tesseras/core";
import { systemRandom } from "@tesseras/core/system";
import { parseArgs } from "@std/cli/parse-args";
import { ROOT } from "../cluster/cluster.ts";
import { countFiles, shown } from "./compare.ts";
import { demo, type DemoReport, type Narrator } from "./demo.ts";

const HELP =
  `Keeps a folder in a network of processes on this machine, kills two holders, and gets every byte back

Usage: deno task demo [FOLDER] [OPTIONS]

Arguments:
  FOLDER       What to keep [default: the sample memories of this repository]

Options:
  --dir DIR    Where the cluster and the export go [default: a new temporary folder]
  --kill N     Holders to kill [default: 2]
  --seed S     Makes the choice of whom to kill repeatable
  --keep       Keep the data of the nodes; without it only the export stays
  --json       One JSON object instead of the story
  --help       Print this help

Exit code 0 only if every byte came back.`;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  try {
    return await tell(args, json);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    const code = codeOf(error);
    const message = messageOf(error);
    if (json) {
      console.log(JSON.stringify({ ok: false, error: { code, message } }));
    } else console.error(`\ndemo: ${message}`);
    return code === "unusable" ? 2 : 1;
  }
}

async function tell(args: readonly string[], json: boolean): Promise<number> {
  const parsed = parseArgs(args, {
    boolean: ["json", "keep", "help"],
    string: ["dir", "kill", "seed"],
    unknown: (flag) => {
      throw new TesserasError(
        "unusable",
        `Cannot run the demo: ${flag} is not known; see --help`,
      );
    },
  });
  if (parsed.help) {
    console.log(HELP);
    return 0;
  }
  const folder = resolve(parsed._[0] ?? `${ROOT}/tests/samples/family_sunday`);
  const dir = typeof parsed.dir === "string"
    ? resolve(parsed.dir)
    : await Deno.makeTempDir({ prefix: "tesseras-demo-" });
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => stop.abort());
  }
  const random = typeof parsed.seed === "string"
    ? new SeededRandom(whole(parsed.seed, "--seed"))
    : systemRandom;
  const killCount = whole(parsed.kill ?? "2", "--kill");
  const options = { folder, dir, killCount, random };
  let report: DemoReport;
  try {
    report = await demo(options, json ? silent() : aloud(), stop.signal);
  } finally {
    if (!parsed.keep) await removeCluster(dir);
  }
  if (json) console.log(JSON.stringify(report));
  else await summarize(report);
  return report.ok ? 0 : 1;
}

function silent(): Narrator {
  return { step() {}, detail() {}, done() {} };
}

function aloud(): Narrator {
  let number = 0;
  return {
    step: (title) => console.log(`\n${++number}. ${title}`),
    detail: (line) => console.log(`     ${line}`),
    done: (line) => console.log(`   = ${line}`),
  };
}

async function summarize(report: DemoReport): Promise<void> {
  const { created, published, killed, fetched, comparison, seconds } = report;
  const total = Object.values(seconds).reduce((sum, s) => sum + s, 0);
  const lost = killed.flatMap(({ fragments }) => fragments).length;
  const given = await countFiles(report.folder);
  const rows = [
    [
      "Kept",
      `${created.memories.length} of ${given} files, ${
        size(created.packBytes)
      } with everything that explains them`,
    ],
    [
      "Where",
      `${published.holders.length} fragments on ${published.peerCount} of ${report.processes} processes`,
    ],
    [
      "Died",
      `${killed.map(({ name }) => name).join(" and ")}, with ${lost} fragments`,
    ],
    [
      "Came back",
      `${comparison.comparedFiles} files, ${
        size(comparison.comparedBytes)
      }, through ${fetched.used.length} fragments`,
    ],
    ["Verified", report.verified ? "both signatures and every hash" : "NO"],
    [
      "Same bytes",
      comparison.differences.length === 0
        ? "all"
        : comparison.differences.join("; "),
    ],
    [
      "Took",
      `${
        Object.entries(seconds).map(([name, s]) => `${name} ${s.toFixed(1)} s`)
          .join(", ")
      }; ${total.toFixed(1)} s in all`,
    ],
    ["Content hash", report.hash],
    ["Export", shown(report.exportPath)],
  ];
  console.log("\nSummary");
  for (const [name, text] of rows) {
    console.log(`  ${name!.padEnd(13)} ${text}`);
  }
  console.log(
    report.ok
      ? "\nEvery byte came back. The export can be read and checked with no software of ours: see its README.decode."
      : "\nNOT every byte came back.",
  );
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} KB`;
  return bytes < 1e9
    ? `${(bytes / 1e6).toFixed(1)} MB`
    : `${(bytes / 1e9).toFixed(2)} GB`;
}

async function removeCluster(dir: string): Promise<void> {
  try {
    await Deno.remove(`${dir}/cluster`, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function whole(text: unknown, flag: string): number {
  if (typeof text === "string" && /^\d{1,9}$/.test(text)) return Number(text);
  throw new TesserasError(
    "unusable",
    `Cannot use ${flag} ${JSON.stringify(text)}: wanted a whole number`,
  );
}
