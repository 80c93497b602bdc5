import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { decode, encode } from "@tesseras/codec";
import { type ErrorCode, fromHex, nodeId, toHex } from "@tesseras/core";
import {
  LENGTH_BYTES,
  MESSAGE_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
} from "@tesseras/core/limits";
import { ed25519KeyFromSeed, verifyEd25519 } from "@tesseras/crypto";
import {
  decodeMessage,
  encodeFrame,
  type Envelope,
  frameLength,
  proofBytes,
  readNodeRecord,
  readProviderRecord,
  REGISTRY,
} from "@tesseras/wire";
import { messageSamples } from "./vectors/message_samples.ts";
import {
  readFreshKind,
  RECORD_RULES,
  recordSamples,
  type RecordVector,
} from "./vectors/record_samples.ts";
import {
  fromJson,
  type InvalidVector,
  loadVectors,
  toJson,
} from "./vectors/vector_file.ts";

const LIMITS = {
  bytesMax: MESSAGE_BYTES_MAX,
  depthMax: MESSAGE_DEPTH_MAX,
  itemsMax: MESSAGE_ITEMS_MAX,
};

function readFrame(frame: Uint8Array): Envelope {
  const length = frameLength(frame.subarray(0, LENGTH_BYTES));
  return decodeMessage(frame.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
}

function readRecord(kind: string, bytes: Uint8Array): { bytes: Uint8Array } {
  const fresh = readFreshKind(kind, bytes);
  if (fresh !== undefined) return fresh;
  return kind === "provider"
    ? readProviderRecord(bytes, RECORD_RULES)
    : readNodeRecord(bytes, RECORD_RULES);
}

/** Every invalid vector is refused with its code; a failure names it. */
function refusesAll(
  invalid: readonly InvalidVector[],
  read: (vector: InvalidVector) => unknown,
): void {
  assertTrue(invalid.length > 20);
  for (const vector of invalid) {
    try {
      assertThrowsCode(
        () => read(vector),
        (vector.code ?? "malformed") as ErrorCode,
      );
    } catch (cause) {
      throw new Error(`${vector.name}: ${vector.why}`, { cause });
    }
  }
}

Deno.test("MessagePack vectors decode to their value and encode to their bytes", async () => {
  const { valid, invalid } = await loadVectors("msgpack");
  assertTrue(valid.length > 30);
  for (const { name, hex, value } of valid) {
    const decoded = decode(fromHex(hex), LIMITS);
    assertEquals(decoded, fromJson(value), name);
    assertEquals(toJson(decoded), value, name);
    assertEquals(toHex(encode(decoded)), hex, name);
  }
  refusesAll(invalid, ({ hex }) => decode(fromHex(hex), LIMITS));
});

Deno.test("message vectors read, and write to the same bytes", async () => {
  const { valid, invalid } = await loadVectors("messages");
  for (const { name, hex, value } of valid) {
    const envelope = readFrame(fromHex(hex));
    assertEquals(toHex(encodeFrame(envelope)), hex, name);
    const payload = fromHex(hex).subarray(LENGTH_BYTES);
    assertEquals(toJson(decode(payload, LIMITS)), value, name);
  }
  refusesAll(invalid, ({ hex }) => readFrame(fromHex(hex)));
});

Deno.test("message vectors cover every message", async () => {
  const { valid } = await loadVectors("messages");
  const seen = new Set(
    valid.map(({ hex }) => readFrame(fromHex(hex)).body.type),
  );
  assertEquals([...seen].sort(), Object.keys(REGISTRY).sort());
});

Deno.test("record vectors verify, and sign to the same bytes", async () => {
  const { valid, invalid } = await loadVectors<RecordVector>("records");
  for (const { name, kind, hex, id, seed, signed, value } of valid) {
    const bytes = fromHex(hex);
    const key = ed25519KeyFromSeed(fromHex(seed));
    if (kind === "proof") {
      const { nonce, answerer, dialer } = value as Record<string, string>;
      const message = proofBytes(
        fromHex(nonce!),
        nodeId(fromHex(answerer!)),
        nodeId(fromHex(dialer!)),
      );
      assertEquals(toHex(message), signed, name);
      assertTrue(verifyEd25519(key.publicKey, message, bytes), name);
      continue;
    }
    const record = readFreshKind(kind, bytes) ??
      (kind === "node"
        ? readNodeRecord(bytes, RECORD_RULES)
        : readProviderRecord(bytes, RECORD_RULES));
    assertEquals(toHex("id" in record ? record.id : record.holder), id, name);
    assertEquals(toHex(record.bytes), hex, name);
    // The tag ends with the first line feed.
    const payload = fromHex(signed).slice(fromHex(signed).indexOf(0x0a) + 1);
    const s = key.sign(fromHex(signed));
    assertEquals(toHex(encode({ p: payload, s })), hex, name);
    assertEquals(toJson(decode(payload, LIMITS)), value, name);
  }
  refusesAll(invalid, (vector) => {
    const { kind } = vector as InvalidVector & { readonly kind: string };
    return readRecord(kind, fromHex(vector.hex));
  });
});

Deno.test("committed vectors are those the generator writes", async () => {
  const messages = await loadVectors("messages");
  assertEquals(
    messages.valid.map(({ name, hex }) => ({ name, hex })),
    messageSamples().map(({ name, envelope }) => ({
      name,
      hex: toHex(encodeFrame(envelope)),
    })),
  );
  const records = await loadVectors<RecordVector>("records");
  assertEquals(records.valid, recordSamples());
});
