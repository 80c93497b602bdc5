import { type Address, keyOf } from "@tesseras/core";
import { RECORD_RENEW_MS } from "@tesseras/core/limits";
import type { Met } from "@tesseras/net";
import { NAT_BEHAVIOURS } from "@tesseras/net/sim";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { findNodes } from "./find.ts";
import { OwnOutlook } from "./outlook.ts";

const OUTER = { ip: "93.184.216.34", port: 40_000 };
const world = new World(1);
const records = await Promise.all(
  [1, 2, 3, 4].map(async () => world.recordOf(await world.identity(), [])),
);

/** A session with a peer somewhere, which says where it sees us. */
function met(
  at: number,
  ip: string,
  observed?: Address,
  way?: Met["way"],
): Met {
  const remote = { ip, port: 4433 };
  const connection = {
    remote,
    dialled: true,
    open: () => Promise.reject(new Error("over")),
    accept: () => Promise.resolve(undefined),
    close() {},
    closed: Promise.resolve({ code: 0, reason: "" }),
  };
  const peer = records[at]!;
  return { peer, observed, dialled: true, connection, way: way ?? "direct" };
}

Deno.test("an address is believed when three in two subnets agree, for as long as their connections last", () => {
  const outlook = new OwnOutlook({ realm: "internet", own: [] });
  const sessions = ["5.1.1.1", "5.1.1.2", "9.1.1.1"].map((ip, at) =>
    met(at, ip, OUTER)
  );
  outlook.met(sessions[0]!);
  outlook.met(sessions[1]!);
  assertEquals(outlook.kind, "unknown");
  outlook.met(sessions[2]!);
  assertEquals(outlook.kind, "cone");
  assertEquals(outlook.confirmed(4), OUTER);
  outlook.ended(sessions[2]!);
  assertEquals(outlook.kind, "unknown");
  assertEquals(outlook.likely(4), undefined);
});

Deno.test("a pong counts like a greeting, the latest of each peer, and only of one with a session", () => {
  const outlook = new OwnOutlook({ realm: "internet", own: [] });
  outlook.told(records[3]!.id, OUTER);
  for (const [at, ip] of ["5.1.1.1", "9.1.1.1"].entries()) {
    outlook.met(met(at, ip));
    outlook.told(records[at]!.id, { ...OUTER, port: 1 });
    outlook.told(records[at]!.id, OUTER);
  }
  assertEquals(outlook.likely(4), OUTER);
  assertEquals(outlook.confirmed(4), undefined);
});

Deno.test("nothing is learned from a relayed peer, nor from a neighbour behind the same router", () => {
  const outlook = new OwnOutlook({ realm: "internet", own: [] });
  outlook.met(met(0, "5.1.1.1", OUTER, "relayed"));
  outlook.met(met(1, "192.168.1.4", OUTER));
  outlook.met(met(2, "9.1.1.1", OUTER));
  assertEquals(outlook.likely(4), undefined);
});

Deno.test("what an operator has configured stands against every report", () => {
  const outlook = new OwnOutlook({
    realm: "internet",
    own: [],
    isConfigured: true,
  });
  const known = [{ ip: "9.9.9.9", port: 1 }];
  for (const [at, ip] of ["5.1.1.1", "5.1.1.2", "9.1.1.1"].entries()) {
    outlook.met(met(at, ip, OUTER));
  }
  assertEquals(outlook.kind, "public");
  assertEquals(outlook.addresses(known), known);
});

Deno.test("IPv4 and IPv6 are learned apart, and one that is our own makes us public", () => {
  const six = { ip: "2606:4700::1", port: 4433 };
  const outlook = new OwnOutlook({ realm: "internet", own: [six] });
  const froms = ["2606:4700:1::1", "2606:4700:1::2", "2606:4700:2::1"];
  for (const [at, ip] of froms.entries()) outlook.met(met(at, ip, six));
  assertEquals(outlook.kindIn(4), "unknown");
  assertEquals(outlook.kindIn(6), "public");
  assertEquals(outlook.addresses([]), [six]);
});

/** Nodes in public that know where they stand, and one behind a router. */
async function town(
  world: World,
  behaviour: typeof NAT_BEHAVIOURS[keyof typeof NAT_BEHAVIOURS],
  count = 1,
): Promise<readonly Inhabitant[]> {
  for (let at = 0; at < 8; at++) {
    const address = { ip: `203.0.${at + 1}.1`, port: 4433 };
    const surroundings = { realm: "lab", own: [address] } as const;
    await world.grow(1, ["dht"], { address, node: { surroundings } });
  }
  const homes: Inhabitant[] = [];
  for (let at = 0; at < count; at++) {
    const nat = world.network.nat(`home${at}`, `198.51.${at}.7`, behaviour);
    const address = { ip: `10.0.0.${at + 1}`, port: 4433 };
    const surroundings = { realm: "lab", own: [address] } as const;
    const node = { surroundings, addresses: [] };
    homes.push(...await world.grow(1, ["dht"], { address, nat, node }));
  }
  return homes;
}

Deno.test("a node behind a router says in its record what stands before it, ten seconds after it knows at the latest", async () => {
  for (const kind of ["cone", "symmetric"] as const) {
    await using world = new World(3);
    const [home] = await town(world, NAT_BEHAVIOURS[kind]);
    await world.clock.advance(RECORD_RENEW_MS);
    assertEquals(home!.node.record().nat, kind);
    assertEquals(home!.node.record().addresses, []);
    // Whoever has dialled nobody yet was told nothing.
    assertEquals(world.inhabitants[7]!.node.record().nat, "public");
  }
});

Deno.test("where everybody can be dialled nobody is introduced, and nothing is knocked at", async () => {
  await using world = new World(5);
  await town(world, NAT_BEHAVIOURS.cone, 0);
  for (const { node, runtime } of world.inhabitants) {
    assertTrue(node.peers.sessions().every(({ way }) => way === "direct"));
    for (const name of ["punch.asked", "punch.tried", "request.punch_intro"]) {
      assertEquals(runtime.counters.get(name), 0, name);
    }
  }
});

Deno.test("two nodes behind routers find each other in a lookup and stay in each other's tables", async () => {
  await using world = new World(4);
  const [a, b] = await town(world, NAT_BEHAVIOURS.cone, 2);
  await world.clock.advance(RECORD_RENEW_MS);
  const known = await world.run(knows(a!, b!));
  assertTrue(known, "asked by an introducer");
  assertTrue(a!.node.table.get(b!.node.id) !== undefined);
  assertTrue(b!.node.table.get(a!.node.id) !== undefined);
});

/** Whether one reaches the other by what the network says of it alone. */
async function knows(one: Inhabitant, other: Inhabitant): Promise<boolean> {
  await findNodes(one.node, other.node.id, {}, never);
  return one.node.peers.sessions().some(({ id, way }) =>
    keyOf(id) === keyOf(other.node.id) && way === "punched"
  );
}

Deno.test("a machine that is seen at several addresses of its own has nothing before it", () => {
  const own = [{ ip: "10.1.0.5", port: 4433 }, { ip: "10.2.0.5", port: 4433 }];
  const outlook = new OwnOutlook({ realm: "lab", own });
  for (const [at, net] of [1, 2, 3, 4].entries()) {
    outlook.met(met(at, `10.${net}.0.9`, own[at % 2]));
  }
  assertEquals(outlook.kind, "public");
});
