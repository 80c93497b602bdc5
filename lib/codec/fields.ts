/**
 * Typed reading of decoded values. Every call carries a limit, so an unbounded field cannot be written; what is not
 * asked for is ignored, so that a newer peer may say more.
 */
import { TesserasError } from "@tesseras/core";
import { decode, type Decoded } from "./decode.ts";
import type { DecodeLimits } from "./scan.ts";

/** How long a byte string is, or may be. */
export type BytesSize = { readonly exact: number } | { readonly max: number };

/**
 * Decodes bytes that must be a map.
 *
 * @param what the name of the thing, for the sentences of errors
 * @throws `malformed`
 */
export function readFields(
  bytes: Uint8Array,
  limits: DecodeLimits,
  what: string,
): Fields {
  return new Field(decode(bytes, limits), what).map();
}

/** One value with the name it is known by in errors. Every method throws `malformed` when the value is not what it reads. */
export class Field {
  readonly #value: Decoded | undefined;
  readonly #path: string;

  constructor(value: Decoded | undefined, path: string) {
    this.#value = value;
    this.#path = path;
  }

  /** A whole number from 0 to `max`, which is at most 2^53 - 1. */
  uint(max: number): number {
    const value = this.#value;
    if (typeof value === "number" && value >= 0 && value <= max) return value;
    return this.refuse(`a whole number from 0 to ${max}`);
  }

  /** A whole number from 0 to 2^64 - 1. */
  u64(): bigint {
    const value = this.#value;
    if (typeof value === "bigint" && value >= 0n) return value;
    if (typeof value === "number" && value >= 0) return BigInt(value);
    return this.refuse("a whole number of 64 bits");
  }

  /** A truth value. */
  flag(): boolean {
    const value = this.#value;
    return typeof value === "boolean" ? value : this.refuse("true or false");
  }

  /** A byte string; the caller owns it. */
  bytes(size: BytesSize): Uint8Array {
    const value = this.#value;
    if (value instanceof Uint8Array) {
      if ("exact" in size && value.length === size.exact) return value;
      if ("max" in size && value.length <= size.max) return value;
    }
    return this.refuse(
      "exact" in size
        ? `${size.exact} bytes`
        : `a byte string of at most ${size.max}`,
    );
  }

  /** A text of at most `bytesMax` bytes of UTF-8. */
  text(bytesMax: number): string {
    const value = this.#value;
    // A UTF-16 unit is at most three bytes, so most texts need no counting.
    if (
      typeof value === "string" &&
      (3 * value.length <= bytesMax || utf8Length(value) <= bytesMax)
    ) return value;
    return this.refuse(`a text of at most ${bytesMax} bytes`);
  }

  /** An array of at most `countMax` values, each read by `read`. */
  list<T>(countMax: number, read: (item: Field) => T): readonly T[] {
    const value = this.#value;
    if (!isList(value) || value.length > countMax) {
      return this.refuse(`a list of at most ${countMax}`);
    }
    return value.map((item, index) =>
      read(new Field(item, `${this.#path}[${index}]`))
    );
  }

  /** A map. */
  map(): Fields {
    const value = this.#value;
    if (value instanceof Map) return new Fields(value, this.#path);
    return this.refuse("a map");
  }

  /** Fails with what this is and what was wanted; for readers that know more than a type. */
  refuse(wanted: string): never {
    throw new TesserasError(
      "malformed",
      `Cannot read ${this.#path}: ${describe(this.#value)}, wanted ${wanted}`,
    );
  }
}

/** The fields of a map by name. Methods without `optional` throw `malformed` also when the field is absent. */
export class Fields {
  readonly #map: ReadonlyMap<string, Decoded>;
  readonly #path: string;

  constructor(map: ReadonlyMap<string, Decoded>, path: string) {
    this.#map = map;
    this.#path = path;
  }

  /** The field, there or not. */
  at(name: string): Field {
    return new Field(this.#map.get(name), `${this.#path}.${name}`);
  }

  /** What `read` makes of the field, or `undefined` when it is absent. A nil is not absent. */
  optional<T>(name: string, read: (field: Field) => T): T | undefined {
    return this.#map.has(name) ? read(this.at(name)) : undefined;
  }

  /** See {@link Field.uint}. */
  uint(name: string, max: number): number {
    return this.at(name).uint(max);
  }

  /** See {@link Field.u64}. */
  u64(name: string): bigint {
    return this.at(name).u64();
  }

  /** See {@link Field.bytes}. */
  bytes(name: string, size: BytesSize): Uint8Array {
    return this.at(name).bytes(size);
  }

  /** See {@link Field.text}. */
  text(name: string, bytesMax: number): string {
    return this.at(name).text(bytesMax);
  }

  /** See {@link Field.list}. */
  list<T>(
    name: string,
    countMax: number,
    read: (item: Field) => T,
  ): readonly T[] {
    return this.at(name).list(countMax, read);
  }

  /** See {@link Field.map}. */
  map(name: string): Fields {
    return this.at(name).map();
  }

  /** {@link uint}, or `undefined` when the field is absent. */
  optionalUint(name: string, max: number): number | undefined {
    return this.optional(name, (field) => field.uint(max));
  }

  /** {@link bytes}, or `undefined` when the field is absent. */
  optionalBytes(name: string, size: BytesSize): Uint8Array | undefined {
    return this.optional(name, (field) => field.bytes(size));
  }

  /** {@link text}, or `undefined` when the field is absent. */
  optionalText(name: string, bytesMax: number): string | undefined {
    return this.optional(name, (field) => field.text(bytesMax));
  }

  /** {@link map}, or `undefined` when the field is absent. */
  optionalMap(name: string): Fields | undefined {
    return this.optional(name, (field) => field.map());
  }
}

function isList(value: Decoded | undefined): value is readonly Decoded[] {
  return Array.isArray(value);
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return length;
}

/** A value in a few words: never the text or bytes themselves, which a peer chose. */
function describe(value: Decoded | undefined): string {
  if (value === undefined) return "absent";
  if (value === null) return "nil";
  if (typeof value === "string") return `a text of ${value.length} characters`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (isList(value)) return `a list of ${value.length}`;
  return typeof value === "object" ? "a map" : String(value);
}
