/**
 * Publishing and fetching in a cluster of 12 processes, beside one raw Deno QUIC stream between two processes measured
 * just before and just after; and the memory that took. `deno run -A ops/bench/network_bench.ts [MB ...]`, by default
 * 256 and 1000.
 */
import { join } from "node:path";
import { RawQuic } from "../../tests/bench/raw_quic.ts";
import { Cluster, DEFAULT_SHAPE } from "../cluster/cluster.ts";
import { tes } from "../demo/tes.ts";
import { makeFolder } from "./material.ts";
import { peakBytes, residentBytes } from "./memory.ts";

const MB = 1_000_000;
/** The target of the memory figures (issue of the first version): 300 MB a process, 120 MB an idle one. */
const PEAK_TARGET = 300 * MB;
const IDLE_TARGET = 120 * MB;
/** How long processes are left alone before they count as idle. */
const IDLE_MS = 5_000;

type Timed = { readonly seconds: number; readonly peakRssBytes?: number };

const never = new AbortController().signal;
const quiet = (): void => {};

if (import.meta.main) {
  const sizes = Deno.args.length > 0 ? Deno.args.map(Number) : [256, 1000];
  for (const size of sizes) await measure(size);
}

async function measure(megabytes: number): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
  try {
    // Headers and texts take their part of the limit of 1 GB.
    const folderBytes = Math.min(megabytes, 999) * MB;
    await makeFolder(join(dir, "folder"), folderBytes);
    await using cluster = await Cluster.start(
      join(dir, "cluster"),
      DEFAULT_SHAPE,
      quiet,
      never,
    );
    await idle(cluster);
    await rounds(dir, { cluster, megabytes, folderBytes });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function idle(cluster: Cluster): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  for (const role of ["bootstrap", "dht", "store", "node"]) {
    const most = Math.max(
      ...cluster.infos.filter((info) => info.role === role)
        .map(({ pid }) => residentBytes(pid) ?? NaN),
    );
    print(`resident memory of an idle ${role}`, most / MB, "MB", {
      name: "target",
      value: IDLE_TARGET / MB,
    });
  }
}

async function rounds(
  dir: string,
  { cluster, megabytes, folderBytes }: {
    readonly cluster: Cluster;
    readonly megabytes: number;
    readonly folderBytes: number;
  },
): Promise<void> {
  const home = cluster.infos.find(({ role }) => role === "node")!.dataDir;
  const label = `${megabytes} MB`;
  await tes(home, ["init"], quiet);
  const folder = join(dir, "folder");
  const { hash } = await tes<{ hash: string }>(
    home,
    ["create", folder, "--non-interactive"],
    quiet,
  );
  const rawBefore = await measureRawQuic(folderBytes);
  const published = await tes<Timed>(home, ["publish", hash], quiet);
  const rawBetween = await measureRawQuic(folderBytes);
  const fresh = join(dir, "cluster", "newcomer");
  await cluster.add({ name: "newcomer", role: "node", dataDir: fresh }, never);
  const fetched = await tes<Timed>(fresh, ["fetch", hash], quiet);
  const rawAfter = await measureRawQuic(folderBytes);

  const speed = (timed: Timed): number => folderBytes / MB / timed.seconds;
  print(`publish ${label}`, speed(published), "MB/s", {
    name: "raw Deno QUIC, one stream",
    value: (rawBefore + rawBetween) / 2,
  });
  print(`fetch ${label}`, speed(fetched), "MB/s", {
    name: "raw Deno QUIC, one stream",
    value: (rawBetween + rawAfter) / 2,
  });
  const target = { name: "target", value: PEAK_TARGET / MB };
  for (const role of ["bootstrap", "dht", "store", "node"]) {
    const peaks = cluster.infos.filter((info) => info.role === role)
      .map(({ pid }) => peakBytes(pid) ?? NaN);
    print(
      `peak memory of a ${role}, ${label} passing`,
      Math.max(...peaks) / MB,
      "MB",
      target,
    );
  }
  const ofTes = Math.max(
    published.peakRssBytes ?? NaN,
    fetched.peakRssBytes ?? NaN,
  );
  print(`peak memory of tes, ${label} passing`, ofTes / MB, "MB", target);
}

/** MB/s of one raw stream between two processes, the best of three rounds. */
async function measureRawQuic(bytes: number): Promise<number> {
  await using raw = await RawQuic.open();
  return await raw.megabytesPerSecond(bytes);
}

function print(
  name: string,
  value: number,
  unit: string,
  reference: { readonly name: string; readonly value: number },
): void {
  const round = (number: number) => Number(number.toPrecision(3));
  console.log(JSON.stringify({
    name,
    value: round(value),
    unit,
    reference: { name: reference.name, value: round(reference.value) },
    ratio: round(value / reference.value),
  }));
}
