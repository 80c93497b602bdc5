// Real multicast over loopback, where a question takes a second: about 4 s.
import { assertEquals, assertTrue } from "@tesseras/testing";
import { multicastWorks } from "@tesseras/testing/multicast";
import { createSocket } from "node:dgram";
import {
  Counters,
  keyOf,
  type NodeId,
  nodeId,
  RecordingLog,
  type Runtime,
} from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { type Mdns, openMdns } from "./mdns.ts";

const never = new AbortController().signal;
const LOOPBACK = "127.0.0.1";
/** How often a question is put before the test gives up: a busy machine drops packets. */
const TRIES = 20;

type Speaker = {
  readonly mdns: Mdns;
  readonly runtime: Runtime & { readonly log: RecordingLog };
  readonly id: NodeId;
};

async function speaker(
  port: number,
  { ip = LOOPBACK, interfaces = [LOOPBACK] } = {},
): Promise<Speaker> {
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
  const id = nodeId(systemRandom.bytes(20));
  const listening = { ip, port };
  const options = { id, network: "main", listening, interfaces };
  return { mdns: await openMdns(options, runtime, never), runtime, id };
}

/** The ports at which a speaker finds another, asked until it does. */
async function portsOf(asker: Speaker, wanted: Speaker): Promise<number[]> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await asker.mdns.find(never);
    assertTrue(found.every(({ id }) => keyOf(id) !== keyOf(asker.id)));
    const ports = found.filter(({ id }) => keyOf(id) === keyOf(wanted.id))
      .map(({ address }) => address.port);
    if (ports.length > 0) return ports;
  }
  return [];
}

/** Says something to everybody who listens on the group. */
async function shout(bytes: Uint8Array): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((bound) => socket.bind(0, "0.0.0.0", bound));
  socket.setMulticastInterface(LOOPBACK);
  await new Promise((sent) => socket.send(bytes, 5353, "224.0.0.251", sent));
  await new Promise<void>((closed) => socket.close(closed));
}

Deno.test("nodes of one local network find each other, whatever else is said there", async () => {
  if (!await multicastWorks(LOOPBACK)) return;
  const one = await speaker(4_001);
  await using _one = one.mdns;
  const other = await speaker(4_002);
  await using _other = other.mdns;
  assertEquals(one.mdns.interfaces, [LOOPBACK]);
  assertEquals(await portsOf(one, other), [4_002]);
  // Nothing, rubbish, a name that points at itself, and a count of records that are not there.
  const hostile = [
    [],
    Array(500).fill(255),
    [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1],
    [0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
  ];
  for (const bytes of hostile) await shout(Uint8Array.from(bytes));
  assertEquals(await portsOf(other, one), [4_001]);
  assertTrue(other.runtime.counters.get("mdns.answered") > 0);
  // Both hear each other's packets, and the rubbish.
  assertTrue(one.runtime.counters.get("mdns.refused") > 0);
});

Deno.test("an interface that is not there is logged and left out, and a question nobody can hear is answered by nobody", async () => {
  const interfaces = ["203.0.113.77"];
  const { mdns, runtime } = await speaker(4_003, { ip: "0.0.0.0", interfaces });
  await using _mdns = mdns;
  assertEquals([...mdns.interfaces], []);
  assertEquals(await mdns.find(never), []);
  const [event, ...others] = runtime.log.events;
  assertEquals(others, []);
  assertEquals(
    [event?.event, event?.fields.interface],
    ["mdns.unavailable", "203.0.113.77"],
  );
  // A node that listens on loopback alone has nothing to say elsewhere.
  const quiet = await speaker(4_004, { interfaces });
  await using _quiet = quiet.mdns;
  assertEquals(quiet.runtime.log.events, []);
});
