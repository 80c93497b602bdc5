// On real packets: what only the platform can get wrong. Everything else is in `peers_test.ts`, under a virtual clock.
import { equal } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { bulkOf, collectBulk } from "./bulk.ts";
import {
  fragmentOf,
  identityOf,
  never,
  type NodeOptions,
  patternBytes,
  putOf,
  recordOf,
  runtimeOn,
  startNode,
  type TestNode,
} from "./node_for_tests.ts";
import { openQuic } from "./quic.ts";
import { NodeProcess } from "./quic_process_for_tests.ts";

const ping = { type: "ping" } as const;

function node(seed: number, options: NodeOptions = {}): Promise<TestNode> {
  const runtime = runtimeOn(systemClock, systemRandom);
  const listen = { ip: "127.0.0.1", port: 0 };
  return startNode({
    seed,
    options,
    runtime,
    open: (identity, admit) =>
      openQuic({ identity, listen, admit }, runtime, never),
  });
}

Deno.test("QUIC: two nodes meet, and ask each other over one connection", async () => {
  await using a = await node(1);
  await using b = await node(2, { hidden: true });
  const { response } = await b.peers.ask(a.record, ping, {}, never);
  assertTrue(equal(response.record, a.record.bytes));
  // b has told nobody where it is: a asks over the connection that b opened.
  const back = await a.peers.ask(b.record, ping, {}, never);
  assertTrue(equal(back.response.record, b.record.bytes));
  assertEquals([a.peers.sessions().length, b.peers.sessions().length], [1, 1]);
  assertEquals(b.met, [`${a.record.id[1]}:127.0.0.1`]);
});

Deno.test("QUIC: refuses whoever answers with another key", async () => {
  await using a = await node(1);
  await using b = await node(2);
  const stranger = await identityOf(3);
  const lie = recordOf(stranger, [a.transport.local], systemClock.nowMs());
  await assertRejectsCode(b.peers.ask(lie, ping, {}, never), "forged");
  assertEquals(a.peers.sessions(), []);
});

Deno.test("QUIC: a first contact learns who answers, and can then ask it pinned", async () => {
  await using a = await node(1);
  await using b = await node(2);
  const record = await b.peers.firstContact(a.transport.local, never);
  assertTrue(equal(record.id, a.record.id));
  assertEquals(b.peers.sessions(), []);
  await b.peers.ask(record, ping, {}, never);
  assertEquals(b.peers.sessions().length, 1);
});

Deno.test("QUIC: 8 MiB arrive whole in both directions", async () => {
  await using a = await node(1);
  await using b = await node(2);
  const bytes = patternBytes(8 * MIB);
  const kept = await b.peers.ask(
    a.record,
    putOf(bytes.length),
    { bulk: bulkOf(bytes) },
    never,
  );
  assertEquals(kept.response.provider, bytes.slice(0, 8));
  const given = await b.peers.ask(
    a.record,
    fragmentOf(bytes.length),
    {},
    never,
  );
  assertTrue(equal(await collectBulk(given.bulk!, never), bytes));
  const held = await a.peers.ask(
    b.record,
    putOf(bytes.length),
    { bulk: bulkOf(bytes) },
    never,
  );
  assertEquals(held.response.type, "kept");
});

Deno.test("QUIC: a refused put ends long before its octets are sent", async () => {
  await using a = await node(1);
  await using b = await node(2);
  let takenBytes = 0;
  const bulk = {
    bytes: 32 * MIB,
    async *chunks() {
      for (let i = 0; i < 32; i++) {
        takenBytes += MIB;
        yield new Uint8Array(MIB);
      }
    },
  };
  for (let i = 0; i < 20; i++) {
    const asked = b.peers.ask(a.record, putOf(bulk.bytes, 1), { bulk }, never);
    await assertRejectsCode(asked, "diskFull");
  }
  assertTrue(takenBytes < 20 * 16 * MIB, `${takenBytes} bytes were taken`);
  await b.peers.ask(a.record, ping, {}, never);
});

Deno.test("QUIC: bulk that nobody reads gives its stream back", async () => {
  await using a = await node(1);
  await using b = await node(2);
  for (let i = 0; i < 40; i++) {
    const { bulk } = await b.peers.ask(
      a.record,
      fragmentOf(4 * MIB),
      {},
      never,
    );
    using reading = bulk!;
    await reading.read(never);
  }
  assertEquals(b.peers.sessions()[0]?.busyCount, 0);
});

Deno.test("QUIC: an abort in the middle leaves nothing open", async () => {
  await using a = await node(1, {
    handler: async (_from, _request, _bulk, signal) => {
      await systemClock.sleep(60_000, signal);
      throw new Error("nobody waits so long");
    },
  });
  await using b = await node(2);
  const stop = new AbortController();
  const asked = b.peers.ask(a.record, ping, {}, stop.signal);
  await systemClock.sleep(50, never);
  stop.abort();
  await assertRejectsCode(asked, "cancelled");
  assertEquals(b.peers.sessions()[0]?.busyCount, 0);
});

Deno.test("QUIC: a node that stops says goodbye to those it is connected to", async () => {
  await using a = await node(1);
  {
    await using b = await node(2);
    await b.peers.ask(a.record, ping, {}, never);
    assertEquals(a.left, []);
  }
  using patience = systemClock.deadline(30_000, never);
  while (a.left.length === 0) await systemClock.sleep(5, patience.signal);
  assertEquals(a.left, [`${(await identityOf(2)).id[1]}`]);
  assertEquals(a.peers.sessions(), []);
});

// Two processes start here, which takes a second or more each.
Deno.test("QUIC: a process killed and started again at its port answers its old neighbours", async () => {
  await using b = await node(2);
  const identity = await identityOf(1);
  const recordAt = (port: number) =>
    recordOf(identity, [{ ip: "127.0.0.1", port }], systemClock.nowMs());
  let port: number;
  {
    await using a = await NodeProcess.start(1, 0);
    port = a.port;
    await b.peers.ask(recordAt(port), ping, {}, never);
  }
  await using again = await NodeProcess.start(1, port);
  assertEquals(again.port, port);
  assertEquals(b.peers.sessions().length, 1, "it does not know yet");
  const [pong, given] = await Promise.all([
    b.peers.ask(recordAt(port), ping, {}, never),
    b.peers.ask(recordAt(port), fragmentOf(1000), {}, never),
  ]);
  assertEquals(pong.response.type, "pong");
  assertEquals((await collectBulk(given.bulk!, never)).length, 1000);
  assertEquals(b.counted("peers.silent_dialled"), 1);
  assertEquals(b.counted("peers.redialled"), 2);
});
