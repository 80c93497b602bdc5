import { CONNECTION_IDLE_MS, NODE_RECORD_TTL_MS } from "@tesseras/core/limits";
import { never, World } from "@tesseras/testing/sim";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { signNodeRecord } from "@tesseras/wire";

Deno.test("an old record of a peer that has moved, handed on by a stranger, leads nobody astray", async () => {
  const world = new World(1);
  await using _world = world;
  const [one, moved] = await world.grow(2, ["dht"]);
  const fresh = moved!.node.record();
  const old = signNodeRecord({
    addresses: [{ ip: "12.0.0.1", port: 4433 }],
    capabilities: fresh.capabilities,
    nat: "unknown",
    sequence: fresh.sequence - 3_600_000,
    expiresAtMs: fresh.sequence - 3_600_000 + NODE_RECORD_TTL_MS,
  }, moved!.node.identity);
  // What is open would be used whatever a record says.
  await world.clock.advance(2 * CONNECTION_IDLE_MS);
  assertEquals(one!.node.peers.sessions(), []);
  const request = { type: "find_node", target: one!.node.id, want: 0 } as const;
  const asked = one!.node.ask(old, request, {}, never);
  assertEquals((await world.run(asked)).response.type, "nodes");
  assertEquals(one!.runtime.counters.get("rpc.failed"), 0);
  const known = one!.node.table.get(fresh.id);
  assertTrue(known !== undefined && known.sequence >= fresh.sequence);
});
