/**
 * Days in which everything goes wrong at once, drawn from a seed: deaths at any operation, disks that fill, fail, rot and lose
 * files or their index, holders that lie, floods, two repairs at once, clocks that jump, and holders that go for good. The storm
 * itself takes no more than what may be lost: k fragments are left whole with honest holders.
 */
import { type Clock, codeOf, messageOf } from "@tesseras/core";
import { regard, repair } from "@tesseras/node";
import { never } from "@tesseras/testing/sim";
import { assertTrue } from "@tesseras/testing";
import { DAY_MS } from "../sim/caring.ts";
import type { Fate, Fault } from "./life.ts";
import { LIES, lying, type Mood } from "./liars.ts";
import { type Machine, Machines, type Running } from "./machines.ts";
import { fragmentOf, put, sender } from "./store_story.ts";
import type { Tally } from "./tally.ts";
import {
  assertFetched,
  caring,
  caringParts,
  publishFrom,
  publishing,
  type Treasure,
  treasure,
  until,
} from "./town.ts";

const HONEST = 8;
const LIARS = 2;
const STEPS = 14;
/** Quick days of calm afterwards, in which everything is to be made whole. */
const CALM_DAYS = 12;
/** Holders that may go for good; as many newcomers come. */
const GONE_MAX = 3;
const HOUR_MS = 3_600_000;
/** Requests of a flood. */
const FLOOD = 200;
/** Bytes of a file that is coded. */
const CODED_BYTES = 4_300_000;

/** How a storm is made. */
export type StormOrder = {
  readonly seed: number;
  readonly tally: Tally;
  /** Whether one of the tesseras is so large that it is coded. */
  readonly isCoded: boolean;
  /** Things that go wrong. */
  readonly steps?: number;
  /** Told what happens. */
  readonly say?: (line: string) => void;
};

/** A clock somebody keeps putting wrong. */
type Wandering = { offsetMs: number };

/** A machine of the storm. */
type Sailor = {
  readonly machine: Machine;
  readonly clock: Wandering;
  readonly mood: Mood | undefined;
};

/** Lives through a storm. @throws whatever was found to be wrong */
export async function storm(order: StormOrder): Promise<void> {
  order.tally.runs++;
  await using machines = new Machines(order.seed, order.tally);
  const weather = new Storm(order, machines);
  await weather.begin();
  const { steps = STEPS } = order;
  for (let step = 0; step < steps; step++) await weather.step();
  await weather.end();
}

class Storm {
  readonly #order: StormOrder;
  readonly #machines: Machines;
  readonly #sailors: Sailor[] = [];
  readonly #gone = new Set<Machine>();
  readonly #treasures: Treasure[] = [];
  readonly #floods: Promise<unknown>[] = [];
  #home: Machine | undefined;

  constructor(order: StormOrder, machines: Machines) {
    this.#order = order;
    this.#machines = machines;
  }

  async begin(): Promise<void> {
    const machines = this.#machines;
    const { seed, isCoded } = this.#order;
    await machines.add("entrance", ["bootstrap", "dht"]);
    for (let number = 1; number <= HONEST; number++) {
      await this.#sail(`holder ${number}`);
    }
    for (let number = 1; number <= LIARS; number++) {
      await this.#sail(`liar ${number}`, { manner: "honest" });
    }
    this.#home = await machines.add("home", [], { work: publishing });
    const sizes = isCoded ? [2_000, CODED_BYTES] : [2_000, 3_000];
    for (const [at, bytes] of sizes.entries()) {
      const made = await treasure(machines, this.#home, seed + at, bytes);
      await machines.run(publishFrom(this.#home, made.plan));
      this.#treasures.push(made);
    }
    await machines.pass(DAY_MS / 4);
    // Its owner is gone for good; what follows is between those who keep it.
    machines.kill(this.#home);
    this.#gone.add(this.#home);
  }

  /** One thing goes wrong, some time passes, and everything is looked at. */
  async step(): Promise<void> {
    const machines = this.#machines;
    const { random } = machines;
    const happenings = [
      () => this.#death(),
      () => this.#death(),
      () => this.#badDisk("full"),
      () => this.#badDisk("busy"),
      () => this.#badDisk("unreadable"),
      () => this.#harm(),
      () => this.#harm(),
      () => this.#loseIndex(),
      () => this.#lie(),
      () => this.#flood(),
      () => this.#twoRepair(),
      () => this.#clockJump(),
      () => this.#goForGood(),
    ];
    await happenings[random.below(happenings.length)]!();
    await machines.pass((1 + random.below(4)) * DAY_MS / 4);
    await machines.oracle.checkAll(machines.all);
    for (const { machine } of this.#sailors) {
      if (this.#gone.has(machine) || random.below(2) === 0) continue;
      machine.running?.life.disarm();
      if (await machines.revive(machine)) this.#say(`${machine.name} is back`);
    }
  }

  /** Nothing goes wrong any more, liars apart; and in the end everything is there. */
  async end(): Promise<void> {
    const machines = this.#machines;
    for (const { machine, clock } of this.#sailors) {
      machine.running?.life.disarm();
      clock.offsetMs = 0;
      if (!this.#gone.has(machine)) await machines.revive(machine);
    }
    await machines.run(Promise.allSettled(this.#floods));
    const patience = { everyMs: DAY_MS / 2, times: 2 * CALM_DAYS };
    const isCalm = await until(machines, patience, () => this.#isWhole());
    assertTrue(isCalm, "everything is made whole");
    await machines.oracle.checkAll(machines.all);
    for (const made of this.#treasures) await assertFetched(machines, made);
    const { tally } = this.#order;
    for (const { machine } of this.#sailors) {
      const { running } = machine;
      if (running === undefined) continue;
      tally.repairs += running.runtime.counters.get("repair.done");
    }
  }

  async #sail(name: string, mood?: Mood): Promise<Sailor> {
    const clock: Wandering = { offsetMs: 0 };
    const machine = await this.#machines.add(name, ["store"], {
      work: mood === undefined ? looking : () => {},
      clock: wrongBy(this.#machines.world.clock, clock),
      ...(mood && { change: lying(mood) }),
    });
    const sailor = { machine, clock, mood };
    this.#sailors.push(sailor);
    return sailor;
  }

  /** A process dies at one of its next operations. */
  #death(): Promise<void> {
    const machine = this.#one();
    const at = this.#machines.random.below(60);
    const fault = this.#machines.random.below(2) === 0 ? "before" : "after";
    this.#say(`${machine?.name} dies ${fault} operation ${at}`);
    machine?.running?.life.arm((now) => {
      if (now !== at) return undefined;
      this.#order.tally.operationsWalked++;
      this.#order.tally.kills++;
      return fault;
    });
    return Promise.resolve();
  }

  /** For a while every write, or one operation of ten, fails. */
  #badDisk(fault: "full" | "busy" | "unreadable"): Promise<void> {
    const machine = this.#one();
    if (machine === undefined) return Promise.resolve();
    this.#say(`the disk of ${machine.name} is ${fault}`);
    const random = this.#machines.random.fork();
    const late: Fault = random.below(2) === 0 ? "unanswered" : "busy";
    const fate: Fate = (_at, { of, writes }) => {
      if (fault === "full") return writes ? "full" : undefined;
      if (random.below(10) > 0) return undefined;
      if (fault === "busy") return writes ? late : "busy";
      return of === "blobs" && !writes ? "unreadable" : undefined;
    };
    machine.running?.life.arm(fate);
    return Promise.resolve();
  }

  /** A fragment rots, is cut off or vanishes, where that leaves enough. */
  async #harm(): Promise<void> {
    const machine = this.#one();
    if (machine === undefined) return;
    const { random } = this.#machines;
    const rows = await machine.state.fragments(undefined, 1_000, never);
    const row = rows[random.below(Math.max(1, rows.length))];
    if (row === undefined || !await this.#mayLose(machine)) return;
    const how = (["rot", "truncate", "lose"] as const)[random.below(3)]!;
    this.#say(`${machine.name}: ${how} fragment ${row.index}`);
    await this.#machines.harm(machine, row.blob, how);
  }

  async #loseIndex(): Promise<void> {
    const machine = this.#one();
    if (machine === undefined || !await this.#mayLose(machine)) return;
    this.#say(`${machine.name} loses its index`);
    this.#machines.kill(machine);
    await this.#machines.loseIndex(machine);
    await this.#machines.revive(machine);
  }

  #lie(): Promise<void> {
    const { random } = this.#machines;
    const liars = this.#sailors.filter(({ mood }) => mood !== undefined);
    const { machine, mood } = liars[random.below(liars.length)]!;
    mood!.manner = LIES[random.below(LIES.length)]!;
    this.#say(`${machine.name} ${mood!.manner}`);
    return Promise.resolve();
  }

  /** Somebody asks one holder for everything at once, and brings what is not worth keeping. */
  async #flood(): Promise<void> {
    const machine = this.#one();
    if (machine?.running === undefined) return;
    this.#say(`${machine.name} is flooded`);
    const rogue = await sender(this.#machines);
    const record = machine.running.node.record();
    const [{ plan }] = this.#treasures as [Treasure];
    for (let number = 0; number < FLOOD; number++) {
      const one = fragmentOf(3, 1 + number % 5, number % 7);
      const garbage = { ...one, content: one.content.map((byte) => byte ^ 1) };
      this.#floods.push(
        number % 4 === 0 ? put(rogue, machine, garbage) : rogue.peers.ask(
          record,
          { type: "attest", plan: plan.hash },
          {},
          never,
        ).catch(() => {}),
      );
    }
  }

  async #twoRepair(): Promise<void> {
    const { random } = this.#machines;
    const made = this.#treasures[random.below(this.#treasures.length)]!;
    const two = [this.#one(), this.#one()];
    this.#say(`${two.map((one) => one?.name).join(" and ")} repair at once`);
    await this.#machines.run(
      Promise.all(two.map((one) => repairAt(one?.running, made))),
    );
  }

  #clockJump(): Promise<void> {
    const { random } = this.#machines;
    const machine = this.#one();
    const sailor = this.#sailors.find((one) => one.machine === machine);
    if (sailor === undefined) return Promise.resolve();
    const hours = [-72, -24, -2, 0, 2, 24, 72][random.below(7)]!;
    sailor.clock.offsetMs = hours * HOUR_MS;
    this.#say(`the clock of ${machine!.name} is wrong by ${hours} h`);
    return Promise.resolve();
  }

  async #goForGood(): Promise<void> {
    const machine = this.#one();
    if (machine === undefined || this.#gone.size > GONE_MAX) return;
    if (!await this.#mayLose(machine)) return;
    this.#say(`${machine.name} is gone for good`);
    this.#machines.kill(machine);
    this.#gone.add(machine);
    await this.#sail(`newcomer ${this.#gone.size}`);
  }

  /** An honest machine that is there and has not been taken for good. */
  #one(): Machine | undefined {
    const there = this.#honest().filter(({ running }) => running !== undefined);
    return there[this.#machines.random.below(Math.max(1, there.length))];
  }

  #honest(): readonly Machine[] {
    return this.#sailors.filter(({ mood, machine }) =>
      mood === undefined && !this.#gone.has(machine)
    ).map(({ machine }) => machine);
  }

  /** Whether enough is left of everything when a machine loses all it has. */
  async #mayLose(machine: Machine): Promise<boolean> {
    for (const made of this.#treasures) {
      const left = await this.#wholeCount(made, machine);
      if (left < made.plan.dataCount) return false;
    }
    return true;
  }

  /** Whether honest holders have as much as a look would be content with. Liars may be taken for holders of some. */
  async #isWhole(): Promise<boolean> {
    for (const made of this.#treasures) {
      const { dataCount, fragments } = made.plan;
      const margin = fragments.length - dataCount;
      const count = await this.#wholeCount(made);
      if (count < dataCount + Math.floor(margin / 2)) return false;
    }
    return true;
  }

  /** Different fragments that are whole with honest holders, dead or alive. */
  async #wholeCount({ plan }: Treasure, without?: Machine): Promise<number> {
    const { oracle } = this.#machines;
    const honest = this.#honest().filter((one) => one !== without);
    const found = new Set<number>();
    for (const machine of honest) {
      for (const index of await oracle.wholeOf(machine, plan.hash)) {
        found.add(index);
      }
    }
    return found.size;
  }

  #say(line: string): void {
    this.#order.say?.(line);
  }
}

/** What an honest holder's process does by itself. */
function looking(running: Running): void {
  caring(running);
  const { node, archive, runtime } = running;
  node.spawn(async (signal) => {
    for (;;) {
      await runtime.clock.sleep(HOUR_MS, signal);
      try {
        await archive.sweep(HOUR_MS, signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
      }
    }
  });
}

async function repairAt(
  running: Running | undefined,
  { plan }: Treasure,
): Promise<void> {
  if (running === undefined) return;
  const parts = caringParts(running);
  try {
    const seen = await regard(parts, plan, "whole", never);
    if (seen.health.replicate.length + seen.rotten.length === 0) return;
    await repair(parts, seen, never);
  } catch (error) {
    // It died of it, or there was nobody to take anything.
    if (codeOf(error) === undefined) throw error;
  }
}

/** A clock that goes as another and shows another time. */
function wrongBy(clock: Clock, wandering: Wandering): Clock {
  return {
    nowMs: () => clock.nowMs() + wandering.offsetMs,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    deadline: (ms, parent) => clock.deadline(ms, parent),
  };
}

/** Lives through a storm. @returns what was wrong */
export async function stormProblem(
  order: StormOrder,
): Promise<string | undefined> {
  try {
    await storm(order);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
