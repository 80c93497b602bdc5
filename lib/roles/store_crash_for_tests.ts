/**
 * A store that keeps fragments for ever, eight at a time, and prints the plan of each that was acknowledged, while a sweep without
 * any grace clears away what no row names. Run by store_crash_test.ts.
 */
import { Archive } from "@tesseras/archive";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import {
  codeOf,
  Counters,
  type Hash,
  SeededRandom,
  silentLog,
  tesseraId,
  toHex,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { blake3, creatorKeysFromSeed, mintNode } from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { Node, type Role } from "@tesseras/node";
import { openLibsqlState } from "@tesseras/state/libsql";
import { draftPlan, signPlan } from "@tesseras/tessera";
import { storeRole } from "./store.ts";

const never = new AbortController().signal;
const [folder, seed] = Deno.args;
const random = new SeededRandom(Number(seed));
const encoder = new TextEncoder();
const runtime = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  counters: new Counters(),
};
const suite = await nativeMlDsa();
await using blobs = await openDiskBlobs(`${folder}/blobs`, never);
await using state = await openLibsqlState(
  { url: `file://${folder}/db/tesseras.db`, worker: true },
  never,
);
const identity = await mintNode(
  random.bytes(32),
  { powBits: POW_BITS_MIN, clock: systemClock },
  never,
);
const listen = { ip: "127.0.0.1", port: 0 };
let role: Role | undefined;
await using node = Node.open(
  {
    identity,
    transport: await openQuic({ identity, listen }, runtime, never),
    admission: new Admission({}, runtime),
    addresses: [],
    powBits: POW_BITS_MIN,
  },
  (made) => [role = storeRole(made, { blobs, state, suite, freeSpaceMin: 0 })],
  runtime,
);
const keys = creatorKeysFromSeed(random.bytes(32));

async function keepForEver(): Promise<never> {
  for (;;) {
    const content = random.bytes(1_000 + random.below(40_000));
    const plan = signPlan(
      draftPlan({
        tesseraId: tesseraId(random.bytes(32)),
        packBytes: content.length,
        fragments: Array<Hash>(7).fill(blake3(content)),
      }),
      keys,
    );
    while (!await put(plan.bytes, content));
    Deno.stdout.writeSync(encoder.encode(toHex(plan.hash) + "\n"));
  }
}

/** Whether it was acknowledged; it may have to be sent again. */
async function put(plan: Uint8Array, content: Uint8Array): Promise<boolean> {
  const pieces = [content];
  const request = {
    type: "put_fragment",
    plan,
    index: 0,
    bulk: content.length,
  } as const;
  const bulk = {
    bytes: content.length,
    read: () => Promise.resolve(pieces.pop()),
    [Symbol.dispose]: () => {},
  };
  try {
    await role!.handlers.put_fragment!(node.record(), request, bulk, never);
    return true;
  } catch (error) {
    if (codeOf(error) !== "overloaded") throw error;
    return false;
  }
}

async function sweepForEver(): Promise<never> {
  const archive = new Archive({ state, blobs, suite, runtime });
  for (;;) await archive.sweep(0, never);
}

await Promise.all([sweepForEver(), ...Array.from({ length: 8 }, keepForEver)]);
