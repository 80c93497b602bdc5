import { assertEquals, assertTrue } from "@tesseras/testing";
import { orAbort, RecordingLog, TesserasError } from "@tesseras/core";
import { type Inhabitant, World } from "@tesseras/testing/sim";
import { stayJoined } from "./joining.ts";
import { type Source, SOURCE_NAMES, type SourceName } from "./sources.ts";

/** What a source gives when it is asked. */
type Gives = () => ReturnType<Source["entries"]>;

const fails: Gives = () =>
  Promise.reject(new TesserasError("unreachable", "Cannot ask: nobody there"));
const nothing: Gives = () => Promise.resolve([]);

/** A node alone in a world with a seed, whose sources say when they are asked. */
async function lonely(seed: number) {
  const world = new World(seed);
  const entry = await world.add([]);
  const alone = await world.add([]);
  const startMs = world.clock.monotonicMs();
  const asked: [SourceName, number][] = [];
  const sources = (gives: Partial<Record<SourceName, Gives>>): Source[] =>
    SOURCE_NAMES.filter((name) => gives[name] !== undefined).map((name) => ({
      name,
      isAtHand: name === "saved" || name === "configured",
      entries: (signal) => {
        asked.push([name, world.clock.monotonicMs() - startMs]);
        return orAbort(gives[name]!(), signal);
      },
    }));
  const presence: boolean[] = [];
  const stay = (list: readonly Source[], isSeed = false) => {
    alone.node.spawn((signal) =>
      stayJoined(
        { node: alone.node, sources: list, isSeed },
        (is) => presence.push(is),
        signal,
      )
    );
  };
  const seedWay: Gives = () => Promise.resolve([entry.address]);
  return { world, alone, asked, sources, presence, stay, seedWay };
}

const eventsOf = ({ runtime: { log } }: Inhabitant, name: string) => {
  assertTrue(log instanceof RecordingLog);
  return log.events.filter(({ event }) => event === name);
};

Deno.test("the sources are asked in their order, and a slow one holds up the next by two seconds and no more", async () => {
  const parts = await lonely(1);
  await using world = parts.world;
  const silent: Gives = () => new Promise(() => {});
  parts.stay(parts.sources({
    saved: silent,
    configured: fails,
    dns: silent,
    directory: silent,
    mdns: parts.seedWay,
  }));
  await world.clock.advance(8_000);
  assertEquals(parts.asked, [
    ["saved", 0],
    ["configured", 0],
    ["dns", 2_000],
    ["directory", 4_000],
    ["mdns", 6_000],
  ]);
  assertEquals(parts.presence, [true]);
  const { counters } = parts.alone.runtime;
  assertEquals(counters.get("source.mdns_joined"), 1);
  assertEquals(counters.get("source.configured_failed"), 1);
  const [joined] = eventsOf(parts.alone, "network.joined");
  assertEquals(joined?.fields.source, "mdns");
});

Deno.test("sources that fail at once hold up nobody, and none is asked once somebody has let us in", async () => {
  const parts = await lonely(2);
  await using world = parts.world;
  parts.stay(parts.sources({
    saved: nothing,
    configured: fails,
    dns: parts.seedWay,
    directory: parts.seedWay,
    mdns: parts.seedWay,
  }));
  await world.clock.advance(10_000);
  assertEquals(parts.asked, [["saved", 0], ["configured", 0], ["dns", 0]]);
  assertEquals(parts.presence, [true]);
  assertEquals(eventsOf(parts.alone, "network.unreachable"), []);
});

Deno.test("when every source fails one sentence names them all and says what to do, and each is tried again", async () => {
  const parts = await lonely(3);
  await using world = parts.world;
  parts.stay(parts.sources({
    saved: nothing,
    configured: fails,
    dns: fails,
    directory: fails,
    mdns: nothing,
  }));
  await world.clock.advance(200);
  const [event, ...others] = eventsOf(parts.alone, "network.unreachable");
  assertEquals(others, []);
  assertEquals(
    event?.fields.reason,
    "Cannot join a network (configured: Cannot ask: nobody there; dns: Cannot ask: nobody there; " +
      "directory: Cannot ask: nobody there): check that this machine is online, or name a node that runs with --bootstrap HOST:PORT",
  );
  assertEquals(parts.presence, [false]);
  await world.clock.advance(500);
  assertEquals(parts.asked.length, 10);
  assertEquals(parts.alone.runtime.counters.get("source.dns_failed"), 2);
});

Deno.test("a node with no source but its empty past says the same", async () => {
  const parts = await lonely(4);
  await using world = parts.world;
  parts.stay(parts.sources({ saved: nothing }));
  await world.clock.advance(200);
  const [event] = eventsOf(parts.alone, "network.unreachable");
  assertEquals(
    event?.fields.reason,
    "Cannot join a network: check that this machine is online, or name a node that runs with --bootstrap HOST:PORT",
  );
});

Deno.test("a seed has enough in itself, complains of nothing, and takes company from the local network when it comes", async () => {
  const parts = await lonely(5);
  await using world = parts.world;
  let isThere = false;
  parts.stay(
    parts.sources({
      saved: nothing,
      mdns: () => isThere ? parts.seedWay() : nothing(),
    }),
    true,
  );
  await world.clock.advance(3_000);
  assertTrue(parts.presence.every((is) => is) && parts.presence.length > 1);
  assertEquals(eventsOf(parts.alone, "network.unreachable"), []);
  assertEquals(parts.alone.node.table.size, 0);
  isThere = true;
  await world.clock.advance(60_000);
  assertTrue(parts.alone.node.table.size > 0);
});

Deno.test("a node that is left alone joins again through its sources", async () => {
  const parts = await lonely(6);
  await using world = parts.world;
  const [first] = world.inhabitants;
  const other = await world.add([]);
  const ways = [first!.address, other.address];
  parts.stay(parts.sources({ dns: () => Promise.resolve(ways) }));
  await world.clock.advance(5_000);
  assertEquals(parts.presence, [true]);
  world.crash(first!);
  world.crash(other);
  const back = await world.add([], { address: { ip: "11.9.9.9", port: 4433 } });
  ways.push(back.address);
  await world.clock.advance(5 * 60_000);
  assertTrue(
    [...parts.alone.node.table.entries()].some(({ contact }) =>
      contact.addresses[0]?.ip === "11.9.9.9"
    ),
  );
});
