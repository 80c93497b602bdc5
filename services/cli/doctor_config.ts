/** The configuration that a node on a data directory starts with, the ports it wants, and the ways in that it names. */
import { codeOf, messageOf, parseAddress, type Runtime } from "@tesseras/core";
import {
  checkEntrances,
  type Config,
  type DataPaths,
  listenAddress,
  pathEnvironment,
  readStart,
} from "@tesseras/run";
import { advice, type Finding, fine, problem } from "./finding.ts";
import { counted } from "./printed.ts";

/** The configuration, if it can be used, and what is to be said of it. */
export type ConfigReading = {
  readonly config: Config | undefined;
  readonly findings: readonly Finding[];
};

/** Reads it as a node would. */
export function readConfiguration(paths: DataPaths): ConfigReading {
  const check = "Configuration";
  try {
    const { TESSERAS_NODE_DATA_DIR: _other, ...env } = Deno.env.toObject();
    const start = readStart({ name: "tesd", summary: "", roles: [] }, {
      args: ["--data-dir", paths.dataDir],
      env,
      paths: pathEnvironment(),
      readFile,
    });
    // Only --help is answered with anything else.
    const config = start === "help" ? undefined : start.config;
    return {
      config,
      findings: [fine(check, `Every key in ${paths.config} is known`)],
    };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return {
      config: undefined,
      findings: [problem(
        check,
        messageOf(error),
        `Correct it in ${paths.config} or the environment; a node does not start with it`,
      )],
    };
  }
}

function readFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether the ports of a node that does not run are free. */
export function checkPorts(config: Config): readonly Finding[] {
  const check = "Ports";
  const { ip, port } = listenAddress(config);
  if (!isFree(() => listenUdp(ip, port))) {
    return [problem(
      check,
      `UDP port ${port} is taken by another program, or ${ip} is not an address of this machine`,
      `Stop that program, or choose another with [node] listen_addr`,
    )];
  }
  const metrics = config.observability.metrics_addr;
  if (metrics !== "" && !isFree(() => listenTcp(metrics))) {
    return [problem(
      check,
      `TCP port ${metrics} for /metrics is taken by another program`,
      'Stop that program, or change [observability] metrics_addr; "" needs none',
    )];
  }
  return [fine(check, `UDP port ${port} is free`)];
}

function listenUdp(hostname: string, port: number): Disposable {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  return { [Symbol.dispose]: () => socket.close() };
}

function listenTcp(text: string): Disposable {
  const { ip: hostname, port } = parseAddress(text);
  return Deno.listen({ hostname, port });
}

function isFree(listen: () => Disposable): boolean {
  try {
    using _socket = listen();
    return true;
  } catch (error) {
    const isTaken = error instanceof Deno.errors.AddrInUse ||
      error instanceof Deno.errors.AddrNotAvailable ||
      error instanceof Deno.errors.PermissionDenied;
    if (isTaken) return false;
    throw error;
  }
}

/** Whether the ways into the network answer. */
export async function checkWaysIn(
  config: Config,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const check = "Entrances";
  const all = await checkEntrances(config, runtime, signal);
  const bad = all.filter((one) => one.problem !== undefined);
  if (all.length === 0) {
    return [fine(
      check,
      "None is configured: this node waits for others, or finds them on the local network",
    )];
  }
  if (bad.length === 0) {
    return [
      fine(check, `${counted(all.length, "entrance", "entrances")} answered`),
    ];
  }
  const what = `${bad.length} of ${
    counted(all.length, "entrance", "entrances")
  } did not answer: ${bad.map(({ name }) => name).join(", ")}`;
  const todo = "Look at the connection of this machine and at [bootstrap]";
  return bad.length === all.length
    ? [problem(check, what, todo)]
    : [advice(check, what, todo)];
}
