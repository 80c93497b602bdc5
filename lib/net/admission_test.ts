import {
  Counters,
  nodeId,
  type Runtime,
  SeededRandom,
  silentLog,
  VirtualClock,
} from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Admission, type AdmissionLimits, type Meter } from "./admission.ts";

type World = { runtime: Runtime; clock: VirtualClock; counters: Counters };

function world(): World {
  const clock = new VirtualClock();
  const counters = new Counters();
  const random = new SeededRandom(1);
  return {
    runtime: { clock, random, log: silentLog, counters },
    clock,
    counters,
  };
}

function gate(
  limits: Partial<AdmissionLimits>,
): World & { admission: Admission } {
  const made = world();
  return { ...made, admission: new Admission(limits, made.runtime) };
}

const at = (ip: string) => ({ ip, port: 4433 });
const id = (byte: number) => nodeId(new Uint8Array(20).fill(byte));

Deno.test("sheds handshakes over the rate and counts them", () => {
  const { admission, counters } = gate({ handshakesPerSecond: 1 });
  let admitted = 0;
  for (let i = 0; i < 30; i++) {
    if (admission.admit(at(`203.0.113.${i}`))) admitted++;
  }
  assertEquals(admitted, 10);
  assertEquals(counters.get("admission.handshake_rate"), 20);
});

Deno.test("a forged flood of first packets takes no place", () => {
  const { admission } = gate({ connectionsPerIpMax: 1 });
  for (let i = 0; i < 100; i++) admission.admit(at("203.0.113.1"));
  assertEquals(admission.openCount, 0);
  assertTrue(admission.enter(at("203.0.113.1")));
});

Deno.test("caps connections per address until one ends", () => {
  const { admission, counters } = gate({ connectionsPerIpMax: 2 });
  const first = admission.enter(at("203.0.113.1"));
  assertTrue(first && admission.enter(at("203.0.113.1")));
  assertEquals(admission.enter(at("203.0.113.1")), undefined);
  assertEquals(admission.admit(at("203.0.113.1")), false);
  assertTrue(admission.enter(at("203.0.113.2")));
  assertEquals(counters.get("admission.address_full"), 2);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assertEquals(admission.openCount, 2);
  assertTrue(admission.enter(at("203.0.113.1")));
  assertEquals(admission.enter(at("203.0.113.1")), undefined);
});

Deno.test("counts a whole IPv6 /64 as one address", () => {
  const { admission } = gate({ connectionsPerIpMax: 1 });
  assertTrue(admission.enter(at("2001:db8:1:2::1")));
  assertEquals(admission.enter(at("2001:db8:1:2:ffff::9")), undefined);
  assertTrue(admission.enter(at("2001:db8:1:3::1")));
});

Deno.test("caps connections of one /24 or /48, whatever addresses it has", () => {
  for (
    const ip of [
      (n: number) => `203.0.113.${n}`,
      (n: number) => `2001:db8:1:${n}::1`,
    ]
  ) {
    const { admission, counters } = gate({ connectionsPerSubnetMax: 3 });
    const places = [1, 2, 3].map((n) => admission.enter(at(ip(n))));
    assertTrue(places.every((place) => place !== undefined));
    assertEquals(admission.enter(at(ip(4))), undefined);
    assertEquals(admission.admit(at(ip(4))), false);
    assertEquals(counters.get("admission.subnet_full"), 2);
    assertTrue(admission.enter(at("198.51.100.1")));
    places[0]![Symbol.dispose]();
    assertTrue(admission.enter(at(ip(4))));
  }
});

Deno.test("an address pays nothing for what the rate of all refused", async () => {
  const { admission, clock, counters } = gate({
    handshakesPerSecond: 1,
    addressHandshakesPerSecond: 0.1,
  });
  for (let i = 0; i < 10; i++) admission.admit(at(`203.0.113.${i}`));
  assertEquals(admission.admit(at("198.51.100.1")), false);
  assertEquals(counters.get("admission.handshake_rate"), 1);
  await clock.advance(1_000);
  assertTrue(admission.admit(at("198.51.100.1")));
});

Deno.test("caps connections in all, private addresses included", () => {
  const { admission, counters } = gate({
    connectionsMax: 2,
    exemptPrivateIps: true,
  });
  assertTrue(admission.enter(at("127.0.0.1")));
  assertTrue(admission.enter(at("203.0.113.1")));
  assertEquals(admission.enter(at("127.0.0.1")), undefined);
  assertEquals(counters.get("admission.connections_full"), 1);
});

Deno.test("lets a local cluster share an address only when told to", () => {
  const exempt = gate({ connectionsPerIpMax: 1, exemptPrivateIps: true });
  assertTrue(exempt.admission.enter(at("127.0.0.1")));
  assertTrue(exempt.admission.enter(at("127.0.0.1")));
  const strict = gate({ connectionsPerIpMax: 1 });
  assertTrue(strict.admission.enter(at("127.0.0.1")));
  assertEquals(strict.admission.enter(at("127.0.0.1")), undefined);
});

/** What the peer whose id is all this byte may ask from an address. */
function meterOf(
  admission: Admission,
  byte: number,
  ip = `203.0.${byte}.1`,
): Meter {
  return admission.meter(id(byte), () => at(ip));
}

/** How often in a row a question is answered with yes. */
function times(ask: () => boolean, atMost = 1_000): number {
  let count = 0;
  while (count < atMost && ask()) count++;
  return count;
}

Deno.test("one address that opens connections without end leaves the rest of the rate to others", () => {
  const { admission, counters } = gate({
    handshakesPerSecond: 4,
    addressHandshakesPerSecond: 1,
  });
  const open = (ip: string) => times(() => admission.admit(at(ip)));
  assertEquals(open("203.0.113.1"), 10);
  assertEquals(open("2001:db8:1:2::1"), 10);
  assertEquals(open("2001:db8:1:2:3::1"), 0);
  assertEquals(counters.get("admission.address_handshake_rate"), 3);
  assertEquals(counters.get("admission.handshake_rate"), 0);
  assertEquals(open("203.0.113.2") + open("203.0.113.3"), 20);
  assertEquals(open("203.0.113.4"), 0);
  assertEquals(counters.get("admission.handshake_rate"), 1);
});

Deno.test("meters each identity apart and remembers it over a reconnect", async () => {
  const { admission, clock, counters } = gate({ requestsPerSecond: 1 });
  const ask = () => meterOf(admission, 1).request();
  assertEquals([ask(), ask(), ask(), ask(), ask()], [
    true,
    true,
    true,
    true,
    false,
  ]);
  assertTrue(meterOf(admission, 2).request());
  await clock.advance(1000);
  assertEquals([ask(), ask()], [true, false]);
  assertEquals(counters.get("admission.request_rate"), 2);
});

Deno.test("forgets the identity unheard for longest when the table is full", () => {
  const { admission } = gate({ requestsPerSecond: 1, identitiesMax: 3 });
  const ask = (byte: number) => meterOf(admission, byte).request();
  for (let i = 0; i < 4; i++) ask(1);
  assertEquals(ask(1), false);
  for (const other of [2, 3]) ask(other);
  assertEquals(ask(1), false);
  for (const other of [4, 5, 6]) ask(other);
  assertEquals(admission.meteredCount, 3);
  assertEquals(ask(1), true);
});

Deno.test("identities of one address share its rate of requests, and one of them alone cannot use it up", () => {
  const { admission, counters } = gate({
    requestsPerSecond: 1,
    addressRequestsPerSecond: 2,
  });
  const ask = (byte: number, ip: string) =>
    times(meterOf(admission, byte, ip).request);
  assertEquals(ask(1, "203.0.113.1"), 4);
  assertEquals(ask(2, "203.0.113.1"), 4);
  assertEquals(ask(3, "203.0.113.1"), 0);
  assertEquals(counters.get("admission.address_request_rate"), 1);
  assertEquals(counters.get("admission.request_rate"), 2);
  assertEquals(ask(3, "203.0.113.2"), 4);
});

Deno.test("a peer whose connection moves to another address is metered where it is", () => {
  const { admission } = gate({ addressRequestsPerSecond: 1 });
  let ip = "203.0.113.1";
  const meter = admission.meter(id(1), () => at(ip));
  assertEquals(times(meter.request), 4);
  ip = "203.0.114.1";
  assertEquals(times(meter.request), 4);
});

Deno.test("work is paid by its weight, apart from requests", async () => {
  const { admission, clock, counters } = gate({ workPerSecond: 1 });
  const { work, request } = meterOf(admission, 1);
  assertTrue(work(45));
  assertEquals([work(6), work(5), work(1)], [false, true, false]);
  assertEquals(counters.get("admission.work_rate"), 2);
  assertTrue(request());
  await clock.advance(3_000);
  assertEquals([work(3), work(1)], [true, false]);
});

Deno.test("cheap identities of one subnet share one budget of work", () => {
  const { admission, counters } = gate({
    workPerSecond: 1,
    subnetWorkPerSecond: 2,
  });
  let done = 0;
  for (let byte = 1; byte <= 100; byte++) {
    done += times(() => meterOf(admission, byte, `203.0.113.${byte}`).work(1));
  }
  assertEquals(done, 100);
  assertEquals(counters.get("admission.subnet_work_rate"), 98);
  assertEquals(times(() => meterOf(admission, 101, "203.0.114.1").work(1)), 50);
  const v6 = (byte: number, ip: string) =>
    times(() => meterOf(admission, byte, ip).work(1));
  assertEquals(v6(102, "2001:db8:1:1::1") + v6(103, "2001:db8:1:2::1"), 100);
  assertEquals(v6(104, "2001:db8:1:3::1"), 0);
});

Deno.test("a work that is refused costs nobody anything", () => {
  const { admission } = gate({ workPerSecond: 1, subnetWorkPerSecond: 1 });
  assertTrue(meterOf(admission, 1, "203.0.113.1").work(50));
  const second = meterOf(admission, 2, "203.0.113.2");
  assertEquals(second.work(50), false);
  // Elsewhere it still has all of its own.
  assertTrue(meterOf(admission, 2, "203.0.114.2").work(50));
});

Deno.test("a large answer costs as much as many requests, and a debt is paid back", async () => {
  const { admission, clock } = gate({ requestsPerSecond: 1 });
  const { request, answered } = meterOf(admission, 1);
  answered(1_000_000);
  assertEquals(request(), false);
  await clock.advance(4_900);
  assertEquals(request(), false);
  await clock.advance(100);
  assertEquals(request(), true);
});

Deno.test("a local cluster shares one address without sharing its rates", () => {
  const { admission } = gate({
    exemptPrivateIps: true,
    addressHandshakesPerSecond: 1,
    addressRequestsPerSecond: 1,
    subnetWorkPerSecond: 1,
  });
  const local = (byte: number) => meterOf(admission, byte, "127.0.0.1");
  assertEquals(times(() => admission.admit(at("127.0.0.1")), 100), 100);
  for (let byte = 1; byte <= 10; byte++) {
    assertEquals(times(local(byte).request, 100), 100);
    assertEquals(times(() => local(byte).work(10), 100), 100);
  }
  assertEquals(times(() => admission.admit(at("203.0.113.1")), 100), 10);
});

Deno.test("no table of rates outgrows its bound, whoever knocks", () => {
  const { admission } = gate({ identitiesMax: 8 });
  for (let i = 0; i < 500; i++) {
    const ip = `198.51.${i & 255}.${i >> 8}`;
    admission.admit(at(ip));
    const bytes = new Uint8Array(20);
    bytes.set([i & 255, i >> 8]);
    const meter = admission.meter(nodeId(bytes), () => at(ip));
    meter.request();
    meter.work(1);
    meter.answered(2);
  }
  assertEquals(admission.bucketCount, 5 * 8);
});
