/** Frames a second, beside bare msgpackr, and records a second, beside the bare signature: `deno run -A lib/wire/frame_bench.ts`. */
import { nodeId } from "@tesseras/core";
import {
  ed25519KeyFromSeed,
  findNonce,
  nodeIdOf,
  verifyEd25519,
} from "@tesseras/crypto";
import { Packr } from "msgpackr/index-no-eval";
import { decodeMessage, encodeFrame } from "./frame.ts";
import { readNodeRecord, signNodeRecord } from "./node_record.ts";
import { RecordCache } from "./record_cache.ts";
import type { Message } from "./registry.ts";

const NOW = 1_800_000_000_000;
const key = ed25519KeyFromSeed(new Uint8Array(32).fill(1));
const powNonce = findNonce(key.publicKey, 8, { from: 0n, attempts: 1 << 20 })!;
const id = nodeIdOf(key.publicKey, powNonce);
const record = signNodeRecord({
  addresses: [{ ip: "192.0.2.7", port: 4433 }],
  capabilities: 3,
  nat: "public",
  sequence: NOW,
  expiresAtMs: NOW + 3_600_000,
}, { ...key, powNonce, id });

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: false,
  copyBuffers: true,
});
const MESSAGES: readonly Message[] = [
  { type: "find_node", target: nodeId(new Uint8Array(20)), want: 2 },
  { type: "nodes", records: Array(20).fill(record.bytes) },
];

for (const body of MESSAGES) {
  const envelope = { v: 1, id: 7, body };
  const bare = perSecond(() => packr.unpack(packr.pack(envelope)));
  const ours = perSecond(() =>
    decodeMessage(encodeFrame(envelope).subarray(4))
  );
  print(`wire.frame.${body.type}`, ours, ["msgpackr pack and unpack", bare]);
}

const rules = { nowMs: NOW, powBits: 8 };
const message = new Uint8Array(record.bytes.length);
const signature = key.sign(message);
const verify = perSecond(() =>
  verifyEd25519(key.publicKey, message, signature)
);
const cache = new RecordCache(8, 16);
const read = perSecond(() => readNodeRecord(record.bytes, rules));
const again = perSecond(() => cache.node(record.bytes, NOW));
print("wire.node_record", read, ["Ed25519 verify alone", verify]);
print("wire.node_record.again", again, ["Ed25519 verify alone", verify]);

/** Calls a second, the best of five runs of 200 ms after a warm-up. */
function perSecond(call: () => unknown): number {
  let best = 0;
  for (let run = 0; run < 6; run++) {
    const startMs = performance.now();
    let count = 0;
    while (performance.now() - startMs < 200) {
      for (let i = 0; i < 50; i++) call();
      count += 50;
    }
    const rate = 1000 * count / (performance.now() - startMs);
    if (run > 0) best = Math.max(best, rate);
  }
  return best;
}

function print(
  name: string,
  value: number,
  [reference, referenceValue]: readonly [string, number],
): void {
  console.log(JSON.stringify({
    name,
    value: Math.round(value),
    unit: "1/s",
    reference: { name: reference, value: Math.round(referenceValue) },
    ratio: Number((value / referenceValue).toFixed(2)),
  }));
}
