import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { nodeId } from "@tesseras/core";
import {
  NODE_RECORD_TTL_MS,
  PING_FAILURES_MAX,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import type { Handler } from "@tesseras/net";
import { never, World } from "@tesseras/testing/sim";
import { join } from "./join.ts";

const nodes: Handler = () =>
  Promise.resolve({ response: { type: "nodes", records: [] } });

Deno.test("a pong with the record of another puts nobody into the table", async () => {
  const world = new World(1);
  await using _world = world;
  const [one] = await world.grow(1, ["dht"]);
  const ghost = world.recordOf(await world.identity(), [
    { ip: "12.0.0.1", port: 4433 },
  ]);
  const rogue = await world.rogue((_from, request) =>
    Promise.resolve({
      response: request.type === "ping"
        ? { type: "pong", record: ghost.bytes, observed: one!.address }
        : { type: "nodes", records: [] },
    })
  );
  await assertRejectsCode(
    world.run(one!.node.ping(rogue.record, never)),
    "forged",
    /the record of/,
  );
  assertEquals(one!.node.table.get(ghost.id), undefined);
  assertEquals(one!.runtime.counters.get("ping.forged"), 1);
  await assertRejectsCode(
    world.run(join(one!.node, [rogue.record], never)),
    "unreachable",
    /none of 1 known peers/,
  );
});

Deno.test("a peer that is silent while others answer leaves the table at the third failure", async () => {
  const world = new World(2);
  await using _world = world;
  const [one] = await world.grow(3, ["dht"]);
  let isSilent = false;
  const rogue = await world.rogue(async (_from, _request, _bulk, signal) => {
    if (isSilent) await world.clock.sleep(1e9, signal);
    return { response: { type: "nodes", records: [] } };
  });
  const ask = () =>
    one!.node.ask(
      rogue.record,
      { type: "find_node", target: one!.node.id, want: 0 },
      {},
      world.clock.deadline(QUERY_TIMEOUT_MS, never).signal,
    );
  await world.run(ask());
  assertTrue(one!.node.table.get(rogue.record.id) !== undefined);
  isSilent = true;
  const friend = world.inhabitants[1]!.node.record();
  for (let failure = 1; failure <= PING_FAILURES_MAX; failure++) {
    // Two questions that meet the same silence are one failure.
    const both = Promise.allSettled([ask(), ask()]);
    await world.clock.advance(10);
    await world.run(one!.node.ping(friend, never));
    await world.run(both);
    assertEquals(
      one!.node.table.get(rogue.record.id) === undefined,
      failure === PING_FAILURES_MAX,
    );
  }
  assertEquals(one!.runtime.counters.get("table.removed"), 1);
});

Deno.test("a refusal is an answer, a made-up answer is not", async () => {
  const world = new World(3);
  await using _world = world;
  const [one] = await world.grow(2, ["dht"]);
  const friend = world.inhabitants[1]!.node.record();
  for (const type of ["error", "pong"] as const) {
    const rogue = await world.rogue((from) =>
      Promise.resolve({
        response: type === "error"
          ? { type, code: "refused", text: "No" }
          : { type, record: from.bytes, observed: one!.address },
      })
    );
    for (let i = 0; i < PING_FAILURES_MAX; i++) {
      const asking = one!.node.ask(
        rogue.record,
        { type: "find_node", target: one!.node.id, want: 0 },
        {},
        never,
      );
      const hearing = one!.node.ping(friend, never);
      await assertRejectsCode(
        world.run(asking),
        type === "error" ? "refused" : "malformed",
      );
      await world.run(hearing);
      await world.clock.advance(1_000);
    }
    const known = one!.node.table.get(rogue.record.id);
    assertEquals(known !== undefined, type === "error");
  }
});

Deno.test("a full subnet is refused and counted", async () => {
  const world = new World(4);
  await using _world = world;
  const one = await world.add(["dht"], {
    node: { subnetPeersMax: { bucket: 1, table: 2 } },
  });
  for (let host = 1; host <= 6; host++) {
    const other = await world.add(["dht"], {
      address: { ip: `13.0.0.${host}`, port: 4433 },
    });
    await world.run(join(other.node, [one.address], never));
  }
  assertTrue(one.node.table.size <= 2);
  assertTrue(one.runtime.counters.get("table.refused") >= 4);
});

Deno.test("a full bucket keeps those that live and lets a newcomer in for one that died", async () => {
  const world = new World(5);
  await using _world = world;
  const one = await world.add(["dht"], { node: { bucketPeersMax: 2 } });
  // The work of an id zeroes its first byte, so the farthest bucket anybody is in begins with the second.
  const far = (id: Uint8Array) => ((id[1]! ^ one.node.id[1]!) & 0x80) !== 0;
  const identities: NodeSigner[] = [];
  while (identities.length < 4) {
    const identity = await world.identity();
    if (far(identity.id)) identities.push(identity);
  }
  const enter = async (identity: NodeSigner) => {
    const peer = await world.add([], { identity });
    await world.run(join(peer.node, [one.address], never));
    return peer;
  };
  const [first, second] = [
    await enter(identities[0]!),
    await enter(identities[1]!),
  ];
  // Both have not been heard of for a while, and both live.
  await world.clock.advance(5 * 60_000);
  const third = await enter(identities[2]!);
  await world.clock.advance(10_000);
  assertEquals(one.node.table.get(third.node.id), undefined);
  assertTrue(one.node.table.get(first.node.id) !== undefined);
  world.crash(first);
  for (let minute = 0; minute < 30; minute++) {
    await world.clock.advance(2 * 60_000);
    await world.run(third.node.ping(one.node.record(), never));
    await world.run(second.node.ping(one.node.record(), never));
  }
  await enter(identities[3]!);
  for (let minute = 0; minute < 10; minute++) {
    await world.run(third.node.ping(one.node.record(), never));
    await world.clock.advance(2 * 60_000);
  }
  assertEquals(one.node.table.get(first.node.id), undefined);
  assertEquals(one.node.table.size, 2);
});

Deno.test("our record is renewed at half its life, each with a higher sequence", async () => {
  const world = new World(6);
  await using _world = world;
  const one = await world.add(["dht"]);
  const first = one.node.record();
  assertEquals(one.node.record(), first);
  await world.clock.advance(NODE_RECORD_TTL_MS / 2 + 1);
  const second = one.node.record();
  assertTrue(second.sequence > first.sequence);
  assertTrue(second.expiresAtMs > world.clock.nowMs() + NODE_RECORD_TTL_MS / 2);
});

Deno.test("find_node names no peer whose record has run out, nor the asker", async () => {
  const world = new World(7);
  await using _world = world;
  const [one, two, three] = await world.grow(3, ["dht"]);
  const rogue = await world.rogue(nodes);
  const ask = async () => {
    const { response } = await world.run(
      rogue.peers.ask(
        one!.node.record(),
        { type: "find_node", target: nodeId(new Uint8Array(20)), want: 0 },
        {},
        never,
      ),
    );
    return response.records.length;
  };
  assertEquals(await ask(), 2);
  world.crash(two!);
  world.crash(three!);
  await world.clock.advance(NODE_RECORD_TTL_MS + 1);
  const again = await world.rogue(nodes);
  const { response } = await world.run(
    again.peers.ask(
      one!.node.record(),
      { type: "find_node", target: nodeId(new Uint8Array(20)), want: 0 },
      {},
      never,
    ),
  );
  assertEquals(response.records, []);
});

Deno.test("what no role offers is refused", async () => {
  const world = new World(8);
  await using _world = world;
  const [one, two] = await world.grow(2, ["bootstrap"]);
  await assertRejectsCode(
    world.run(
      two!.node.ask(
        one!.node.record(),
        {
          type: "store",
          entries: [],
        },
        {},
        never,
      ),
    ),
    "refused",
    /does not offer it/,
  );
});
