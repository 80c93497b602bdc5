/** A world of holders and tesseras, and what became of it. */
import { nodeId, SeededRandom } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";
import { place } from "@tesseras/kad";
import { Calendar } from "./calendar.ts";
import { type Copy, Kept } from "./kept.ts";
import { Observer, type Surroundings, type Tally } from "./observer.ts";
import { DAY_MS, type Options, type Tier, YEAR_MS } from "./options.ts";
import { type Member, Population } from "./population.ts";

/** Any moment will do; this one is in 2027. */
const BEGAN_MS = 1_800_000_000_000;
/** How often the bytes on all disks are counted. */
const SAMPLED_MS = 7 * DAY_MS;

/** What became of a world. */
export type History = {
  readonly kept: readonly Kept[];
  readonly tally: Tally;
  readonly holdersLost: number;
  /** Holders the disaster killed. */
  readonly struck: number;
  readonly endedMs: number;
  /** Bytes on disks for each byte of coded tesseras: on average over time, and at worst. */
  readonly expansionMean: number;
  readonly expansionMax: number;
};

/** Lets a world pass. */
export function live(options: Options): History {
  const world = new World(options);
  return world.pass();
}

class World {
  readonly #options: Options;
  readonly #calendar = new Calendar(BEGAN_MS);
  readonly #random: SeededRandom;
  readonly #population: Population;
  readonly #kept: Kept[] = [];
  /** What each member looks after. */
  readonly #cares = new Map<Member, Set<Kept>>();
  readonly #tally: Tally = {
    lookCount: 0,
    repairCount: 0,
    madeCount: 0,
    doubleCount: 0,
    readBytes: 0,
    writtenBytes: 0,
    lostBytes: 0,
    releasedCount: 0,
    releasedLastCount: 0,
  };
  readonly #surroundings: Surroundings;
  #expansionSum = 0;
  #expansionMax = 0;
  #sampleCount = 0;

  constructor(options: Options) {
    this.#options = options;
    const random = new SeededRandom(options.seed);
    this.#random = random;
    this.#population = new Population(options, {
      random: random.fork(),
      calendar: this.#calendar,
      mourn: (member) => this.#mourn(member),
    });
    this.#surroundings = {
      options,
      calendar: this.#calendar,
      random: random.fork(),
      members: this.#population.members,
      tally: this.#tally,
      give: (kept, index, member) => this.#give(kept, index, member),
      leave: (kept, member) => this.#cares.get(member)?.delete(kept),
    };
    for (const tier of options.tiers) {
      for (let i = 0; i < tier.count; i++) this.#publish(tier);
    }
  }

  pass(): History {
    const { years, disaster } = this.#options;
    const endedMs = BEGAN_MS + years * YEAR_MS;
    let struck = 0;
    if (disaster) {
      this.#calendar.at(BEGAN_MS + years * YEAR_MS / 2, () => {
        struck = this.#population.strike();
      });
    }
    for (let atMs = BEGAN_MS; atMs < endedMs; atMs += SAMPLED_MS) {
      this.#calendar.at(atMs, () => this.#sample());
    }
    this.#calendar.run(endedMs);
    return {
      kept: this.#kept,
      tally: this.#tally,
      holdersLost: this.#population.goneCount,
      struck,
      endedMs,
      expansionMean: this.#expansionSum / Math.max(1, this.#sampleCount),
      expansionMax: this.#expansionMax,
    };
  }

  /** The owner places every fragment and is never heard of again. */
  #publish(tier: Tier): void {
    const key = nodeId(this.#random.bytes(NODE_ID_BYTES));
    const kept = new Kept(key, tier, this.#calendar.nowMs);
    this.#kept.push(kept);
    const indices = Array.from(
      { length: tier.dataCount + tier.parityCount },
      (_, index) => index,
    );
    const members = [...this.#population.members];
    const { assignments } = place(
      indices,
      members.map((contact) => ({ contact })),
      { key, perPeerMax: tier.dataCount === 1 ? 1 : indices.length },
    );
    for (const [index, member] of assignments) this.#give(kept, index, member);
  }

  #give(kept: Kept, index: number, member: Member): Copy {
    const copy = kept.add(index, member, this.#calendar.nowMs);
    const cares = this.#cares.get(member) ?? new Set();
    this.#cares.set(member, cares);
    if (!cares.has(kept)) {
      cares.add(kept);
      new Observer(member, kept, this.#surroundings);
    }
    return copy;
  }

  #mourn(member: Member): void {
    for (const kept of this.#cares.get(member) ?? []) {
      if (kept.isLost) continue;
      const count = kept.mourn(member, this.#calendar.nowMs);
      this.#tally.lostBytes += count * kept.shardBytes;
    }
    this.#cares.delete(member);
  }

  #sample(): void {
    let stored = 0, original = 0;
    for (const { isLost, tier, copies, shardBytes } of this.#kept) {
      if (isLost || tier.dataCount === 1) continue;
      stored += copies.size * shardBytes;
      original += tier.packBytes;
    }
    if (original === 0) return;
    const expansion = stored / original;
    this.#expansionSum += expansion;
    this.#expansionMax = Math.max(this.#expansionMax, expansion);
    this.#sampleCount++;
  }
}
