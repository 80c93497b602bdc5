/** A network on one machine: processes that start in order and never outlive the one that started them. */
import { join } from "node:path";
import { mapBounded } from "@tesseras/core";
import { Child, type ChildInfo, type ChildSpec } from "./child.ts";

/** How many of each. */
export type ClusterShape = {
  readonly bootstrap: number;
  readonly dht: number;
  readonly store: number;
  readonly node: number;
};

/** Two entries, one keeper of pointers, eight holders, one full node. */
export const DEFAULT_SHAPE: ClusterShape = {
  bootstrap: 2,
  dht: 1,
  store: 8,
  node: 1,
};

/** Processes that start at the same time: starting is work for the processor, more at once is not faster. */
const STARTS_PARALLEL = 4;
/** How long a process may take to stop before it is made to. */
const STOP_MS = 6_000;

/** The root folder of the project. */
export const ROOT = new URL("../..", import.meta.url).pathname
  .replace(/\/$/, "");

/** A running cluster. Disposing it stops every process. */
export class Cluster implements AsyncDisposable {
  readonly dir: string;
  readonly #children: Child[] = [];
  readonly #infos = new Map<string, ChildInfo>();
  #stopping = false;
  #reportDeath: (child: Child) => void = () => {};
  /** Resolves with the first process that ended without being asked. */
  readonly died: Promise<Child>;

  private constructor(dir: string) {
    this.dir = dir;
    this.died = new Promise((resolve) => {
      this.#reportDeath = resolve;
    });
  }

  /** Starts all processes; when it resolves they have joined each other and `cluster.json` is written. */
  static async start(
    dir: string,
    shape: ClusterShape,
    onStarted: (info: ChildInfo) => void,
    signal: AbortSignal,
  ): Promise<Cluster> {
    await Deno.mkdir(dir, { recursive: true });
    const cluster = new Cluster(dir);
    try {
      const [first, ...others] = specsOf(dir, shape);
      onStarted(await cluster.add(first!, signal));
      await mapBounded(others, STARTS_PARALLEL, async (spec, laneSignal) => {
        onStarted(await cluster.add(spec, laneSignal));
      }, signal);
      await cluster.#write();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Every process that is meant to run, in order of starting. */
  get infos(): readonly ChildInfo[] {
    return [...this.#infos.values()];
  }

  /** Starts one more process and waits until it has joined. Entries are the bootstrap processes when none are given. */
  async add(
    spec: Omit<ChildSpec, "bootstrap" | "root">,
    signal: AbortSignal,
  ): Promise<ChildInfo> {
    const entries = this.infos.filter((info) => info.role === "bootstrap");
    const child = Child.start({
      ...spec,
      bootstrap: entries.map(({ id, address }) => `${id}@${address}`),
      root: ROOT,
    });
    this.#children.push(child);
    child.status.then(() => {
      if (!this.#stopping && this.#infos.has(spec.name)) {
        this.#reportDeath(child);
      }
    });
    const info = await child.listening(signal);
    await child.ready(signal);
    this.#infos.set(spec.name, info);
    return info;
  }

  /** Kills a process the hard way, as a power cut would. */
  async crash(name: string): Promise<void> {
    this.#infos.delete(name);
    const child = this.#children.find((one) => one.spec.name === name);
    child?.kill("SIGKILL");
    await child?.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children) child.kill("SIGTERM");
    const forced = setTimeout(() => {
      for (const child of this.#children) child.kill("SIGKILL");
    }, STOP_MS);
    await Promise.all(this.#children.map((child) => child.ended()));
    clearTimeout(forced);
  }

  async #write(): Promise<void> {
    const path = join(this.dir, "cluster.json");
    const text = JSON.stringify({ processes: this.infos }, null, 2);
    await Deno.writeTextFile(`${path}.tmp`, text + "\n");
    await Deno.rename(`${path}.tmp`, path);
  }
}

function specsOf(
  dir: string,
  shape: ClusterShape,
): Omit<ChildSpec, "bootstrap" | "root">[] {
  return (["bootstrap", "dht", "store", "node"] as const).flatMap((role) =>
    Array.from({ length: shape[role] }, (_, at) => {
      const name = `${role}-${at + 1}`;
      return { name, role, dataDir: join(dir, name) };
    })
  );
}
