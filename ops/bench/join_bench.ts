/**
 * From a fresh process with a known peer to its first answered lookup, and what starting a bare Deno process costs, in the
 * same run.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Cluster } from "../cluster/cluster.ts";

const ROUNDS = 5;
const never = new AbortController().signal;

if (import.meta.main) {
  const dir = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
  try {
    await measure(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function measure(dir: string): Promise<void> {
  const shape = { bootstrap: 1, dht: 1, store: 2, node: 0 };
  await using cluster = await Cluster.start(dir, shape, () => {}, never);
  const script = join(dir, "empty.ts");
  await Deno.writeTextFile(script, "");
  const bare: number[] = [];
  const joined: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await timed(() => runBare(script)));
    // A process says that it is ready when its lookup of its own id has been answered.
    joined.push(
      await timed(() =>
        cluster.add({
          name: `fresh-${round}`,
          role: "node",
          dataDir: join(dir, `fresh-${round}`),
        }, never)
      ),
    );
  }
  const seconds = median(joined);
  const reference = median(bare);
  console.log(JSON.stringify({
    name: "fresh process to first answered lookup, identity made on the way",
    value: rounded(seconds),
    unit: "s",
    reference: { name: "bare Deno script", value: rounded(reference) },
    ratio: rounded(seconds / reference),
  }));
}

async function runBare(script: string): Promise<void> {
  await new Deno.Command(Deno.execPath(), {
    args: ["run", pathToFileURL(script).href],
  }).output();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
