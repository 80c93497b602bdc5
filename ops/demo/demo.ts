/** The main job from end to end, with real processes: keep a folder, lose two holders, get every byte back. */
import { join } from "node:path";
import {
  type Random,
  shuffled,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import type { ChildInfo } from "../cluster/child.ts";
import {
  Cluster,
  type ClusterShape,
  DEFAULT_SHAPE,
} from "../cluster/cluster.ts";
import { compareExport, type Comparison, type KeptMemory } from "./compare.ts";
import { tes } from "./tes.ts";

/** What the demo is told. */
export type DemoOptions = {
  readonly folder: string;
  /** Where the cluster and the export go. */
  readonly dir: string;
  readonly shape?: ClusterShape;
  /** Holders to kill. */
  readonly killCount: number;
  readonly random: Random;
};

/** Says what is going on: a step begins, a detail of it, or a step has ended. */
export type Narrator = {
  readonly step: (title: string) => void;
  readonly detail: (line: string) => void;
  readonly done: (line: string) => void;
};

/** What `tes create` says. */
export type Created = {
  readonly hash: string;
  readonly memories: readonly KeptMemory[];
  readonly leftOut: readonly {
    readonly name: string;
    readonly reason: string;
  }[];
  readonly packBytes: number;
};

/** What `tes publish` says. */
export type Published = {
  readonly dataCount: number;
  readonly parityCount: number;
  readonly peerCount: number;
  readonly sentBytes: number;
  readonly keeperCount: number;
  readonly unplaced: readonly number[];
  readonly holders: readonly { readonly index: number; readonly id: string }[];
};

/** What `tes fetch` says. */
export type Fetched = {
  readonly used: readonly { readonly index: number; readonly holder: string }[];
  readonly dataCount: number;
  readonly rebuiltCount: number;
  readonly failedCount: number;
};

/** Everything that happened. */
export type DemoReport = {
  readonly ok: boolean;
  readonly hash: string;
  readonly folder: string;
  readonly processes: number;
  readonly created: Created;
  readonly published: Published;
  readonly killed: readonly {
    readonly name: string;
    readonly pid: number;
    readonly fragments: readonly number[];
  }[];
  readonly fetched: Fetched;
  readonly verified: boolean;
  readonly exportPath: string;
  readonly comparison: Comparison;
  readonly seconds: Readonly<Record<string, number>>;
};

/** Runs the whole story. Every process is gone when it settles; the export stays. */
export async function demo(
  options: DemoOptions,
  say: Narrator,
  signal: AbortSignal,
): Promise<DemoReport> {
  const story = new Story(options, say, signal);
  await using cluster = await story.start();
  const processes = cluster.infos.length;
  const home = cluster.infos.find(({ role }) => role === "node")!.dataDir;
  const created = await story.create(home);
  const published = await story.publish(home, created);
  const killed = await story.kill(cluster, published);
  const { fetched, fresh } = await story.fetch(cluster, created);
  const exported = await story.check(fresh, created);
  return {
    hash: created.hash,
    folder: options.folder,
    processes,
    created,
    published,
    killed,
    fetched,
    ...exported,
    seconds: story.seconds,
  };
}

/** The steps, each told and timed. */
class Story {
  readonly seconds: Record<string, number> = {};
  readonly #options: DemoOptions;
  readonly #say: Narrator;
  readonly #signal: AbortSignal;

  constructor(options: DemoOptions, say: Narrator, signal: AbortSignal) {
    this.#options = options;
    this.#say = say;
    this.#signal = signal;
  }

  async start(): Promise<Cluster> {
    const say = this.#say;
    say.step("Starting a network of separate processes on this machine");
    const cluster = await this.#timed("start", () =>
      Cluster.start(
        join(this.#options.dir, "cluster"),
        this.#options.shape ?? DEFAULT_SHAPE,
        ({ name, address, pid }) =>
          say.detail(`${name.padEnd(12)} ${address.padEnd(21)} pid ${pid}`),
        this.#signal,
      ));
    say.done(`${cluster.infos.length} processes, joined`);
    return cluster;
  }

  async create(home: string): Promise<Created> {
    const say = this.#say;
    say.step("Making a tessera of the folder, signed with a new identity");
    const created = await this.#timed("create", async () => {
      await tes(home, ["init"], say.detail);
      const args = ["create", this.#options.folder, "--non-interactive"];
      return await tes<Created>(home, args, say.detail);
    });
    sayCreated(created, say);
    return created;
  }

  async publish(home: string, { hash }: Created): Promise<Published> {
    const say = this.#say;
    say.step("Publishing it: cut into fragments, spread over holders");
    const published = await this.#timed(
      "publish",
      () => tes<Published>(home, ["publish", hash], say.detail),
    );
    const { holders, dataCount, peerCount, keeperCount } = published;
    say.done(
      `${holders.length} fragments (any ${dataCount} rebuild it) on ${peerCount} holders; ${keeperCount} nodes know where`,
    );
    return published;
  }

  async kill(
    cluster: Cluster,
    published: Published,
  ): Promise<DemoReport["killed"]> {
    const say = this.#say;
    say.step(`Killing ${this.#options.killCount} holders with SIGKILL`);
    const killed = await this.#timed(
      "kill",
      () => kill(cluster, published, this.#options),
    );
    for (const { name, pid, fragments } of killed) {
      say.detail(
        `${name} (pid ${pid}) died with fragments ${fragments.join(", ")}`,
      );
    }
    say.done(`${killed.length} holders are gone for good`);
    return killed;
  }

  async fetch(
    cluster: Cluster,
    { hash }: Created,
  ): Promise<{ readonly fetched: Fetched; readonly fresh: string }> {
    const say = this.#say;
    say.step("Fetching it on a new node that never had it");
    const fresh = join(this.#options.dir, "cluster", "newcomer");
    const spec = { name: "newcomer", role: "node", dataDir: fresh } as const;
    await this.#timed("newcomer", () => cluster.add(spec, this.#signal));
    const fetched = await this.#timed(
      "fetch",
      () => tes<Fetched>(fresh, ["fetch", hash], say.detail),
    );
    const holders = new Set(fetched.used.map(({ holder }) => holder));
    say.done(
      fetched.dataCount === 1
        ? "one of its whole copies was enough"
        : `${fetched.used.length} fragments from ${holders.size} holders, ${fetched.rebuiltCount} rebuilt from parity`,
    );
    return { fetched, fresh };
  }

  async check(
    fresh: string,
    { hash, memories }: Created,
  ): Promise<
    Pick<DemoReport, "ok" | "verified" | "exportPath" | "comparison">
  > {
    const say = this.#say;
    const { dir, folder } = this.#options;
    say.step("Verifying signatures and every hash, then exporting");
    const { passed } = await this.#timed(
      "verify",
      () => tes<{ passed: boolean }>(fresh, ["verify", hash], say.detail),
    );
    const target = join(dir, "export");
    const { path } = await this.#timed(
      "export",
      () => tes<{ path: string }>(fresh, ["export", hash, target], say.detail),
    );
    const comparison = await this.#timed(
      "compare",
      () => compareExport(folder, path, memories),
    );
    const same = comparison.differences.length === 0 &&
      comparison.comparedFiles > 0;
    say.done(
      same
        ? "every byte is the same as in the folder"
        : "NOT the same as the folder",
    );
    return {
      ok: passed && same,
      verified: passed,
      exportPath: path,
      comparison,
    };
  }

  async #timed<T>(name: string, work: () => Promise<T>): Promise<T> {
    throwIfAborted(this.#signal);
    const from = performance.now();
    const result = await work();
    this.seconds[name] = Math.round(performance.now() - from) / 1000;
    return result;
  }
}

function sayCreated(created: Created, say: Narrator): void {
  const shownMax = 10;
  for (const { name } of created.memories.slice(0, shownMax)) {
    say.detail(`kept ${JSON.stringify(name)}`);
  }
  const more = created.memories.length - shownMax;
  if (more > 0) say.detail(`and ${more} more`);
  for (const { name, reason } of created.leftOut.slice(0, shownMax)) {
    say.detail(`left out ${JSON.stringify(name)}: ${reason}`);
  }
  say.done(`${created.memories.length} memories, content hash ${created.hash}`);
}

/** Kills holders at random among those that keep fragments. */
async function kill(
  cluster: Cluster,
  published: Published,
  { killCount, random }: DemoOptions,
): Promise<DemoReport["killed"]> {
  const fragmentsOf = (info: ChildInfo): number[] =>
    published.holders.filter(({ id }) => id === info.id)
      .map(({ index }) => index);
  const holders = cluster.infos.filter((info) =>
    info.role === "store" && fragmentsOf(info).length > 0
  );
  if (holders.length < killCount) {
    throw new TesserasError(
      "tooFew",
      `Cannot kill ${killCount} holders: ${holders.length} hold fragments`,
    );
  }
  const victims = shuffled(holders, random).slice(0, killCount);
  await Promise.all(victims.map(({ name }) => cluster.crash(name)));
  return victims.map((info) => ({
    name: info.name,
    pid: info.pid,
    fragments: fragmentsOf(info),
  }));
}
