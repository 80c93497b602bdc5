/** A small Internet of routers for tests: an introducer in public, and hosts behind NATs that it knows. */
import {
  type Address,
  codeOf,
  SeededRandom,
  VirtualClock,
} from "@tesseras/core";
import { Punch } from "@tesseras/nat";
import { assertTrue } from "@tesseras/testing";
import { type NatBehaviour, type SimNat, SimNetwork } from "./sim.ts";
import type { Connection, Transport } from "./transport.ts";

/** Never aborts. */
export const never = new AbortController().signal;
/** From anywhere to anywhere, one way. */
export const LATENCY_MS = 25;
/** Where everybody behind a router lives. */
export const INSIDE = { ip: "192.168.1.2", port: 4433 };
/** In public. */
export const INTRODUCER = { ip: "203.0.113.1", port: 4433 };

/** Somebody behind a router, or without one, and where the introducer sees it. */
export type Host = {
  readonly transport: Transport;
  readonly nat: SimNat | undefined;
  readonly seenAt: Address;
  readonly toIntroducer: Connection;
};

/** A public introducer, and hosts that are connected to it. */
export class Lab implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly network: SimNetwork;
  readonly introducer: Transport;
  readonly #opened: Transport[] = [];
  #hosts = 0;
  #marks = 0;

  constructor(seed = 1) {
    const random = new SeededRandom(seed);
    this.network = new SimNetwork({
      clock: this.clock,
      random,
      latencyMs: LATENCY_MS,
    });
    this.introducer = this.open(INTRODUCER);
  }

  /** A byte unlike those before. */
  mark(): number {
    return ++this.#marks & 255;
  }

  open(address: Address, nat?: SimNat): Transport {
    const identity = { publicKey: new Uint8Array(32) };
    const transport = this.network.transport({ identity, address, nat });
    this.#opened.push(transport);
    return transport;
  }

  router(behaviour: NatBehaviour): SimNat {
    const number = ++this.#hosts;
    return this.network.nat(`nat${number}`, `198.51.${number}.1`, behaviour);
  }

  /** A host that the introducer knows. */
  async host(
    behaviour: NatBehaviour | undefined,
    nat = behaviour && this.router(behaviour),
    inside = INSIDE,
  ): Promise<Host> {
    const address = nat
      ? inside
      : { ip: `192.0.2.${++this.#hosts}`, port: 4433 };
    const transport = this.open(address, nat);
    const toIntroducer = await this.clock.run(
      transport.dial(INTRODUCER, "anyone", never),
    );
    const seen = await this.clock.run(this.introducer.accept(never));
    return { transport, nat, seenAt: seen!.remote, toIntroducer };
  }

  /** What one dial comes to within 5 s. */
  async dial(from: Host, to: Address): Promise<Connection | undefined> {
    using deadline = this.clock.deadline(5_000, never);
    try {
      return await this.clock.run(
        from.transport.dial(to, "anyone", deadline.signal),
      );
    } catch (error) {
      assertTrue(codeOf(error) === "timeout", String(error));
      return undefined;
    }
  }

  /** Both dial where the introducer sees the other, the second so much later; milliseconds until either dial stands. */
  async punch(a: Host, b: Host, skewMs = 0): Promise<number | undefined> {
    const startMs = this.clock.monotonicMs();
    const stop = new AbortController();
    const times: number[] = [];
    const side = (from: Host, to: Host, atMs: number) =>
      attempts(new Punch(atMs, false), {
        clock: this.clock,
        signal: stop.signal,
        dial: async (signal) => {
          await from.transport.dial(to.seenAt, "anyone", signal);
          times.push(this.clock.monotonicMs() - startMs);
          stop.abort();
        },
      });
    await this.clock.run(Promise.all([
      side(a, b, startMs),
      side(b, a, startMs + skewMs),
    ]));
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const transport of this.#opened) {
      await transport[Symbol.asyncDispose]();
    }
  }
}

/** Carries a punch out until it is given up or stopped. */
async function attempts(
  punch: Punch,
  { clock, signal, dial }: {
    readonly clock: VirtualClock;
    readonly signal: AbortSignal;
    readonly dial: (signal: AbortSignal) => Promise<void>;
  },
): Promise<void> {
  const dials: Promise<void>[] = [];
  const expected = (error: unknown): void => {
    assertTrue(codeOf(error) !== undefined, String(error));
  };
  using life = clock.deadline(6_000, signal);
  for (;;) {
    const step = punch.next(clock.monotonicMs());
    if (step.do === "giveUp" || life.signal.aborted) break;
    if (step.do === "dial") dials.push(dial(life.signal).catch(expected));
    if (step.do === "wait") {
      await clock.sleep(step.ms, life.signal).catch(expected);
    }
  }
  await Promise.all(dials);
}

/** Sends a byte over a connection and says whether it arrives within so long. */
export async function passes(
  lab: Lab,
  from: Connection,
  to: Connection,
  withinMs: number,
): Promise<boolean> {
  using deadline = lab.clock.deadline(withinMs, never);
  // What an earlier call sent may arrive only now.
  const mark = lab.mark();
  const pass = async (): Promise<boolean> => {
    const stream = await from.open(deadline.signal);
    await stream.write(Uint8Array.of(mark), deadline.signal);
    for (;;) {
      const arrived = await to.accept(deadline.signal);
      if (arrived === undefined) return false;
      const bytes = await arrived.read(deadline.signal);
      if (bytes?.[0] === mark) return true;
    }
  };
  try {
    return await lab.clock.run(pass());
  } catch (error) {
    assertTrue(
      codeOf(error) === "timeout" || codeOf(error) === "unreachable",
      String(error),
    );
    return false;
  }
}

/** A connection a host behind this router dialled to the introducer, both ends. */
export async function dialled(lab: Lab, behaviour: NatBehaviour) {
  const nat = lab.router(behaviour);
  const transport = lab.open(INSIDE, nat);
  const near = await lab.clock.run(transport.dial(INTRODUCER, "anyone", never));
  const far = await lab.clock.run(lab.introducer.accept(never));
  assertTrue(far !== undefined);
  return { nat, near, far };
}
