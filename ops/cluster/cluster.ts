/** A network on one machine: processes that start in order and never outlive the one that started them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, mapBounded, TesserasError } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import { Child, type ChildInfo, type ChildSpec } from "./child.ts";

export type { ChildInfo };

/** How many of each, and what all of them are told. */
export type ClusterShape = {
  readonly bootstrap: number;
  readonly dht: number;
  readonly store: number;
  readonly node: number;
  readonly relay?: number;
  /** Settings of every process, as environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
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
/** How long one process may take to listen and join, while the machine is busy with others. */
const START_MS = 60_000;
/** How long a process may take to stop before it is made to. */
const STOP_MS = 6_000;

/** The root folder of the project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url))
  .replace(/\/$/, "");

/** A running cluster. Disposing it stops every process. */
export class Cluster implements AsyncDisposable {
  readonly dir: string;
  readonly #children: Child[] = [];
  readonly #infos = new Map<string, ChildInfo>();
  readonly #crashed = new Map<string, ChildInfo>();
  #stopping = false;
  #isWritten = false;
  #reportDeath: (child: Child) => void = () => {};
  /** Resolves with the first process that ended without being asked. */
  readonly died: Promise<Child>;

  private constructor(dir: string) {
    this.dir = dir;
    this.died = new Promise((resolve) => {
      this.#reportDeath = resolve;
    });
  }

  /**
   * Starts all processes; when it resolves they have joined each other and `cluster.json` is written. A process that ends
   * meanwhile ends the start.
   *
   * @throws `unreachable` when a process ends or does not join, `timeout` when it takes too long, or the signal's error
   */
  static async start(
    dir: string,
    shape: ClusterShape,
    onStarted: (info: ChildInfo) => void,
    signal: AbortSignal,
  ): Promise<Cluster> {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
    const cluster = new Cluster(dir);
    const dead = new AbortController();
    cluster.died.then(({ spec }) => dead.abort(endedEarly(spec)));
    const either = AbortSignal.any([signal, dead.signal]);
    try {
      const [first, ...others] = specsOf(dir, shape);
      onStarted(await cluster.add(first!, either));
      // It has its data directory for itself, so what an earlier cluster wrote here is out of date.
      await cluster.#forget();
      await mapBounded(others, STARTS_PARALLEL, async (spec, laneSignal) => {
        onStarted(await cluster.add(spec, laneSignal));
      }, either);
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
    using deadline = systemClock.deadline(START_MS, signal);
    const { child, info } = await this.#begin(spec, deadline.signal);
    await child.ready(deadline.signal);
    return this.#expectAlive(child, info);
  }

  /** Kills a process the hard way, as a power cut would. */
  async crash(name: string): Promise<void> {
    const info = this.#infos.get(name);
    if (info !== undefined) this.#crashed.set(name, info);
    this.#infos.delete(name);
    const child = this.#children.findLast((one) => one.spec.name === name);
    child?.kill("SIGKILL");
    await child?.ended();
  }

  /** Starts a crashed process again, on its data directory and at its port, and waits until it listens: the others know it there. */
  async restart(name: string, signal: AbortSignal): Promise<ChildInfo> {
    const info = this.#crashed.get(name);
    const child = this.#children.findLast((one) => one.spec.name === name);
    assert(info && child, `${name} was crashed before it is started again`);
    this.#crashed.delete(name);
    using deadline = systemClock.deadline(START_MS, signal);
    const spec = { ...child.spec, listen: info.address };
    const begun = await this.#begin(spec, deadline.signal);
    return this.#expectAlive(begun.child, begun.info);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children) child.kill("SIGTERM");
    const forced = setTimeout(() => {
      for (const child of this.#children) child.kill("SIGKILL");
    }, STOP_MS);
    await Promise.all(this.#children.map((child) => child.ended()));
    clearTimeout(forced);
    if (this.#isWritten) await this.#forget();
  }

  get #file(): string {
    return join(this.dir, "cluster.json");
  }

  async #begin(
    spec: Omit<ChildSpec, "bootstrap" | "root">,
    signal: AbortSignal,
  ): Promise<{ readonly child: Child; readonly info: ChildInfo }> {
    const entries = this.infos.filter((info) => info.role === "bootstrap");
    const child = Child.start({
      ...spec,
      bootstrap: entries.map(({ id, address }) => `${id}@${address}`),
      root: ROOT,
    });
    this.#children.push(child);
    return { child, info: await child.listening(signal) };
  }

  /** From now on its end is a death; an end before is the failure of the call that starts it. */
  #expectAlive(child: Child, info: ChildInfo): ChildInfo {
    const { name } = info;
    this.#infos.set(name, info);
    child.status.then(() => {
      if (!this.#stopping && this.#infos.get(name) === info) {
        this.#reportDeath(child);
      }
    });
    return info;
  }

  async #write(): Promise<void> {
    const text = JSON.stringify({ processes: this.infos }, null, 2);
    await Deno.writeTextFile(`${this.#file}.tmp`, text + "\n");
    await Deno.rename(`${this.#file}.tmp`, this.#file);
    this.#isWritten = true;
  }

  /** Process ids of the dead may soon be somebody else's. */
  async #forget(): Promise<void> {
    try {
      await Deno.remove(this.#file);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function endedEarly({ name, dataDir }: ChildSpec): TesserasError {
  return new TesserasError(
    "unreachable",
    `Cannot start the cluster: ${name} ended by itself; its log is ${dataDir}.log`,
  );
}

function specsOf(
  dir: string,
  { settings = {}, ...shape }: ClusterShape,
): Omit<ChildSpec, "bootstrap" | "root">[] {
  const roles = ["bootstrap", "dht", "store", "relay", "node"] as const;
  return roles.flatMap((role) =>
    Array.from({ length: shape[role] ?? 0 }, (_, at) => {
      const name = `${role}-${at + 1}`;
      return { name, role, dataDir: join(dir, name), settings };
    })
  );
}
