import fc from "fast-check";
import {
  type Address,
  codeOf,
  concat,
  mapBounded,
  SeededRandom,
  VirtualClock,
} from "@tesseras/core";
import { DIAL_GIVE_UP_MS, MIB } from "@tesseras/core/limits";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import {
  SIM_IDLE_MS,
  type SimEvent,
  SimNetwork,
  type SimOptions,
} from "./sim.ts";
import { CLOSED_LOST, type Connection, type Stream } from "./transport.ts";

const never = new AbortController().signal;
const ANNA: Address = { ip: "192.0.2.1", port: 4433 };
const BERT: Address = { ip: "198.51.100.1", port: 4433 };
const CLIO: Address = { ip: "203.0.113.1", port: 4433 };

/** A network with Anna, who dialled Bert, under a clock that `run` moves. */
async function pairOn(options: Partial<SimOptions> = {}, seed = 7) {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const network = new SimNetwork({ clock, random, ...options });
  const [anna, bert] = [ANNA, BERT].map((address) =>
    network.transport(nodeAt(address))
  );
  const [near, far] = await clock.run(Promise.all([
    anna!.dial(BERT, "anyone", never),
    bert!.accept(never),
  ]));
  return { clock, network, anna: anna!, bert: bert!, near, far: far! };
}

function nodeAt(address: Address) {
  return { identity: { publicKey: new Uint8Array(32) }, address };
}

async function streamOf(
  near: Connection,
  far: Connection,
): Promise<{ near: Stream; far: Stream }> {
  const stream = await near.open(never);
  await stream.write(Uint8Array.of(33), never);
  const other = await far.accept(never);
  assertEquals((await other!.read(never))?.length, 1);
  return { near: stream, far: other! };
}

async function readAll(stream: Stream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await stream.read(never);
    if (part === undefined) return concat(parts);
    parts.push(part.slice());
  }
}

Deno.test("a dial takes one round trip, and the answerer hears of it half a round trip later", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const network = new SimNetwork({ clock, random, latencyMs: 50 });
  const anna = network.transport(nodeAt(ANNA));
  const bert = network.transport(nodeAt(BERT));
  await clock.run(anna.dial(BERT, "anyone", never));
  assertEquals(clock.monotonicMs(), 100);
  await clock.run(bert.accept(never));
  assertEquals(clock.monotonicMs(), 150);
});

Deno.test("a dial to nobody is given up after 30 s of virtual time", async () => {
  const { clock, anna } = await pairOn();
  const startMs = clock.monotonicMs();
  await assertRejectsCode(
    clock.run(anna.dial(CLIO, "anyone", never)),
    "unreachable",
  );
  assertEquals(clock.monotonicMs() - startMs, DIAL_GIVE_UP_MS);
});

Deno.test("one address has one node, and a crashed one makes room", async () => {
  const { network } = await pairOn();
  assertThrowsCode(() => network.transport(nodeAt(ANNA)), "inUse");
  assertEquals(network.nodeCount, 2);
  network.crash(ANNA);
  assertEquals(network.nodeCount, 1);
  network.transport(nodeAt(ANNA));
  network.crash(CLIO);
  assertEquals(network.nodeCount, 2);
});

Deno.test("a crash is silent: its peer notices 30 s later, itself at once", async () => {
  const { clock, network, near, far, bert } = await pairOn();
  const { near: stream } = await clock.run(streamOf(near, far));
  const reading = assertRejectsCode(stream.read(never), "unreachable");
  const startMs = clock.monotonicMs();
  network.crash(BERT);
  assertEquals((await clock.run(far.closed)).code, CLOSED_LOST);
  assertEquals(await clock.run(bert.accept(never)), undefined);
  assertEquals(clock.monotonicMs(), startMs);
  assertEquals((await clock.run(near.closed)).code, CLOSED_LOST);
  assertEquals(clock.monotonicMs() - startMs, SIM_IDLE_MS);
  await clock.run(reading);
});

Deno.test("a node that crashed comes back at its address", async () => {
  const { clock, network, anna } = await pairOn();
  network.crash(BERT);
  const bert = network.transport(nodeAt(BERT));
  const [near, far] = await clock.run(
    Promise.all([anna.dial(BERT, "anyone", never), bert.accept(never)]),
  );
  await clock.run(streamOf(near, far!));
});

Deno.test("what a short partition held back arrives in order after it", async () => {
  const { clock, network, near, far } = await pairOn({ latencyMs: 20 });
  const { near: stream, far: other } = await clock.run(streamOf(near, far));
  await stream.write(Uint8Array.of(1), never);
  await clock.advance(10);
  network.partition([ANNA], [BERT]);
  await stream.write(Uint8Array.of(2), never);
  await clock.advance(1_000);
  await stream.write(Uint8Array.of(3), never);
  network.heal();
  await stream.write(Uint8Array.of(4), never);
  await stream.finish(never);
  assertEquals(await clock.run(readAll(other)), Uint8Array.of(1, 2, 3, 4));
});

Deno.test("connections across a partition die after 30 s, others live on", async () => {
  const { clock, network, anna, near, far } = await pairOn();
  const clio = network.transport(nodeAt(CLIO));
  const [toClio, atClio] = await clock.run(
    Promise.all([anna.dial(CLIO, "anyone", never), clio.accept(never)]),
  );
  network.partition([ANNA], [BERT]);
  const dial = anna.dial(BERT, "anyone", never);
  await assertRejectsCode(clock.run(dial), "unreachable");
  await clock.advance(1);
  assertEquals((await near.closed).code, CLOSED_LOST);
  assertEquals((await far.closed).code, CLOSED_LOST);
  network.heal();
  await clock.run(streamOf(toClio, atClio!));
  await clock.run(anna.dial(BERT, "anyone", never));
});

Deno.test("a partition that heals in time kills nothing, not even later", async () => {
  const { clock, network, near, far } = await pairOn();
  network.partition([ANNA], [BERT]);
  await clock.advance(SIM_IDLE_MS - 1);
  network.heal();
  await clock.advance(10 * SIM_IDLE_MS);
  await clock.run(streamOf(near, far));
});

Deno.test("a close that a partition swallows is noticed by silence", async () => {
  const { clock, network, near, far } = await pairOn();
  network.partition([ANNA], [BERT]);
  near.close(3, "nobody hears this");
  assertEquals((await clock.run(far.closed)).code, CLOSED_LOST);
});

Deno.test("a link that loses everything kills its connections, a bad one only slows them", async () => {
  const { clock, network, near, far } = await pairOn({ latencyMs: 10 });
  const { near: stream, far: other } = await clock.run(streamOf(near, far));
  network.setLink(ANNA, BERT, { lossRate: 0.3 });
  const startMs = clock.monotonicMs();
  await stream.write(new Uint8Array(1_000_000), never);
  await stream.finish(never);
  const got = await clock.run(readAll(other));
  assertEquals(got.length, 1_000_000);
  assertTrue(clock.monotonicMs() - startMs > 3 * 10, "loss costs time");
  network.setLink(ANNA, BERT, { lossRate: 1 });
  await other.write(Uint8Array.of(1), never);
  assertEquals((await clock.run(near.closed)).code, CLOSED_LOST);
  assertEquals((await clock.run(far.closed)).code, CLOSED_LOST);
});

Deno.test("a link may have a latency of its own", async () => {
  const { clock, network, anna } = await pairOn({ latencyMs: 20 });
  network.transport(nodeAt(CLIO));
  network.setLink(CLIO, ANNA, { latencyMs: 200 });
  const startMs = clock.monotonicMs();
  await clock.run(anna.dial(CLIO, "anyone", never));
  assertEquals(clock.monotonicMs() - startMs, 400);
});

Deno.test("a node's uplink is shared by everything it sends", async () => {
  const { clock, near, far } = await pairOn({
    bytesPerSecond: MIB,
    latencyMs: 10,
  });
  const startMs = clock.monotonicMs();
  await clock.run(mapBounded([1, 2], 2, async () => {
    const stream = await near.open(never);
    const other = far.accept(never);
    const reading = other.then((stream) => readAll(stream!));
    await stream.write(new Uint8Array(MIB), never);
    await stream.finish(never);
    await reading;
  }, never));
  const tookMs = clock.monotonicMs() - startMs;
  assertTrue(tookMs >= 2_000 && tookMs < 2_100, `${tookMs} ms`);
});

Deno.test("streams overtake each other, bytes of one never do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const { clock, near, far } = await pairOn({ latencyMs: [1, 80] }, seed);
      const order: number[] = [];
      await clock.run(mapBounded([0, 1, 2, 3, 4, 5], 6, async (number) => {
        const stream = await near.open(never);
        for (let count = 0; count < 8; count++) {
          await stream.write(Uint8Array.of(number, count), never);
        }
        await stream.finish(never);
        const other = await far.accept(never);
        const got = await readAll(other!);
        order.push(got[0]!);
        const counts = [...got].filter((_, at) => at % 2 === 1);
        assertEquals(counts, [0, 1, 2, 3, 4, 5, 6, 7]);
      }, never));
      assertEquals([...order].sort(), [0, 1, 2, 3, 4, 5]);
    }),
    { numRuns: 20 },
  );
});

/** Some nodes that dial, write and crash under bad weather; returns the trace as text. */
async function history(seed: number): Promise<string> {
  const lines: string[] = [];
  const trace = (event: SimEvent) =>
    void lines.push(Object.values(event).join(" "));
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const latencyMs = [5, 120] as const;
  const network = new SimNetwork({
    clock,
    random: random.fork(),
    latencyMs,
    lossRate: 0.05,
    trace,
  });
  const addresses = Array.from({ length: 12 }, (_, index) => ({
    ip: `192.0.2.${index + 1}`,
    port: 4433,
  }));
  const nodes = addresses.map((address) => network.transport(nodeAt(address)));
  const serving = nodes.map((node) => serveAll(node.accept.bind(node)));
  const asking = mapBounded(addresses, 12, async (address, signal) => {
    for (let count = 0; count < 4; count++) {
      const from = nodes[random.below(nodes.length)]!;
      using deadline = clock.deadline(2_000, signal);
      try {
        const connection = await from.dial(address, "anyone", deadline.signal);
        const stream = await connection.open(deadline.signal);
        await stream.write(random.bytes(3_000), deadline.signal);
        await stream.finish(deadline.signal);
        while (await stream.read(deadline.signal));
      } catch (error) {
        lines.push(`${clock.monotonicMs()} ${codeOf(error)}`);
      }
    }
  }, never);
  const faults = (async () => {
    await clock.sleep(300, never);
    network.partition(addresses.slice(0, 4), addresses.slice(4));
    await clock.sleep(500, never);
    network.heal();
    network.crash(addresses[11]!);
  })();
  await clock.run(Promise.all([asking, faults]));
  await clock.run(
    Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())),
  );
  await clock.run(Promise.all(serving));
  return lines.join("\n");
}

async function serveAll(
  accept: (signal: AbortSignal) => Promise<Connection | undefined>,
): Promise<void> {
  const echoing: Promise<void>[] = [];
  for (;;) {
    const connection = await accept(never);
    if (connection === undefined) break;
    echoing.push(echo(connection));
  }
  await Promise.all(echoing);
}

async function echo(connection: Connection): Promise<void> {
  for (;;) {
    const stream = await connection.accept(never);
    if (stream === undefined) return;
    try {
      await stream.write(await readAll(stream), never);
      await stream.finish(never);
    } catch (error) {
      assertTrue(["unreachable", "refused"].includes(codeOf(error)!));
    }
  }
}

Deno.test("one seed has one history, another seed another", async () => {
  const [first, again, other] = [
    await history(42),
    await history(42),
    await history(43),
  ];
  assertTrue(first.split("\n").length > 200, "something happens");
  assertTrue(/timeout/.test(first), "and some of it goes wrong");
  assertTrue(first === again, "the same trace, byte for byte");
  assertTrue(first !== other);
});

Deno.test("10,000 nodes stand in one process, and what is idle costs no timer", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const network = new SimNetwork({ clock, random });
  const nodes = Array.from(
    { length: 10_000 },
    (_, index) =>
      network.transport(nodeAt({
        ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
        port: 4433,
      })),
  );
  const dials = nodes.slice(1, 1_001).map((node) =>
    node.dial(nodes[0]!.local, "anyone", never)
  );
  const connections = await clock.run(Promise.all(dials));
  assertEquals(network.nodeCount, 10_000);
  const startMs = clock.monotonicMs();
  await clock.advance(24 * 3_600_000);
  assertEquals(clock.monotonicMs() - startMs, 24 * 3_600_000);
  const alive = await connections[0]!.open(never);
  await alive.write(Uint8Array.of(1), never);
});
