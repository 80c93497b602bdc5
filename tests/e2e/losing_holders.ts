/**
 * Any two of eight holders go, again and again, and a newcomer gets every byte back:
 * `deno run -A tests/e2e/losing_holders.ts --rounds 20 [--seed S]`.
 */
import { shuffled } from "@tesseras/core";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Lab } from "./lab.ts";
import { longRun } from "./long_run.ts";

/** Holders lost at once. */
const LOST = 2;
/** How a holder goes: dead at once, or there and silent, which is harder to notice. */
const WAYS = ["SIGKILL", "SIGSTOP"] as const;

/** In every round two holders go, a fresh node fetches, and the two come back on their disks. */
export async function losingHolders(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { created, plan } = lab.kept;
  assertEquals([plan.dataCount, plan.parityCount], [16, 8]);
  assertEquals(new Set(plan.holders.map(({ id }) => id)).size, 8);
  for (let round = 1; round <= rounds; round++) {
    const newcomer = await lab.newcomer();
    const away = shuffled(lab.stores, lab.random).slice(0, LOST)
      .map((name) => ({
        info: lab.info(name),
        way: WAYS[lab.random.below(WAYS.length)]!,
      }));
    const told = away.map(({ info, way }) => `${way} ${info.name}`).join(", ");
    await Promise.all(away.map(({ info, way }) => lose(lab, info, way)));
    const startMs = performance.now();
    const fetched = await lab.fetchAndCompare(newcomer.dataDir, created);
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    say(
      `round ${round}: ${told}; every byte is back in ${seconds} s, ${fetched.rebuiltCount} fragments rebuilt`,
    );
    const gone = new Set(away.map(({ info }) => info.id));
    assertTrue(fetched.used.every(({ holder }) => !gone.has(holder)));
    await Promise.all(away.map(({ info, way }) => bringBack(lab, info, way)));
  }
}

async function lose(
  lab: Lab,
  { name, pid }: ChildInfo,
  way: typeof WAYS[number],
): Promise<void> {
  if (way === "SIGKILL") await lab.cluster.crash(name);
  else Deno.kill(pid, "SIGSTOP");
}

async function bringBack(
  lab: Lab,
  before: ChildInfo,
  way: typeof WAYS[number],
): Promise<void> {
  if (way === "SIGSTOP") return Deno.kill(before.pid, "SIGCONT");
  const after = await lab.cluster.restart(before.name, lab.signal);
  assertEquals([after.id, after.address], [before.id, before.address]);
}

if (import.meta.main) await longRun("losing holders", losingHolders);
