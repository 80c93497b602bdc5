import { VirtualClock } from "@tesseras/core";
import { NODE_RECORD_TTL_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import { mintNode } from "@tesseras/crypto";
import { Table } from "@tesseras/kad";
import { assertEquals } from "@tesseras/testing";
import { never } from "@tesseras/testing/sim";
import { CAPABILITIES, type NodeRecord, signNodeRecord } from "@tesseras/wire";
import { relaysIn } from "./relays.ts";

async function recordOf(seed: number, capabilities: number) {
  const clock = new VirtualClock();
  const bytes = new Uint8Array(32).fill(seed);
  const work = { powBits: POW_BITS_MIN, clock };
  return signNodeRecord({
    addresses: [{ ip: `203.0.113.${seed}`, port: 4433 }],
    capabilities,
    nat: "public",
    sequence: 1,
    expiresAtMs: 1 + NODE_RECORD_TTL_MS,
  }, await mintNode(bytes, work, never));
}

Deno.test("the relays of a table are those that say so", async () => {
  const self = await recordOf(1, 0);
  const table = new Table<NodeRecord>(self.id, { powBits: POW_BITS_MIN });
  const relay = await recordOf(2, CAPABILITIES.RELAY | CAPABILITIES.DHT);
  const other = await recordOf(3, CAPABILITIES.DHT);
  for (const record of [other, relay]) table.observe(record, 0);
  assertEquals(relaysIn(table), [relay]);
});
