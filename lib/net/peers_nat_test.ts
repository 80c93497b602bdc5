import { keyOf } from "@tesseras/core";
import { ReflexiveReports } from "@tesseras/nat";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { TestNode } from "./node_for_tests.ts";
import { NAT_BEHAVIOURS, type NatBehaviour } from "./sim.ts";
import { askPing, World } from "./world_for_tests.ts";

/** Public nodes in three subnets, and one that dials them from behind a router. */
async function household(world: World, behaviour: NatBehaviour) {
  const nat = world.network.nat("home", "198.51.100.7", behaviour);
  const outside: TestNode[] = [];
  for (const seed of [1, 257, 513]) outside.push(await world.node(seed));
  const inside = await world.node(9, { hidden: true }, nat);
  for (const node of outside) {
    await world.clock.run(askPing(inside, node.record));
  }
  return { nat, inside, outside };
}

Deno.test("a node behind a NAT learns its outer address from those it meets, and whether it has one", async () => {
  for (const kind of ["cone", "symmetric"] as const) {
    await using world = new World(1);
    const { nat, inside, outside } = await household(
      world,
      NAT_BEHAVIOURS[kind],
    );
    assertTrue(
      inside.met.every((met) => met.endsWith(`:${nat.ip}`)),
      `${inside.met}`,
    );
    const reports = new ReflexiveReports("lab");
    for (const { record, peers } of outside) {
      const verdict = reports.take({
        reporter: keyOf(record.id),
        connection: peers,
        from: record.addresses[0]!,
        observed: peers.remoteOf(inside.record.id)!,
      });
      assertEquals(verdict, "taken");
    }
    const { mapping, confirmed } = reports.outlook(4);
    assertEquals(mapping, kind);
    assertEquals(confirmed?.ip, kind === "cone" ? nat.ip : undefined);
  }
});

Deno.test("a node behind a NAT serves over the connections it opened, hours later, too", async () => {
  await using world = new World(2);
  const { inside, outside } = await household(world, NAT_BEHAVIOURS.symmetric);
  await world.clock.advance(3 * 3_600_000);
  for (const node of outside) {
    await world.clock.run(askPing(node, inside.record));
  }
});

Deno.test("a rebinding costs a node behind a NAT none of its sessions, and the next question finds it", async () => {
  await using world = new World(3);
  const { nat, inside, outside } = await household(world, NAT_BEHAVIOURS.cone);
  const [first] = outside;
  nat.rebind("198.51.100.99");
  await world.clock.run(askPing(inside, first!.record));
  assertEquals(first!.peers.remoteOf(inside.record.id)?.ip, "198.51.100.99");
  await world.clock.run(askPing(first!, inside.record));
  assertEquals(
    inside.counted("peers.dialled"),
    outside.length,
    "nobody was dialled anew",
  );
});
