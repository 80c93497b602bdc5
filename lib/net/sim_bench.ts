/** How fast a simulated network runs, beside the clock alone that drives it: `deno run -A lib/net/sim_bench.ts`. */
import { report } from "@tesseras/bench";
import { type Address, SeededRandom, VirtualClock } from "@tesseras/core";
import { SimNetwork } from "./sim.ts";
import type { Connection, Transport } from "./transport.ts";

const never = new AbortController().signal;
const REQUEST_COUNT = 20_000;
const PAIR_COUNT = 100;
/** Messages of one request: it and its end, the answer and its end, and the place given back. */
const MESSAGES_PER_REQUEST = 5;

function addressOf(index: number): Address {
  return { ip: `10.0.${index >> 8}.${index & 255}`, port: 4433 };
}

async function serve(transport: Transport): Promise<void> {
  const connection = await transport.accept(never);
  for (;;) {
    const stream = await connection?.accept(never);
    if (stream === undefined) return;
    const request = await stream.read(never);
    await stream.write(request!.slice(), never);
    await stream.finish(never);
    while (await stream.read(never));
  }
}

async function ask(connection: Connection, count: number): Promise<void> {
  for (let asked = 0; asked < count; asked++) {
    const stream = await connection.open(never);
    await stream.write(new Uint8Array(100), never);
    await stream.finish(never);
    while (await stream.read(never));
  }
  connection.close(0, "done");
}

async function requestRate(): Promise<number> {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const latencyMs = [5, 50] as const;
  const network = new SimNetwork({ clock, random, latencyMs });
  const identity = { publicKey: new Uint8Array(32) };
  const serving: Promise<void>[] = [];
  const connections: Connection[] = [];
  for (let index = 0; index < PAIR_COUNT; index++) {
    const near = network.transport({ identity, address: addressOf(2 * index) });
    const address = addressOf(2 * index + 1);
    serving.push(serve(network.transport({ identity, address })));
    connections.push(await clock.run(near.dial(address, "anyone", never)));
  }
  const startMs = performance.now();
  const asking = connections.map((connection) =>
    ask(connection, REQUEST_COUNT / PAIR_COUNT)
  );
  await clock.run(Promise.all([...asking, ...serving]));
  return REQUEST_COUNT * 1_000 / (performance.now() - startMs);
}

/** The same number of moments in time, with nothing happening in them. */
async function momentRate(): Promise<number> {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const moments = REQUEST_COUNT * MESSAGES_PER_REQUEST;
  for (let count = 0; count < moments; count++) {
    clock.after(random.below(1_000_000) / 1_000, () => {});
  }
  const startMs = performance.now();
  await clock.advance(1_000);
  return REQUEST_COUNT * 1_000 / (performance.now() - startMs);
}

const reference = await momentRate();
report({ name: "sim.requests", value: await requestRate() }, "/s", {
  name: "five empty moments of the virtual clock",
  value: reference,
});
