/**
 * Writes the valid vectors of MessagePack, messages and records anew and keeps the invalid ones, which are written by
 * hand and by the fuzzer's finds: `deno run -A tests/vectors/generate.ts`.
 */
import { decode, encode } from "@tesseras/codec";
import { toHex } from "@tesseras/core";
import {
  LENGTH_BYTES,
  MESSAGE_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
} from "@tesseras/core/limits";
import { encodeFrame } from "@tesseras/wire";
import { messageSamples } from "./message_samples.ts";
import { recordSamples } from "./record_samples.ts";
import {
  fromJson,
  type Json,
  loadVectors,
  pathOf,
  toJson,
  type ValidVector,
} from "./vector_file.ts";

const LIMITS = {
  bytesMax: MESSAGE_BYTES_MAX,
  depthMax: MESSAGE_DEPTH_MAX,
  itemsMax: MESSAGE_ITEMS_MAX,
};

const VALUES: readonly (readonly [string, Json])[] = [
  ["nil", null],
  ["false", false],
  ["true", true],
  ...[0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296].map(number),
  number(9007199254740991),
  integer("9007199254740993"),
  integer("18446744073709551615"),
  ...[-1, -32, -33, -128, -129, -32768, -32769, -2147483648].map(number),
  number(-2147483649),
  integer("-9223372036854775808"),
  ["empty text", ""],
  ["text of 31 bytes", "a".repeat(31)],
  ["text of 32 bytes", "a".repeat(32)],
  ["text of 32 bytes in 16 characters", "é".repeat(16)],
  ["text of 256 bytes", "a".repeat(256)],
  ["text of every UTF-8 length", "aé€😀"],
  ["text with NUL and a byte order mark inside", "a\u0000\ufeff"],
  ["empty bytes", { $bytes: "" }],
  ["bytes of 255", { $bytes: "ab".repeat(255) }],
  ["bytes of 256", { $bytes: "ab".repeat(256) }],
  ["empty array", []],
  ["array of 15", Array(15).fill(1)],
  ["array of 16", Array(16).fill(1)],
  ["empty map", {}],
  ["map in the order it was written", { b: 1, a: 2 }],
  ["map of 15", numbered(15)],
  ["map of 16", numbered(16)],
  ["name of 255 bytes", { ["n".repeat(255)]: 1 }],
  ["nesting of 8", [[[[[[[[]]]]]]]]],
];

function number(value: number): readonly [string, Json] {
  return [`integer ${value}`, value];
}

function integer(digits: string): readonly [string, Json] {
  return [`integer ${digits}`, { $integer: digits }];
}

function numbered(count: number): Json {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`n${index}`, index]),
  );
}

async function write(
  name: string,
  about: string,
  valid: readonly ValidVector[],
): Promise<void> {
  const { invalid } = await loadVectors(name);
  const text = JSON.stringify({ about, valid, invalid }, undefined, 1);
  await Deno.writeTextFile(pathOf(name), `${text}\n`);
}

await write(
  "msgpack",
  "MessagePack in its one accepted form. Limits: 65536 bytes, depth 8, 4096 values. " +
    "A value {$bytes} is a byte string in hexadecimal, {$integer} an integer beyond 2^53.",
  VALUES.map(([name, value]) => ({
    name,
    hex: toHex(encode(fromJson(value))),
    value,
  })),
);

await write(
  "messages",
  "Whole frames: 4 bytes of length, then the envelope. The value is the envelope as MessagePack has it.",
  messageSamples().map(({ name, envelope }) => {
    const frame = encodeFrame(envelope);
    const value = toJson(decode(frame.subarray(LENGTH_BYTES), LIMITS));
    return { name, hex: toHex(frame), value };
  }),
);

await write(
  "records",
  "Signed records and a hello's proof, judged at nowMs 1800000000000 with 8 bits of work. The value is the payload; " +
    "seed is the Ed25519 secret (RFC 8032) of the signer, id its node id, signed the bytes under the signature.",
  recordSamples(),
);
