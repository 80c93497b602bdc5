import { type Address, SeededRandom, VirtualClock } from "@tesseras/core";
import { KEEPALIVE_MS } from "@tesseras/core/limits";
import { otherSide, RelaySession } from "@tesseras/nat";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { NAT_BEHAVIOURS, SIM_IDLE_MS, SimNetwork } from "./sim.ts";
import {
  dialled,
  type Host,
  INSIDE,
  INTRODUCER,
  Lab,
  LATENCY_MS,
  never,
  passes,
} from "./sim_nat_for_tests.ts";

const KINDS = { public: undefined, ...NAT_BEHAVIOURS } as const;
type Kind = keyof typeof KINDS;

/** Pairs that no punch connects, as the kernel's routers showed and RFC 5128 (3.3) explains. */
const APART: readonly (readonly [Kind, Kind])[] = [
  ["cone", "symmetric"],
  ["open", "symmetric"],
  ["symmetric", "symmetric"],
];

Deno.test("a punch connects every pair of kinds that real routers let meet, and no other", async () => {
  for (const one of Object.keys(KINDS) as Kind[]) {
    for (const other of Object.keys(KINDS) as Kind[]) {
      await using lab = new Lab();
      const a = await lab.host(KINDS[one]);
      const b = await lab.host(KINDS[other]);
      const apart = APART.some(([x, y]) =>
        (x === one && y === other) || (x === other && y === one)
      );
      const tookMs = await lab.punch(a, b);
      assertEquals(tookMs === undefined, apart, `${one} and ${other}`);
      assertTrue(
        apart || tookMs! <= 1_100,
        `${one} and ${other}: ${tookMs} ms`,
      );
    }
  }
});

Deno.test("routers that drop what is uninvited let a punch through however late one side starts", async () => {
  await using lab = new Lab();
  const [a, b] = [
    await lab.host(NAT_BEHAVIOURS.cone),
    await lab.host(NAT_BEHAVIOURS.cone),
  ];
  assertEquals(await lab.punch(a, b), 2 * LATENCY_MS);
  await using late = new Lab();
  const [c, d] = [
    await late.host(NAT_BEHAVIOURS.cone),
    await late.host(NAT_BEHAVIOURS.cone),
  ];
  assertEquals(await late.punch(c, d, 300), 300 + 2 * LATENCY_MS);
});

Deno.test("routers that remember what is uninvited need both to start before either's packet arrives", async () => {
  for (const skewMs of [0, LATENCY_MS - 1, LATENCY_MS + 1, 300]) {
    await using lab = new Lab();
    const a = await lab.host(NAT_BEHAVIOURS.open);
    const b = await lab.host(NAT_BEHAVIOURS.open);
    const tookMs = await lab.punch(a, b, skewMs);
    assertEquals(tookMs === undefined, skewMs > LATENCY_MS, `${skewMs} ms`);
  }
});

Deno.test("a cone NAT shows every peer the same port, a symmetric one each another", async () => {
  await using lab = new Lab();
  const second = lab.open({ ip: "203.0.114.1", port: 4433 });
  for (const kind of ["cone", "symmetric"] as const) {
    const host = await lab.host(NAT_BEHAVIOURS[kind]);
    await lab.dial(host, second.local);
    const seen = await lab.clock.run(second.accept(never));
    assertEquals(seen!.remote.ip, host.seenAt.ip);
    assertEquals(seen!.remote.port === host.seenAt.port, kind === "cone");
  }
});

Deno.test("a cone NAT keeps a node's port, unless a neighbour has it already", async () => {
  await using lab = new Lab();
  const nat = lab.router(NAT_BEHAVIOURS.cone);
  const first = await lab.host(NAT_BEHAVIOURS.cone, nat);
  const second = await lab.host(NAT_BEHAVIOURS.cone, nat, {
    ip: "192.168.1.3",
    port: 4433,
  });
  assertEquals(first.seenAt, { ip: nat.ip, port: 4433 });
  assertEquals(second.seenAt.ip, nat.ip);
  assertTrue(second.seenAt.port !== 4433);
});

Deno.test("lets strangers in as its filter says: anybody, an address it has sent to, or that port alone", async () => {
  for (
    const [kind, sameHost, stranger] of [
      ["fullCone", true, true],
      ["restrictedCone", true, false],
      ["cone", false, false],
      ["symmetricFull", true, true],
      ["symmetric", false, false],
    ] as const
  ) {
    await using lab = new Lab();
    const { seenAt } = await lab.host(NAT_BEHAVIOURS[kind]);
    const otherPort = lab.open({ ip: INTRODUCER.ip, port: 5555 });
    const somebody = lab.open({ ip: "192.0.2.99", port: 4433 });
    for (
      const [transport, isLetIn] of [[otherPort, sameHost], [
        somebody,
        stranger,
      ]] as const
    ) {
      const from = { transport } as Host;
      const connection = await lab.dial(from, seenAt);
      assertEquals(connection !== undefined, isLetIn, kind);
    }
  }
});

Deno.test("neighbours reach each other inside always, and over the outer address only where the router turns packets back", async () => {
  for (const hairpin of [true, false]) {
    await using lab = new Lab();
    const behaviour = { ...NAT_BEHAVIOURS.fullCone, hairpin };
    const nat = lab.router(behaviour);
    const a = await lab.host(behaviour, nat);
    const b = await lab.host(behaviour, nat, { ip: "192.168.1.3", port: 4433 });
    assertTrue(await lab.dial(a, { ip: "192.168.1.3", port: 4433 }));
    assertEquals((await lab.dial(a, b.seenAt)) !== undefined, hairpin);
  }
});

Deno.test("the same private address behind two routers is two nodes", async () => {
  await using lab = new Lab();
  const a = await lab.host(NAT_BEHAVIOURS.cone);
  const b = await lab.host(NAT_BEHAVIOURS.cone);
  assertEquals(a.transport.local, b.transport.local);
  assertTrue(a.seenAt.ip !== b.seenAt.ip);
  assertEquals(
    await lab.dial(a, { ip: "192.168.1.77", port: 4433 }),
    undefined,
  );
});

Deno.test("forgets a flow after its time without a packet, and every packet begins the time anew", async () => {
  await using lab = new Lab();
  const nat = lab.router({ ...NAT_BEHAVIOURS.cone, preservesPort: false });
  const remote = { ip: "192.0.2.1", port: 1 };
  const { port } = nat.leave(INSIDE, remote);
  for (let packet = 0; packet < 3; packet++) {
    await lab.clock.advance(29_999);
    assertEquals(nat.enter(port, remote), INSIDE);
  }
  await lab.clock.advance(30_000);
  assertEquals(nat.enter(port, remote), undefined);
  assertTrue(nat.leave(INSIDE, remote).port !== port, "a port is drawn anew");
});

Deno.test("gives one port for an address where the mapping depends on that, and another for the next", async () => {
  await using lab = new Lab();
  const nat = lab.router({ ...NAT_BEHAVIOURS.symmetric, mapping: "address" });
  const port = (ip: string, to: number) =>
    nat.leave(INSIDE, { ip, port: to }).port;
  const first = port("192.0.2.1", 1);
  assertEquals(port("192.0.2.1", 2), first);
  assertTrue(port("192.0.2.2", 1) !== first);
});

Deno.test("a router with five hundred neighbours gives each a port of its own", async () => {
  await using lab = new Lab();
  const nat = lab.router(NAT_BEHAVIOURS.cone);
  const remote = { ip: "192.0.2.1", port: 1 };
  const ports = Array.from({ length: 500 }, (_, at) => {
    const inner = { ip: `10.0.${at >> 8}.${at & 255}`, port: 4433 };
    return nat.leave(inner, remote).port;
  });
  assertEquals(new Set(ports).size, ports.length);
});

Deno.test("a quiet connection stays open for hours, because keepalives pass", async () => {
  await using lab = new Lab();
  const { near, far } = await dialled(lab, NAT_BEHAVIOURS.cone);
  await lab.clock.advance(3_600_000);
  assertTrue(await passes(lab, far, near, 1_000));
});

Deno.test("a router that forgets sooner than keepalives come keeps a quiet node from being called", async () => {
  await using lab = new Lab();
  const behaviour = { ...NAT_BEHAVIOURS.cone, timeoutMs: KEEPALIVE_MS / 3 };
  const { near, far } = await dialled(lab, behaviour);
  await lab.clock.advance(KEEPALIVE_MS / 2);
  assertEquals(await passes(lab, far, near, 1_000), false);
  assertTrue(
    await passes(lab, near, far, 1_000),
    "from inside the way is always open",
  );
});

Deno.test("a connection its inner end dialled survives a rebinding, and its peer sees it elsewhere", async () => {
  await using lab = new Lab();
  const { nat, near, far } = await dialled(lab, NAT_BEHAVIOURS.symmetric);
  const before = far.remote;
  nat.rebind("198.51.100.77");
  assertTrue(await passes(lab, near, far, 1_000));
  assertEquals(far.remote.ip, "198.51.100.77");
  assertTrue(far.remote.port !== before.port);
  assertTrue(await passes(lab, far, near, 1_000));
});

Deno.test("whoever waits outside after a rebinding is heard once the inner end speaks, with its keepalive at the latest", async () => {
  await using lab = new Lab();
  const { nat, near, far } = await dialled(lab, NAT_BEHAVIOURS.cone);
  nat.rebind("198.51.100.77");
  assertEquals(await passes(lab, far, near, 100), false);
  assertTrue(await passes(lab, far, near, KEEPALIVE_MS + 5_000));
});

Deno.test("a connection dialled to a node behind a router dies when that router rebinds", async () => {
  await using lab = new Lab();
  const host = await lab.host(NAT_BEHAVIOURS.fullCone);
  const dialer = lab.open({ ip: "192.0.2.50", port: 4433 });
  const near = await lab.dial({ transport: dialer } as Host, host.seenAt);
  const far = await lab.clock.run(host.transport.accept(never));
  assertTrue(near !== undefined && far !== undefined);
  assertTrue(await passes(lab, near, far, 1_000));
  host.nat!.rebind("198.51.100.77");
  assertEquals(await passes(lab, near, far, 10_000), false);
  assertEquals(await passes(lab, far, near, 10_000), false);
  await lab.clock.advance(2 * SIM_IDLE_MS);
  assertEquals((await near.closed).code, -1);
});

Deno.test("a node that goes from one router to another takes along what it dialled, and not what was dialled to it", async () => {
  await using lab = new Lab();
  const { nat, near, far } = await dialled(lab, NAT_BEHAVIOURS.cone);
  const caller = lab.open({ ip: INTRODUCER.ip, port: 5555 });
  const full = lab.router(NAT_BEHAVIOURS.fullCone);
  const host = await lab.host(NAT_BEHAVIOURS.fullCone, full);
  const toHost = await lab.dial({ transport: caller } as Host, host.seenAt);
  const cellular = lab.router(NAT_BEHAVIOURS.symmetric);
  lab.network.move({ address: INSIDE, nat }, {
    address: INSIDE,
    nat: cellular,
  });
  assertTrue(await passes(lab, near, far, 1_000));
  assertEquals(far.remote.ip, cellular.ip);
  assertTrue(await passes(lab, far, near, 1_000));
  const elsewhere = { address: { ip: "10.0.0.9", port: 4433 }, nat: cellular };
  lab.network.move({ address: INSIDE, nat: full }, elsewhere);
  const hostEnd = await lab.clock.run(host.transport.accept(never));
  assertTrue(toHost !== undefined && hostEnd !== undefined);
  assertEquals(await passes(lab, hostEnd, toHost, 10_000), false);
  assertTrue(await lab.dial(host, INTRODUCER));
});

Deno.test("two that no punch connects meet over a relay, which follows them through a rebinding and tells strangers apart", async () => {
  await using lab = new Lab();
  const a = await lab.host(NAT_BEHAVIOURS.symmetric);
  const b = await lab.host(NAT_BEHAVIOURS.symmetric);
  const relay = openRelay(lab, a.seenAt.ip, b.seenAt.ip);
  const [near, other] = await lab.clock.run(Promise.all([
    a.transport.dial(relay.ports[0], "anyone", never),
    b.transport.dial(relay.ports[1], "anyone", never),
  ]));
  const far = await lab.clock.run(b.transport.accept(never));
  assertTrue(far !== undefined && other.dialled);
  assertEquals(near.remote, relay.ports[0]);
  assertEquals(far.remote, relay.ports[1], "a relay shows its own port");
  assertTrue(await passes(lab, near, far, 1_000));
  assertTrue(await passes(lab, far, near, 1_000));
  a.nat!.rebind();
  assertEquals(await passes(lab, near, far, 500), false);
  assertTrue(await passes(lab, near, far, 5_000), "its port is learned anew");
  const stranger = lab.open({ ip: "192.0.2.66", port: 4433 });
  const from = { transport: stranger } as Host;
  assertEquals(await lab.dial(from, relay.ports[0]), undefined);
  a.nat!.rebind("198.51.100.77");
  assertEquals(await passes(lab, near, far, 5_000), false);
  relay.session.join(0, "198.51.100.77", lab.clock.monotonicMs());
  assertTrue(await passes(lab, near, far, 5_000), "it proved itself elsewhere");
});

/** A relay's two ports for a pair that has asked for each other. */
function openRelay(lab: Lab, ...ips: readonly [string, string]) {
  const nowMs = () => lab.clock.monotonicMs();
  const session = new RelaySession({
    id: new Uint8Array(16),
    peers: ["a", "b"],
    ip: ips[0],
    terms: {
      bytesPerSecond: 64_000,
      burstBytes: 64_000,
      lastsMs: Infinity,
      idleMs: 60_000,
      joinMs: 30_000,
    },
  }, nowMs());
  session.join(1, ips[1], nowMs());
  const ports = [50_000, 50_001].map((port) => ({ ip: "203.0.113.9", port }));
  for (const side of [0, 1] as const) {
    lab.network.handOn(ports[side]!, ({ source, bytes }) => {
      const packet = { ...source, bytes };
      if (session.packet(side, packet, nowMs()) !== "forward") return undefined;
      const other = otherSide(side);
      return { source: ports[other]!, to: session.addressOf(other)! };
    });
  }
  return { session, ports: ports as [Address, Address] };
}

Deno.test("a node moves neither from where there is none nor to where there is another", async () => {
  await using lab = new Lab();
  const nat = lab.router(NAT_BEHAVIOURS.cone);
  assertThrowsCode(
    () => lab.network.move({ address: INSIDE, nat }, { address: INSIDE }),
    "missing",
  );
  const other = lab.open({ ip: "192.0.2.8", port: 4433 });
  assertThrowsCode(
    () => lab.network.move({ address: INTRODUCER }, { address: other.local }),
    "inUse",
  );
});

Deno.test("the same seed gives the same history, packet by packet", async () => {
  const history = async (seed: number): Promise<string[]> => {
    const lines: string[] = [];
    const clock = new VirtualClock();
    const network = new SimNetwork({
      clock,
      random: new SeededRandom(seed),
      latencyMs: [5, 50],
      lossRate: 0.1,
      trace: (event) => lines.push(JSON.stringify(event)),
    });
    const identity = { publicKey: new Uint8Array(32) };
    await using server = network.transport({ identity, address: INTRODUCER });
    const nat = network.nat("home", "198.51.1.1", NAT_BEHAVIOURS.symmetric);
    await using host = network.transport({ identity, address: INSIDE, nat });
    const near = await clock.run(host.dial(INTRODUCER, "anyone", never));
    const far = await clock.run(server.accept(never));
    lines.push(JSON.stringify(far!.remote));
    near.close(0, "done");
    await clock.advance(1_000);
    return lines;
  };
  assertEquals(await history(3), await history(3));
  assertTrue(
    JSON.stringify(await history(3)) !== JSON.stringify(await history(4)),
  );
});
