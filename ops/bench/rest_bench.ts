/**
 * What a node sends and receives when nobody asks anything of it: a cluster of twelve in a network namespace of its own, whose
 * loopback is read, so that nothing else counts. Needs root and `ip` (Debian: iproute2). `deno run -A ops/bench/rest_bench.ts`
 * takes eleven minutes.
 *
 * Two measurements make an hour: one with the intervals people have, where only what keeps connections shows, and one with the
 * hourly work done every minute, where that shows sixty times as often.
 */
import { join } from "node:path";
import { report } from "../../tests/bench.ts";
import { Cluster, DEFAULT_SHAPE } from "../cluster/cluster.ts";
import { tes } from "../demo/tes.ts";
import { makeFolder } from "./material.ts";

const MB = 1_000_000;
const HOUR_S = 3_600;
/** How long a cluster is left alone before it counts as at rest. */
const SETTLE_S = 30;
const MEASURE_S = 300;
/** One "hour" of periodic work when it is hurried. */
const HURRIED_S = 60;
/** The target: bytes a node and hour, sent and received. */
const TARGET = 2 * MB;

const never = new AbortController().signal;

type Traffic = { readonly bytes: number; readonly packets: number };

if (import.meta.main) {
  if (Deno.args[0] === "inside") await inside(Deno.args[1] === "hurried");
  else await outside();
}

async function outside(): Promise<void> {
  if (Deno.uid() !== 0 || !await runs("ip", ["-V"])) {
    console.error("rest_bench: skipped: needs root and ip");
    return;
  }
  const kept = await measured([]);
  const hurried = await measured(["hurried"]);
  const keptPerHour = scaled(kept, HOUR_S / MEASURE_S);
  const periodic = {
    bytes: Math.max(0, hurried.bytes - kept.bytes),
    packets: Math.max(0, hurried.packets - kept.packets),
  };
  const periodicPerHour = scaled(periodic, HURRIED_S / MEASURE_S);
  const target = { name: "target", value: TARGET / MB };
  report(
    {
      name: "bytes a node and hour at rest, sent and received",
      value: (keptPerHour.bytes + periodicPerHour.bytes) / MB,
    },
    "MB",
    target,
  );
  report(
    { name: "of these to keep connections", value: keptPerHour.bytes / MB },
    "MB",
    target,
  );
  report(
    {
      name: "packets a node and hour at rest, sent and received",
      value: keptPerHour.packets + periodicPerHour.packets,
    },
    "packets",
    { name: "of these to keep connections", value: keptPerHour.packets },
  );
}

/** The traffic of one node in {@link MEASURE_S}, measured in a namespace made for it. */
async function measured(words: readonly string[]): Promise<Traffic> {
  const name = `tesseras-rest-${Deno.pid}`;
  await must("ip", ["netns", "add", name]);
  try {
    await must("ip", ["-n", name, "link", "set", "lo", "up"]);
    const self = new URL(import.meta.url).pathname;
    const { stdout, success } = await new Deno.Command("ip", {
      args: [
        ...["netns", "exec", name, Deno.execPath(), "run", "-A", "--quiet"],
        ...["--no-check", self, "inside", ...words],
      ],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("the measurement in the namespace failed");
    return JSON.parse(new TextDecoder().decode(stdout)) as Traffic;
  } finally {
    await must("ip", ["netns", "delete", name]);
  }
}

async function inside(isHurried: boolean): Promise<void> {
  const settings: Record<string, string> = isHurried
    ? {
      TESSERAS_DHT_BUCKET_REFRESH_INTERVAL_SECS: `${HURRIED_S}`,
      TESSERAS_DHT_REPUBLISH_INTERVAL_SECS: `${HURRIED_S}`,
    }
    : {};
  const dir = await Deno.makeTempDir({ prefix: "tesseras-rest-" });
  try {
    await using cluster = await Cluster.start(
      join(dir, "cluster"),
      { ...DEFAULT_SHAPE, settings },
      () => {},
      never,
    );
    // Something to announce: a node that keeps nothing has nothing to do every hour.
    await makeFolder(join(dir, "folder"), 6 * MB);
    const home = cluster.infos.find(({ role }) => role === "node")!.dataDir;
    const quiet = (): void => {};
    await tes(home, ["init"], quiet);
    const words = ["create", join(dir, "folder"), "--non-interactive"];
    const { hash } = await tes<{ hash: string }>(home, words, quiet);
    await tes(home, ["publish", hash], quiet);
    await pause(SETTLE_S);
    const before = await loopback();
    await pause(MEASURE_S);
    const after = await loopback();
    const nodes = cluster.infos.length;
    // Every packet on loopback was sent by one node and received by another.
    const each = (now: number, then: number): number =>
      2 * (now - then) / nodes;
    const traffic: Traffic = {
      bytes: each(after.bytes, before.bytes),
      packets: each(after.packets, before.packets),
    };
    console.log(JSON.stringify(traffic));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What the loopback of this namespace has received so far (proc_net(5), dev). */
async function loopback(): Promise<Traffic> {
  const text = await Deno.readTextFile("/proc/self/net/dev");
  const line = text.split("\n").find((one) => one.trim().startsWith("lo:"))!;
  const [bytes, packets] = line.split(":")[1]!.trim().split(/\s+/).map(Number);
  return { bytes: bytes!, packets: packets! };
}

function scaled({ bytes, packets }: Traffic, times: number): Traffic {
  return { bytes: times * bytes, packets: times * packets };
}

function pause(seconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, 1_000 * seconds));
}

async function runs(program: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

async function must(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args })
    .output();
  if (success) return;
  throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}
