/**
 * Processes die at random moments of create, publish, store and fetch, and nothing acknowledged is lost nor anything
 * half-done listed: `deno run -A tests/e2e/sudden_death.ts --rounds 20 [--seed S]`.
 */
import { type Random, shuffled } from "@tesseras/core";
import type { NodeSigner } from "@tesseras/crypto";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { assertAcknowledgedServed } from "./acknowledged.ts";
import { allOf, type Lab } from "./lab.ts";
import { longRun } from "./long_run.ts";
import { honestIdentity } from "./outsider.ts";
import {
  type Created,
  type Ended,
  listed,
  type Published,
  runTes,
  sentenceOf,
  tesJson,
} from "./commands.ts";

/** In every round each command is killed once, and once the process behind it. Publishing and fetching die beside each other. */
export async function suddenDeath(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { signal, random } = lab;
  const identity = await honestIdentity(signal);
  const fetcher = await lab.newcomer();
  const pace = await paceOf(lab, fetcher);
  const parts = { fetcher, pace, identity, say };
  const publishing = new Story(lab, { ...parts, random: random.fork() });
  const fetching = new Story(lab, { ...parts, random: random.fork() });
  for (let round = 1; round <= rounds; round++) {
    const fetches = fetching.fetch("tes").then(() => fetching.fetch("node"));
    await allOf([fetches, publishing.publishAll()]);
  }
  await publishing.verifyAll();
}

/** How long each command takes when nobody dies, in milliseconds. */
type Pace = {
  readonly createMs: number;
  readonly publishMs: number;
  readonly fetchMs: number;
};

async function paceOf(lab: Lab, fetcher: ChildInfo): Promise<Pace> {
  const { home, folder } = lab;
  const args = ["--json", "create", folder, "--title", lab.title()];
  const create = wentWell(await runTes(home, args));
  const { hash }: Created = JSON.parse(create.out);
  const publish = wentWell(await runTes(home, ["publish", hash]));
  const fetch = wentWell(await runTes(fetcher.dataDir, ["fetch", hash]));
  await forget(fetcher.dataDir, hash);
  return { createMs: create.ms, publishMs: publish.ms, fetchMs: fetch.ms };
}

function wentWell(ended: Ended): Ended {
  assertEquals(ended.code, 0, ended.err);
  return ended;
}

async function forget(dataDir: string, hash: string): Promise<void> {
  await tesJson(dataDir, ["delete", hash, "--yes"]);
}

/** Which process dies: the command, or the node that works for it. */
type Victim = "tes" | "node";

class Story {
  readonly #lab: Lab;
  readonly #identity: NodeSigner;
  readonly #fetcher: ChildInfo;
  readonly #pace: Pace;
  readonly #random: Random;
  readonly #say: (line: string) => void;
  /** Verified once; verified again at the end. */
  readonly #verified = new Set<string>();

  constructor(
    lab: Lab,
    parts: {
      readonly identity: NodeSigner;
      readonly fetcher: ChildInfo;
      readonly pace: Pace;
      readonly random: Random;
      readonly say: (line: string) => void;
    },
  ) {
    this.#lab = lab;
    this.#identity = parts.identity;
    this.#fetcher = parts.fetcher;
    this.#pace = parts.pace;
    this.#random = parts.random;
    this.#say = parts.say;
  }

  async publishAll(): Promise<void> {
    await this.create();
    await this.publish("tes");
    await this.publish("node");
    await this.store();
  }

  async create(): Promise<void> {
    const { home, folder } = this.#lab;
    const args = ["create", folder, "--title", this.#lab.title()];
    const killAfterMs = this.#moment("create: tes", this.#pace.createMs);
    const before = await listed(home);
    const ended = await runTes(home, args, { killAfterMs });
    const added = (await listed(home)).length - before.length;
    // Listed or not is luck; said to be done and not listed is not.
    assertTrue(added <= 1 && (ended.code !== 0 || added === 1));
    await this.#verifyNew(home);
    await tesJson(home, args);
    await this.#verifyNew(home);
  }

  async publish(victim: Victim): Promise<void> {
    const name = victim === "tes" ? undefined : "node-1";
    await this.#publishInterrupted(`publish: ${victim}`, name);
  }

  /** A holder dies while it may be receiving. The publisher goes on to others, and the holder comes back with all it promised. */
  async store(): Promise<void> {
    const [name] = shuffled(this.#lab.stores, this.#random);
    await this.#publishInterrupted(`publish: ${name}`, name);
  }

  /** Whatever was acknowledged before the death is served after it, and publishing again completes the rest. */
  async #publishInterrupted(
    what: string,
    name: string | undefined,
  ): Promise<void> {
    const { home } = this.#lab;
    const { hash } = await this.#lab.create();
    await this.#interrupt(what, {
      dataDir: home,
      args: ["publish", hash],
      undisturbedMs: this.#pace.publishMs,
      name,
    });
    await this.#acknowledged(hash);
    const again = await tesJson<Published>(home, ["publish", hash]);
    assertEquals(again.unplaced, []);
    assertTrue(await this.#acknowledged(hash) >= 24);
  }

  async fetch(victim: Victim): Promise<void> {
    const { dataDir, name } = this.#fetcher;
    const { created } = this.#lab.kept;
    await this.#interrupt(`fetch: ${victim}`, {
      dataDir,
      args: ["fetch", created.hash],
      undisturbedMs: this.#pace.fetchMs,
      name: victim === "tes" ? undefined : name,
    });
    for (const hash of await listed(dataDir)) {
      await tesJson(dataDir, ["verify", hash]);
    }
    await this.#lab.fetchAndCompare(dataDir, created);
    await forget(dataDir, created.hash);
  }

  async verifyAll(): Promise<void> {
    this.#verified.clear();
    await this.#verifyNew(this.#lab.home);
  }

  /** Runs a command; at a random moment it dies, or the process of that name does and comes back. */
  async #interrupt(
    what: string,
    { dataDir, args, undisturbedMs, name }: {
      readonly dataDir: string;
      readonly args: readonly string[];
      readonly undisturbedMs: number;
      readonly name: string | undefined;
    },
  ): Promise<void> {
    const momentMs = this.#moment(what, undisturbedMs);
    if (name === undefined) {
      await runTes(dataDir, args, { killAfterMs: momentMs });
      return;
    }
    const running = runTes(dataDir, ["--quiet", ...args]);
    await new Promise((wake) => setTimeout(wake, momentMs));
    await this.#lab.cluster.crash(name);
    const ended = await running;
    // It was done before, or it says in one sentence why not.
    if (ended.code !== 0) this.#say(`  ${sentenceOf(ended)}`);
    await this.#lab.restart(name);
  }

  async #acknowledged(hash: string): Promise<number> {
    const { home: dataDir, signal } = this.#lab;
    const identity = this.#identity;
    return await assertAcknowledgedServed({ dataDir, hash, identity }, signal);
  }

  async #verifyNew(dataDir: string): Promise<void> {
    for (const hash of await listed(dataDir)) {
      if (this.#verified.has(hash)) continue;
      await tesJson(dataDir, ["verify", hash]);
      this.#verified.add(hash);
    }
  }

  #moment(what: string, undisturbedMs: number): number {
    const momentMs = this.#random.below(Math.ceil(undisturbedMs));
    this.#say(`${what} dies after ${momentMs} of ${undisturbedMs | 0} ms`);
    return momentMs;
  }
}

if (import.meta.main) await longRun("sudden death", suddenDeath);
