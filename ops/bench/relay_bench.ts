/**
 * The data path of a relay on loopback, beside coturn under the same load in the same run, and both ways we have of forwarding.
 * Processor time is the relay's own, of all its threads. Figures are medians of three rounds that take
 * turns, and for QUIC the best of three.
 */
import { KIB, MIB, RELAY_SESSIONS_MAX } from "@tesseras/core/limits";
import { report } from "../../tests/bench.ts";
import { goodput, Swallower } from "./relay_goodput.ts";
import {
  compileLoad,
  type Load,
  measure,
  type Outcome,
  type Relay,
  startCoturn,
  startOurs,
} from "./relay_load.ts";

const ROUNDS = 3;
/** Bytes of one transfer. */
const BULK_BYTES = 16 * MIB;
/** A load that no limit slows down. */
const UNLIMITED = 1_000 * MIB;
/** Most that a pair is granted, each way. */
const GRANTED = 256 * KIB;
const HEAVY = {
  pairs: RELAY_SESSIONS_MAX,
  packetsPerSecond: 40_000,
  bytes: 1_200,
  seconds: 2,
};
/** Every pair at 256 KB/s each way. */
const FULL = {
  ...HEAVY,
  packetsPerSecond: 2 * RELAY_SESSIONS_MAX * 256_000 / 1_200,
};
const PACINGS = [
  { words: "evenly paced", burst: 1, coreShareMax: 0.45 },
  { words: "in bursts of ten", burst: 10, coreShareMax: 0.2 },
] as const;

type Start = { readonly name: string; start(): Promise<Relay | undefined> };

if (import.meta.main) {
  const dir = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
  try {
    const binary = await compileLoad(dir);
    if (binary !== undefined) {
      await besideCoturn(binary, dir);
      await fullHouse(binary);
    }
    await throughAndStraight();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function besideCoturn(binary: string, dir: string): Promise<void> {
  const starts: readonly Start[] = [
    { name: "coturn", start: () => Promise.resolve(startCoturn(dir)) },
    ...(["kernel", "datagrams"] as const).map((kind) => ({
      name: kind,
      start: () => startOurs(kind, HEAVY.pairs, UNLIMITED),
    })),
  ];
  for (const { words, burst } of PACINGS) {
    const outcomes = await inTurns(binary, starts, { ...HEAVY, burst });
    const what = `40,000 packets/s of 1,200 bytes, 50 pairs, ${words}`;
    const coturn = outcomes.get("coturn");
    for (const kind of ["kernel", "datagrams"]) {
      const ours = outcomes.get(kind)!;
      const beside = coturn ?? ours;
      const name = coturn ? "coturn" : "itself: no coturn here";
      report(
        { name: `${kind}: ${what}: processor`, value: ours.packetMicros },
        "us/packet",
        { name, value: beside.packetMicros },
      );
      report(
        { name: `${kind}: ${what}: delivered`, value: ours.deliveredShare },
        "share",
        { name, value: beside.deliveredShare },
      );
      report(
        { name: `${kind}: ${what}: p99 delay`, value: ours.latencyP99Micros },
        "us",
        { name, value: beside.latencyP99Micros },
      );
    }
  }
}

/** With the limits of the user guide in force: what they grant must pass. */
async function fullHouse(binary: string): Promise<void> {
  const starts = (["kernel", "datagrams"] as const).map((kind) => ({
    name: kind,
    start: () => startOurs(kind, FULL.pairs, GRANTED),
  }));
  for (const { words, burst, coreShareMax } of PACINGS) {
    const outcomes = await inTurns(binary, starts, { ...FULL, burst });
    for (const [kind, { coreShare, deliveredShare }] of outcomes) {
      const what = `${kind}: 50 pairs at 256 KB/s each way, ${words}`;
      report({ name: `${what}: processor`, value: coreShare }, "cores", {
        name: "the most it may take",
        value: coreShareMax,
      });
      report({ name: `${what}: delivered`, value: deliveredShare }, "share", {
        name: "all",
        value: 1,
      });
    }
  }
}

async function throughAndStraight(): Promise<void> {
  for (const kind of ["kernel", "datagrams"] as const) {
    await using relay = await startOurs(kind, 1, UNLIMITED);
    const [near, far] = relay.portPairs![0]!.split(" ").map(Number);
    await using swallower = await Swallower.start(far!);
    const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
    let [through, straight] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      through = Math.max(through, await goodput(endpoint, near!, BULK_BYTES));
      straight = Math.max(
        straight,
        await goodput(endpoint, swallower.port, BULK_BYTES),
      );
    }
    endpoint.close();
    report(
      { name: `${kind}: QUIC through a pair, one stream`, value: through },
      "MB/s",
      { name: "straight", value: straight },
    );
  }
}

/** The medians of each, measured in turns so that a busy moment hits all alike. Whoever cannot start is left out. */
async function inTurns(
  binary: string,
  starts: readonly Start[],
  load: Load,
): Promise<Map<string, Outcome>> {
  const rounds = new Map<string, Outcome[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, start } of starts) {
      const relay = await start();
      if (relay === undefined) continue;
      await using _running = relay;
      const outcome = await measure(binary, relay, load);
      rounds.set(name, [...rounds.get(name) ?? [], outcome]);
    }
  }
  return new Map(
    Array.from(rounds, ([name, outcomes]) => [name, medians(outcomes)]),
  );
}

function medians(outcomes: readonly Outcome[]): Outcome {
  const of = (name: keyof Outcome): number =>
    outcomes.map((outcome) => outcome[name]).sort((a, b) => a - b)[
      Math.floor(outcomes.length / 2)
    ]!;
  return {
    deliveredShare: of("deliveredShare"),
    packetMicros: of("packetMicros"),
    coreShare: of("coreShare"),
    latencyP50Micros: of("latencyP50Micros"),
    latencyP99Micros: of("latencyP99Micros"),
  };
}
