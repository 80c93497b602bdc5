/** A small world for the tests of this folder: nodes on a seeded network under a virtual clock. */
import { type Address, SeededRandom, VirtualClock } from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import type { NodeRecord, Ping } from "@tesseras/wire";
import type { Answer } from "./ask.ts";
import type { Self } from "./hello.ts";
import {
  identityOf,
  never,
  type NodeOptions,
  recordOf,
  runtimeOn,
  type SeenRuntime,
  startNode,
  TestNode,
} from "./node_for_tests.ts";
import { type SimNat, SimNetwork, type SimOptions } from "./sim.ts";
import type { Transport } from "./transport.ts";

/** A transport with an identity and nothing behind it. */
export type BareNode = {
  readonly transport: Transport;
  readonly self: Self;
  readonly runtime: SeenRuntime;
};

/** A seeded network under a virtual clock, and its nodes. */
export class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly #opened: AsyncDisposable[] = [];

  constructor(seed: number, options: Partial<SimOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork({
      clock: this.clock,
      random: this.random.fork(),
      ...options,
    });
  }

  /** The address of a node that was started with this seed. */
  addressOf(seed: number): Address {
    return { ip: `203.0.${113 + (seed >> 8)}.${seed & 255}`, port: 4433 };
  }

  /** Starts a node at an address of its own; behind a NAT it is one that nobody outside knows. */
  async node(
    seed: number,
    options: NodeOptions = {},
    nat?: SimNat,
  ): Promise<TestNode> {
    const node = await startNode({
      seed,
      options,
      runtime: runtimeOn(this.clock, this.random.fork()),
      open: (identity, admit) =>
        Promise.resolve(
          this.network.transport({
            identity,
            address: nat
              ? { ip: `10.0.0.${seed}`, port: 4433 }
              : this.addressOf(seed),
            admit,
            nat,
          }),
        ),
    });
    this.#opened.push(node);
    return node;
  }

  /** An identity without a node behind it: for peers that do not behave. */
  async bare(seed: number): Promise<BareNode> {
    const identity = await identityOf(seed);
    const address = this.addressOf(seed);
    const transport = this.network.transport({ identity, address });
    this.#opened.push(transport);
    const record = recordOf(identity, [address], this.clock.nowMs());
    return {
      transport,
      self: { identity, record: () => record, powBits: POW_BITS_MIN },
      runtime: runtimeOn(this.clock, this.random.fork()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#opened.map((each) => each[Symbol.asyncDispose]());
    await this.clock.run(Promise.all(closing));
  }
}

/** Asks whether a node is there. */
export function askPing(
  from: TestNode,
  to: NodeRecord,
  signal = never,
): Promise<Answer<Ping>> {
  return from.peers.ask(to, { type: "ping" }, {}, signal);
}

/** Starts as many nodes as wanted, from seed 1 on. */
export async function startNodes(
  world: World,
  count: number,
): Promise<TestNode[]> {
  const started: TestNode[] = [];
  for (let seed = 1; seed <= count; seed++) {
    started.push(await world.node(seed));
  }
  return started;
}
