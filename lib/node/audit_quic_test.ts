// On real packets: that what is proved in `audit_test.ts` under a virtual clock passes over QUIC, too.
import { MemoryBlobs } from "@tesseras/blobs";
import {
  Counters,
  type Runtime,
  SeededRandom,
  silentLog,
} from "@tesseras/core";
import { MIB, POW_BITS_MIN } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode, nobleMlDsa } from "@tesseras/crypto";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { storeRole } from "@tesseras/roles";
import { MemoryState } from "@tesseras/state";
import { assertEquals } from "@tesseras/testing";
import { never } from "@tesseras/testing/sim";
import { attest } from "./attest.ts";
import { audit } from "./audit.ts";
import { give, sampleOf } from "./audit_for_tests.ts";
import { Node } from "./node.ts";

const powBits = POW_BITS_MIN;

/** A node that stores, on loopback, and its blobs. */
async function start(seed: number) {
  const runtime: Runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const identity = await mintNode(
    new SeededRandom(seed).bytes(32),
    { powBits, clock: systemClock },
    never,
  );
  const limits = { exemptPrivateIps: true };
  const admission = new Admission(limits, runtime);
  const listen = { ip: "127.0.0.1", port: 0 };
  const { admit } = admission;
  const quic = { identity, listen, admit };
  const transport = await openQuic(quic, runtime, never);
  const addresses = [transport.local];
  const blobs = new MemoryBlobs();
  const state = new MemoryState();
  const store = { blobs, state, suite: nobleMlDsa, freeSpaceMin: 0 };
  const node = Node.open(
    { identity, transport, admission, addresses, powBits },
    (made) => [storeRole(made, store)],
    runtime,
  );
  return { node, blobs };
}

Deno.test("QUIC: a holder attests and passes, and admits it once a bit of it has rotted", async () => {
  const { node: holder, blobs } = await start(1);
  await using _holder = holder;
  const { node } = await start(2);
  await using _node = node;
  const record = holder.record();
  const sample = sampleOf(2 * MIB);
  const { plan } = sample;
  const ask = async (): Promise<string> =>
    (await audit(node, record, plan, 0, never)).outcome;
  const said = async () => (await attest(node, record, plan, never)).answer;
  await give(node, record, sample);
  assertEquals([await said(), await ask(), await ask()], [
    "keeps",
    "passed",
    "passed",
  ]);
  // Every group has a bit that is wrong, so whichever leaves are drawn show it.
  for (let at = 0; at < 2 * MIB; at += MIB / 16) {
    blobs.rot(plan.fragments[0]!, at);
  }
  assertEquals([await ask(), await said()], ["admitted", "lost"]);
});
