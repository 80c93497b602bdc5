import {
  Counters,
  nodeId,
  type Runtime,
  SeededRandom,
  silentLog,
  VirtualClock,
} from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { Admission, type AdmissionLimits, TokenBucket } from "./admission.ts";
import { COUNTERS } from "./counters.ts";

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

Deno.test("a bucket never lets through more than its burst and its rate", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }),
      async (perSecond, burst, pauses) => {
        const { clock } = world();
        const bucket = new TokenBucket({ perSecond, burst }, clock);
        let taken = 0;
        for (const pause of pauses) {
          await clock.advance(pause);
          for (let i = 0; i < 5; i++) if (bucket.take()) taken++;
        }
        const allowed = burst + clock.monotonicMs() * perSecond / 1000;
        assertTrue(taken <= allowed + 1e-6, `${taken} of ${allowed}`);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a bucket fills again at its rate", async () => {
  const { clock } = world();
  const bucket = new TokenBucket({ perSecond: 2, burst: 1 }, clock);
  assertEquals([bucket.take(), bucket.take()], [true, false]);
  await clock.advance(499);
  assertEquals(bucket.take(), false);
  await clock.advance(1);
  assertEquals(bucket.take(), true);
});

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

Deno.test("meters each identity apart and remembers it over a reconnect", async () => {
  const { admission, clock, counters } = gate({ requestsPerSecond: 1 });
  const ask = () => admission.request(id(1));
  assertEquals([ask(), ask(), ask(), ask(), ask()], [
    true,
    true,
    true,
    true,
    false,
  ]);
  assertTrue(admission.request(id(2)));
  await clock.advance(1000);
  assertEquals([ask(), ask()], [true, false]);
  assertEquals(counters.get("admission.request_rate"), 2);
});

Deno.test("forgets the identity unheard for longest when the table is full", () => {
  const { admission } = gate({ requestsPerSecond: 1, identitiesMax: 3 });
  for (let i = 0; i < 4; i++) admission.request(id(1));
  assertEquals(admission.request(id(1)), false);
  for (const other of [2, 3]) admission.request(id(other));
  assertEquals(admission.request(id(1)), false);
  for (const other of [4, 5, 6]) admission.request(id(other));
  assertEquals(admission.meteredCount, 3);
  assertEquals(admission.request(id(1)), true);
});

Deno.test("every counter has a name of two parts and a sentence", () => {
  for (const [name, help] of Object.entries(COUNTERS)) {
    assertTrue(/^[a-z]+\.[a-z_]+$/.test(name), name);
    assertTrue(/^[A-Z].{20,}[^.]$/.test(help), help);
  }
});
