/** Relays under load, each in a process of its own: what arrives, and what processor time it takes. */
import { TextLines } from "./text_lines.ts";
import { ROOT } from "../cluster/cluster.ts";

/** What the peers do. Packets a second over all of them, both ways. */
export type Load = {
  readonly pairs: number;
  readonly packetsPerSecond: number;
  readonly bytes: number;
  /** Packets that one peer sends in a row. */
  readonly burst: number;
  readonly seconds: number;
};

/** What came of it. */
export type Outcome = {
  readonly deliveredShare: number;
  readonly packetMicros: number;
  readonly coreShare: number;
  readonly latencyP50Micros: number;
  readonly latencyP99Micros: number;
};

/** A relay that runs: its process, and how the load reaches it. */
export type Relay = AsyncDisposable & {
  readonly pid: number;
  /** `turn` and its port, or the ports of each pair. */
  readonly turnPort?: number;
  readonly portPairs?: readonly string[];
};

/** Compiles the generator; `undefined` and a sentence on standard error where that cannot be. */
export async function compileLoad(dir: string): Promise<string | undefined> {
  const binary = `${dir}/relay_load`;
  const source = `${ROOT}/ops/bench/relay_load.c`;
  try {
    const { success } = await new Deno.Command("gcc", {
      args: ["-O2", "-o", binary, source],
      stderr: "inherit",
    }).output();
    if (success) return binary;
    console.error("relay_bench: gcc could not compile the load; left out");
  } catch {
    console.error("relay_bench: no gcc, so no load; left out");
  }
  return undefined;
}

/** Starts our data path. */
export async function startOurs(
  kind: "kernel" | "datagrams",
  pairs: number,
  bytesPerSecond: number,
): Promise<Relay> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      `${ROOT}/ops/bench/relay_process.ts`,
      kind,
      String(pairs),
      String(bytesPerSecond),
    ],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = TextLines.of(child.stdout);
  const portPairs: string[] = [];
  for (;;) {
    const line = await lines.next();
    if (line === undefined) throw new Error("the relay did not start");
    if (line === "end") break;
    portPairs.push(line);
  }
  return {
    pid: child.pid,
    portPairs,
    async [Symbol.asyncDispose]() {
      await lines.cancel();
      await child.stdin.close();
      await child.status;
    },
  };
}

/** Starts coturn with one thread that relays; `undefined` and a sentence on standard error where it is missing. */
export function startCoturn(dir: string): Relay | undefined {
  const port = freePort();
  const words = `-n -m 1 --listening-ip=127.0.0.1 --relay-ip=127.0.0.1
    --listening-port=${port} --no-auth --no-tls --no-dtls --no-tcp
    --no-tcp-relay --no-cli --cli-password=none --allow-loopback-peers
    --simple-log --log-file=${dir}/turn.log --pidfile=${dir}/turn.pid
    --userdb=${dir}/turn.db --realm=bench`;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("turnserver", {
      args: words.split(/\s+/),
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch {
    console.error("relay_bench: no turnserver (Debian's coturn); left out");
    return undefined;
  }
  return {
    pid: child.pid,
    turnPort: port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Puts a relay under load. */
export async function measure(
  binary: string,
  relay: Relay,
  load: Load,
): Promise<Outcome> {
  const { pairs, packetsPerSecond, seconds, bytes, burst } = load;
  const numbers = [pairs, packetsPerSecond, seconds, bytes, burst].map(String);
  const mode = relay.turnPort === undefined ? "raw" : "turn";
  const child = new Deno.Command(binary, {
    args: [mode, String(relay.turnPort ?? 0), ...numbers],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = TextLines.of(child.stdout);
  const input = child.stdin.getWriter();
  const say = (text: string) => input.write(new TextEncoder().encode(text));
  await say((relay.portPairs ?? []).join("\n") + "\n");
  if (await lines.next() !== "ready") throw new Error("the load did not start");
  const before = await processorMs(relay.pid);
  await say("go\n");
  const line = await lines.next();
  const workedMs = await processorMs(relay.pid) - before;
  await input.close();
  await lines.cancel();
  await child.status;
  const { sent, received, seconds: took, p50Us, p99Us } = JSON.parse(line!);
  return {
    deliveredShare: received / sent,
    packetMicros: workedMs * 1_000 / received,
    coreShare: workedMs / 1_000 / took,
    latencyP50Micros: p50Us,
    latencyP99Micros: p99Us,
  };
}

/** Milliseconds that all threads of a process have run, to the nanosecond; the kernel's own figure. */
async function processorMs(pid: number): Promise<number> {
  let nanoseconds = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`);
    nanoseconds += Number(text.split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

function freePort(): number {
  const options = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
  const socket = Deno.listenDatagram(options);
  const port = socket.addr.transport === "udp" ? socket.addr.port : 0;
  socket.close();
  return port;
}
