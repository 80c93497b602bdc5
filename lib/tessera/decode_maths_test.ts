import { sha512 } from "@noble/hashes/sha2.js";
import { concat, fromHex, toHex, utf8 } from "@tesseras/core";
import { sha256 } from "@tesseras/crypto";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { sampleKeys } from "@tesseras/testing/tessera";
import reedSolomon from "@tesseras/vectors/reed_solomon.json" with {
  type: "json",
};

// Signatures and fragments as the texts of decode/ tell them, computed the way a stranger would.

Deno.test("Ed25519 as signatures.txt tells it accepts our signature, and no other", () => {
  const message = utf8("TESSERA MANIFEST v1\n");
  const signature = sampleKeys.sign(message).ed25519;
  const { ed25519: key } = sampleKeys.publicKeys;
  assertTrue(toldEd25519(key, message, signature));
  assertTrue(!toldEd25519(key, utf8("another"), signature));
});

type Point = readonly [bigint, bigint];
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = b * b % P) {
    if (e & 1n) result = result * b % P;
  }
  return result;
}

/** Division mod p: by the number that gives 1. */
function divide(a: bigint, b: bigint): bigint {
  return ((a % P + P) % P) * power((b % P + P) % P, P - 2n) % P;
}

const D = divide(-121665n, 121666n);

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const cross = D * x1 * x2 * y1 * y2;
  return [
    divide(x1 * y2 + x2 * y1, 1n + cross),
    divide(y1 * y2 + x1 * x2, 1n - cross),
  ];
}

function times(k: bigint, point: Point): Point {
  let result: Point = [0n, 1n];
  for (let p = point, e = k; e > 0n; e >>= 1n, p = add(p, p)) {
    if (e & 1n) result = add(result, p);
  }
  return result;
}

function little(bytes: Uint8Array): bigint {
  return BigInt("0x" + toHex(bytes.toReversed()));
}

function readPoint(bytes: Uint8Array): Point | undefined {
  const written = little(bytes);
  const y = written & (2n ** 255n - 1n);
  const u = divide(y * y - 1n, D * y * y + 1n);
  let x = power(u, (P + 3n) / 8n);
  if (x * x % P !== u) x = x * power(2n, (P - 1n) / 4n) % P;
  if (x * x % P !== u) return undefined;
  return [x % 2n === written >> 255n ? x : P - x, y];
}

function toldEd25519(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const A = readPoint(key);
  const R = readPoint(signature.subarray(0, 32));
  const S = little(signature.subarray(32));
  if (A === undefined || R === undefined || S >= L) return false;
  const h = little(sha512(concat([signature.subarray(0, 32), key, message]))) %
    L;
  // The highest bit is 0, so x is the even one.
  const B = readPoint(littleBytes(divide(4n, 5n)));
  if (B === undefined) return false;
  const left = times(S, B);
  const right = add(R, times(h, A));
  return left[0] === right[0] && left[1] === right[1];
}

function littleBytes(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(64, "0")).toReversed();
}

Deno.test("fragments as reedsolomon.txt tells them are those of an independent library", () => {
  for (
    const { dataCount, parityCount, shardBytes, paritySha256 } of reedSolomon
      .vectors
  ) {
    const data = Array.from(
      { length: dataCount },
      (_, shard) =>
        Uint8Array.from({ length: shardBytes }, (_, at) => {
          const x = shard * shardBytes + at;
          return (x * x + 7 * x + Math.floor(x / 251)) & 255;
        }),
    );
    const parity = toldMatrix(dataCount, parityCount).slice(dataCount)
      .map((row) => sumOf(row, data));
    assertEquals(
      toHex(sha256(concat(parity))),
      paritySha256,
      `${dataCount} + ${parityCount}`,
    );
  }
});

type Table = readonly (readonly number[])[];

function multiply(a: number, b: number): number {
  let [result, double] = [0, a];
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) result ^= double;
    double = double & 0x80 ? ((double << 1) & 255) ^ 0x1d : double << 1;
  }
  return result;
}

/** All products by a number, so that long rows do not take all day. */
function sumOf(
  row: readonly number[],
  shards: readonly Uint8Array[],
): Uint8Array {
  const sum = new Uint8Array(shards[0]!.length);
  row.forEach((factor, column) => {
    const products = Uint8Array.from(
      { length: 256 },
      (_, b) => multiply(factor, b),
    );
    shards[column]!.forEach((byte, at) => sum[at]! ^= products[byte]!);
  });
  return sum;
}

function toldMatrix(dataCount: number, parityCount: number): Table {
  const V = Array.from({ length: dataCount + parityCount }, (_, r) => {
    const row = [1];
    while (row.length < dataCount) row.push(multiply(row.at(-1)!, r));
    return row;
  });
  const T = inverse(V.slice(0, dataCount));
  return V.map((row) =>
    T.map((_, c) => row.reduce((sum, x, i) => sum ^ multiply(x, T[i]![c]!), 0))
  );
}

function inverse(table: Table): Table {
  const size = table.length;
  const rows = table.map((
    row,
    r,
  ) => [...row, ...table.map((_, c) => c === r ? 1 : 0)]);
  for (let c = 0; c < size; c++) {
    const pivot = rows.findIndex((row, r) => r >= c && row[c] !== 0);
    [rows[c], rows[pivot]] = [rows[pivot]!, rows[c]!];
    let one = 1;
    while (multiply(rows[c]![c]!, one) !== 1) one++;
    rows[c] = rows[c]!.map((x) => multiply(x, one));
    for (let r = 0; r < size; r++) {
      const factor = rows[r]![c]!;
      if (r === c || factor === 0) continue;
      rows[r] = rows[r]!.map((x, i) => x ^ multiply(factor, rows[c]![i]!));
    }
  }
  return rows.map((row) => row.slice(size));
}
