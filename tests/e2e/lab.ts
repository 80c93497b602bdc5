/** A network of processes for tests that hurt it: somebody's home, a folder to keep, newcomers who fetch, counters to read. */
import { join } from "node:path";
import { type SeededRandom, TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { compareExport } from "@tesseras/ops/compare";
import { type ChildInfo, Cluster, DEFAULT_SHAPE } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { makeFolder } from "./folder.ts";
import {
  type Created,
  type Fetched,
  type Published,
  tesJson,
} from "./commands.ts";

/** Over 4 MiB, so that a tessera of it is cut into 16 + 8. */
const FOLDER_BYTES = 6 * MIB;
/** How long a counter or a process may take to show what happened. */
const PATIENCE_MS = 30_000;

/** A tessera in the network. */
export type Kept = { readonly created: Created; readonly plan: Published };

/** A network and a home in it. Disposing it stops every process and removes their data. */
export class Lab implements AsyncDisposable {
  readonly dir: string;
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  readonly folder: string;
  /** The processes that keep fragments from the beginning. */
  readonly stores: readonly string[];
  #kept: Kept | undefined;
  #newcomerCount = 0;
  #titleCount = 0;

  private constructor(
    parts: Pick<Lab, "dir" | "cluster" | "random" | "signal">,
  ) {
    this.dir = parts.dir;
    this.cluster = parts.cluster;
    this.random = parts.random;
    this.signal = parts.signal;
    this.folder = join(parts.dir, "folder");
    this.stores = parts.cluster.infos.filter(({ role }) => role === "store")
      .map(({ name }) => name);
  }

  /** Starts the network, gives its node an identity and a folder, and publishes a tessera of it. */
  static async open(random: SeededRandom, signal: AbortSignal): Promise<Lab> {
    const dir = await Deno.makeTempDir({ prefix: "tesseras_e2e_" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    const path = join(dir, "cluster");
    const cluster = stack.use(
      await Cluster.start(path, DEFAULT_SHAPE, () => {}, signal),
    );
    const lab = new Lab({ dir, cluster, random, signal });
    await makeFolder(lab.folder, FOLDER_BYTES, random);
    await tesJson(lab.home, ["init"]);
    lab.#kept = await lab.publish();
    stack.move();
    return lab;
  }

  /** The data directory of the person whose folder it is. */
  get home(): string {
    return this.#named("node-1").dataDir;
  }

  /** The tessera that was published first, over all the stores. */
  get kept(): Kept {
    assertTrue(this.#kept !== undefined, "an open lab has kept something");
    return this.#kept;
  }

  /** A process by its name. */
  info(name: string): ChildInfo {
    return this.#named(name);
  }

  /** A title no tessera of this lab has. */
  title(): string {
    return `Title ${++this.#titleCount}`;
  }

  /** Makes a folder of which no byte is known to anybody. */
  async otherFolder(): Promise<string> {
    const path = await Deno.makeTempDir({ dir: this.dir });
    await makeFolder(path, FOLDER_BYTES, this.random);
    return path;
  }

  /** Makes one more tessera of a folder. */
  create(folder = this.folder): Promise<Created> {
    return tesJson(this.home, ["create", folder, "--title", this.title()]);
  }

  /** Makes one more tessera of a folder and spreads it. */
  async publish(folder = this.folder): Promise<Kept> {
    const created = await this.create(folder);
    const plan = await tesJson<Published>(
      this.home,
      ["publish", created.hash],
    );
    assertEquals(plan.unplaced, []);
    return { created, plan };
  }

  /** Starts a node that has nothing, to be crashed when it is no longer needed. */
  newcomer(): Promise<ChildInfo> {
    const name = `newcomer-${++this.#newcomerCount}`;
    const dataDir = join(this.cluster.dir, name);
    return this.cluster.add({ name, role: "node", dataDir }, this.signal);
  }

  /** Starts a crashed process again on its disk and at its port, and waits until it has joined. */
  async restart(name: string): Promise<ChildInfo> {
    const info = await this.cluster.restart(name, this.signal);
    await untilReady(info);
    return info;
  }

  /** Fetches on a data directory, exports, and compares every byte with the folder it was made of. */
  async fetchAndCompare(
    dataDir: string,
    created: Created,
    folder = this.folder,
  ): Promise<Fetched> {
    const fetched = await tesJson<Fetched>(dataDir, ["fetch", created.hash]);
    const target = await Deno.makeTempDir({ dir: this.dir });
    const { path } = await tesJson<{ path: string }>(
      dataDir,
      ["export", created.hash, target],
    );
    const { memories } = created;
    const report = await compareExport(folder, path, memories);
    assertEquals(report.differences, []);
    assertTrue(report.comparedBytes >= FOLDER_BYTES);
    await Deno.remove(target, { recursive: true });
    return fetched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }

  #named(name: string): ChildInfo {
    const info = this.cluster.infos.find((one) => one.name === name);
    assertTrue(info !== undefined, `${name} runs`);
    return info;
  }
}

/** What a process has counted so far under a dotted name. */
export async function counted(info: ChildInfo, name: string): Promise<number> {
  const page = await fetch(`http://${info.health}/metrics`);
  const text = await page.text();
  const metric = `tesseras_${name.replaceAll(/[^a-z0-9]+/g, "_")}_total`;
  const line = text.split("\n").find((one) => one.startsWith(`${metric} `));
  return line === undefined ? 0 : Number(line.slice(metric.length + 1));
}

/** Whether a process says that it is alive. */
export async function isWell(info: ChildInfo): Promise<boolean> {
  const page = await fetch(`http://${info.health}/healthz`);
  return await page.text() === "ok\n";
}

/** Waits until a process has joined the network. @throws `timeout` */
export async function untilReady(info: ChildInfo): Promise<void> {
  await until(`${info.name} is ready`, async () => {
    const page = await fetch(`http://${info.health}/readyz`);
    return await page.text() === "ready\n";
  });
}

/** Waits until a counter has reached a value. @throws `timeout` */
export async function untilCounted(
  info: ChildInfo,
  name: string,
  least: number,
): Promise<void> {
  await until(
    `${name} of ${info.name} reaches ${least}`,
    async () => await counted(info, name) >= least,
  );
}

/** Asks again and again until something holds. @throws `timeout` */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!await holds()) {
    if (performance.now() > endMs) {
      throw new TesserasError(
        "timeout",
        `Cannot see that ${what} within ${PATIENCE_MS} ms`,
      );
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Waits for all of them, whatever becomes of one. @throws what the first that failed threw */
export async function allOf(
  promises: readonly Promise<unknown>[],
): Promise<void> {
  const results = await Promise.allSettled(promises);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
