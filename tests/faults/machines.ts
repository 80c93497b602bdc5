/** Machines with disks that outlive their processes, on one seeded network under a virtual clock. */
import { Archive, checkStore } from "@tesseras/archive";
import { type Blobs, MemoryBlobs } from "@tesseras/blobs";
import {
  type Address,
  type Clock,
  codeOf,
  type Hash,
  type Runtime,
  SeededRandom,
  shuffled,
  VirtualClock,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import { mintNode, nobleMlDsa, type NodeSigner } from "@tesseras/crypto";
import { join, type Node } from "@tesseras/node";
import { MemoryState, type State } from "@tesseras/state";
import {
  type ChangeRoles,
  type Inhabitant,
  never,
  type SimRole,
  World,
} from "@tesseras/testing/sim";
import { FaultyBlobs, faultyState } from "./faulty.ts";
import { Life } from "./life.ts";
import { Oracle } from "./oracle.ts";
import type { Tally } from "./tally.ts";

/** Identities that worlds draw from: minting one takes longer than much of a walk. */
const IDENTITIES = 40;

/** A process that runs on a machine. */
export type Running = {
  readonly life: Life;
  readonly inhabitant: Inhabitant;
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
  readonly archive: Archive;
  readonly runtime: Runtime;
};

/** What a machine is told when it is set up. */
export type MachineOptions = {
  /** What its process does by itself, beside its roles. */
  readonly work?: (running: Running) => void;
  readonly clock?: Clock;
  readonly change?: ChangeRoles;
};

/** A disk, an identity, and the process that runs there if there is one. */
export class Machine {
  readonly name: string;
  readonly identity: NodeSigner;
  readonly address: Address;
  readonly roles: readonly SimRole[];
  readonly options: MachineOptions;
  readonly blobs = new MemoryBlobs();
  state = new MemoryState();
  running: Running | undefined;

  constructor(
    named: Pick<Machine, "name" | "identity" | "address" | "roles" | "options">,
  ) {
    this.name = named.name;
    this.identity = named.identity;
    this.address = named.address;
    this.roles = named.roles;
    this.options = named.options;
  }

  /** The process, which must be there. */
  get up(): Running {
    if (this.running === undefined) throw new Error(`${this.name} is down`);
    return this.running;
  }
}

/** See the beginning of this file. */
export class Machines implements AsyncDisposable {
  readonly world: World;
  readonly oracle: Oracle;
  readonly tally: Tally;
  readonly all: Machine[] = [];
  readonly random: SeededRandom;
  readonly #identities: readonly number[];
  readonly #ends: Promise<unknown>[] = [];

  constructor(seed: number, tally: Tally) {
    this.world = new World(seed);
    this.random = new SeededRandom(seed ^ 0x5eed);
    this.tally = tally;
    this.oracle = new Oracle(tally);
    const numbers = Array.from({ length: IDENTITIES }, (_, at) => at);
    this.#identities = shuffled(numbers, this.random);
  }

  /** Sets up a machine and starts its process, which joins through the first. */
  async add(
    name: string,
    roles: readonly SimRole[],
    options: MachineOptions = {},
  ): Promise<Machine> {
    const number = this.all.length;
    const identity = await identityOf(this.#identities[number]!);
    const address = { ip: `21.0.${number + 1}.7`, port: 4433 };
    const machine = new Machine({ name, identity, address, roles, options });
    this.all.push(machine);
    await this.start(machine);
    return machine;
  }

  /** Starts a process on what the disk has. */
  async start(machine: Machine): Promise<void> {
    const { identity, address, options } = machine;
    const { oracle } = this;
    const life = new Life({
      clock: this.world.clock,
      random: this.random.fork(),
      onDeath: () => this.#bury(machine),
      onFault: (operation, fault) =>
        this.oracle.fault(machine, operation, fault),
    });
    const state = faultyState(machine.state, life);
    const blobs = new FaultyBlobs(machine.blobs, life);
    const inhabitant = await this.world.add(machine.roles, {
      identity,
      address,
      state,
      blobs: machine.blobs,
      store: { blobs },
      ...(options.clock && { clock: options.clock }),
      change: (roles, node) => {
        const changed = options.change?.(roles, node) ?? roles;
        return oracle.watch(machine, life, changed);
      },
    });
    const { node, runtime } = inhabitant;
    const suite = nobleMlDsa;
    const archive = new Archive({ state, blobs, suite, runtime });
    const running = { life, inhabitant, node, state, blobs, archive, runtime };
    machine.running = running;
    // A process whose background work fails for good ends, and is started again by whoever looks after it.
    node.failed.then(() => life.die());
    const [first] = this.all;
    const entries = first === undefined || first === machine
      ? []
      : [first.address];
    await this.run(this.#join(running, entries));
    if (!life.isDead) options.work?.(running);
  }

  /** The process dies now. */
  kill(machine: Machine): void {
    machine.running?.life.die();
  }

  /** Starts a process where there is none. @returns whether there was none */
  async revive(machine: Machine): Promise<boolean> {
    if (machine.running !== undefined) return false;
    await this.run(Promise.allSettled(this.#ends));
    await this.start(machine);
    this.tally.restarts++;
    await this.run(this.oracle.answers(machine));
    return true;
  }

  /** The database of a machine that is down is gone, and made anew from what lies on its disk. */
  async loseIndex(machine: Machine): Promise<void> {
    machine.state = new MemoryState();
    const { clock } = this.world;
    const { runtime } = this.all[0]!.up;
    const parts = {
      state: machine.state,
      blobs: machine.blobs,
      suite: nobleMlDsa,
      runtime: { ...runtime, clock },
    };
    const order = { repair: true, onProgress: () => {} };
    await this.run(checkStore(parts, order, never));
    await this.oracle.madeAnew(machine);
  }

  /** Something happens to a blob that no process did. */
  async harm(
    machine: Machine,
    blob: Hash,
    how: "rot" | "truncate" | "lose",
  ): Promise<boolean> {
    const bytes = await machine.blobs.size(blob, never);
    if (bytes === undefined || bytes === 0) return false;
    this.oracle.harmed(machine, blob);
    if (how === "rot") machine.blobs.rot(blob, this.random.below(bytes));
    else if (how === "truncate") {
      machine.blobs.truncate(blob, this.random.below(bytes));
    } else await machine.blobs.remove(blob, never);
    return true;
  }

  /** Moves time until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.run(promise);
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.all) machine.running?.life.disarm();
    await this.run(Promise.allSettled(this.#ends));
    await this.world[Symbol.asyncDispose]();
  }

  async #join({ node }: Running, entries: readonly Address[]): Promise<void> {
    try {
      await join(node, entries, never);
    } catch (error) {
      // The entrance may be down just now; others know us.
      if (codeOf(error) === undefined) throw error;
    }
  }

  #bury(machine: Machine): void {
    const { running, address } = machine;
    if (running === undefined) return;
    machine.running = undefined;
    this.world.network.crash(address);
    // Why it ended does not matter any more.
    this.#ends.push(running.node[Symbol.asyncDispose]().catch(() => {}));
  }
}

const identities = new Map<number, Promise<NodeSigner>>();

function identityOf(number: number): Promise<NodeSigner> {
  const known = identities.get(number);
  if (known !== undefined) return known;
  const made = mintNode(
    new SeededRandom(number).bytes(32),
    { powBits: POW_BITS_MIN, clock: new VirtualClock() },
    never,
  );
  identities.set(number, made);
  return made;
}
