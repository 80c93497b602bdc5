/**
 * The data path of a relay in a process of its own, for benches: opens pairs, prints their ports, and forwards until its input ends.
 * `deno run -A ops/bench/relay_process.ts kernel|datagrams PAIRS BYTES_PER_SECOND`
 */
import { Counters, silentLog } from "@tesseras/core";
import { RELAY_BURST_BYTES } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { openDatagrams } from "@tesseras/relay/datagrams";
import { openKernel } from "@tesseras/relay/kernel";

const PEER_IP = "127.0.0.1";

if (import.meta.main) {
  const [kind, pairs, rate] = Deno.args;
  await forward(kind === "kernel", Number(pairs), Number(rate));
}

async function forward(
  inKernel: boolean,
  pairsMax: number,
  bytesPerSecond: number,
): Promise<void> {
  const { signal } = new AbortController();
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const options = { ip: PEER_IP, ports: { from: 0, to: 0 }, pairsMax };
  await using forwarder = inKernel
    ? await openKernel(options, runtime, signal)
    : openDatagrams(options, runtime);
  const terms = {
    bytesPerSecond,
    burstBytes: Math.max(RELAY_BURST_BYTES, bytesPerSecond / 4),
    lastsMs: Infinity,
    idleMs: 60_000,
    joinMs: 60_000,
  };
  for (let n = 0; n < pairsMax; n++) {
    const pair = await forwarder.open({ ip: PEER_IP, terms }, signal);
    await pair.relock(1, PEER_IP);
    console.log(pair.ports.join(" "));
  }
  console.log("end");
  for await (const _ of Deno.stdin.readable);
}
