/** Vectors as JSON: valid bytes beside the value they stand for, invalid bytes beside the reason. */
import type { Decoded } from "@tesseras/codec";
import { fromHex, toHex } from "@tesseras/core";

/** Bytes and their value. A bytes value is `{"$bytes": hex}`, an integer beyond 2^53 `{"$integer": digits}`. */
export type ValidVector = {
  readonly name: string;
  readonly hex: string;
  readonly value: Json;
};

/** Bytes that every reader must refuse, and why. */
export type InvalidVector = {
  readonly name: string;
  readonly hex: string;
  readonly why: string;
  /** What the refusal is called; `malformed` where it is left out. */
  readonly code?: string;
};

/** One file of vectors. */
export type VectorFile<V extends ValidVector = ValidVector> = {
  readonly about: string;
  readonly valid: readonly V[];
  readonly invalid: readonly InvalidVector[];
};

/** Anything JSON can say. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** Reads `tests/vectors/<name>.json`. */
export async function loadVectors<V extends ValidVector = ValidVector>(
  name: string,
): Promise<VectorFile<V>> {
  return JSON.parse(await Deno.readTextFile(pathOf(name)));
}

/** Where the vectors of a name are. */
export function pathOf(name: string): URL {
  return new URL(`./${name}.json`, import.meta.url);
}

/** A decoded value as JSON. */
export function toJson(value: Decoded): Json {
  if (value instanceof Uint8Array) return { $bytes: toHex(value) };
  if (typeof value === "bigint") return { $integer: value.toString() };
  if (value instanceof Map) {
    return Object.fromEntries(
      [...value].map(([name, item]) => [name, toJson(item)]),
    );
  }
  if (Array.isArray(value)) return value.map(toJson);
  return value as null | boolean | number | string;
}

/** The value that JSON stands for. */
export function fromJson(json: Json): Decoded {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  const entries = Object.entries(json);
  const [first, ...rest] = entries;
  if (first !== undefined && rest.length === 0) {
    const [name, item] = first;
    if (name === "$bytes") return fromHex(String(item));
    if (name === "$integer") return BigInt(String(item));
  }
  return new Map(entries.map(([name, item]) => [name, fromJson(item)]));
}
