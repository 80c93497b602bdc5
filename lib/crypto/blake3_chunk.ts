/**
 * The proof of a single chunk from a tree of larger groups. Whoever must prove chunks of much content keeps 1/512 of it and
 * reads one group for each, instead of keeping the value of every chunk: 1/32, four times as long to make, and a long climb.
 */
import { TesserasError } from "@tesseras/core";
import { CHUNK_BYTES, VALUE_BYTES } from "./blake3_engine.ts";
import {
  type ContentShape,
  type Division,
  divisionOf,
  frontierOf,
  type Groups,
  groupsOf,
  stretchOf,
  writeGroupValue,
} from "./blake3_groups.ts";
import type { HashTree } from "./blake3_range.ts";

/** A chunk of some content, and the group it is in. */
export type ChunkPlace = {
  /** Which chunk of 1 KiB, from 0. */
  readonly chunk: number;
  /** All octets of the group around it, see `wholeGroups`. */
  readonly octets: Uint8Array;
};

/**
 * Proves a chunk: gives the very proof that a tree of groups of one chunk would give. Octets that are not those of the
 * content make a proof that leads to another hash.
 *
 * @param shape that of the tree
 * @throws `malformed` unless the content has such a chunk, and the octets are as many as its group has
 */
export function proveChunk(
  tree: HashTree,
  shape: ContentShape,
  { chunk, octets }: ChunkPlace,
): Uint8Array {
  const division = divisionOf(shape);
  const chunks = { ...division, groupBytes: CHUNK_BYTES };
  const range = { offset: chunk * CHUNK_BYTES, bytes: 1 };
  const group = groupsOf(division, range);
  const stretch = stretchOf(division, group);
  if (!Number.isSafeInteger(chunk) || octets.length !== stretch.bytes) {
    throw new TesserasError(
      "malformed",
      `Cannot prove chunk ${chunk}: its group has ${stretch.bytes} bytes, ${octets.length} were given`,
    );
  }
  const first = stretch.offset / CHUNK_BYTES;
  const inner = pathWithin(octets, chunks, { first, chunk });
  if (division.groupCount === 1) {
    return octets.length > CHUNK_BYTES ? inner : new Uint8Array();
  }
  // The group's own value gives its place to what it is made of.
  const outer = tree.prove(range);
  const all = { from: 0, to: division.groupCount };
  const at = VALUE_BYTES * placeOf(group, all);
  const proof = new Uint8Array(outer.length - VALUE_BYTES + inner.length);
  proof.set(outer.subarray(0, at));
  proof.set(inner, at);
  proof.set(outer.subarray(at + VALUE_BYTES), at + inner.length);
  return proof;
}

/** The values of a chunk and of what is beside it in its group. */
function pathWithin(
  octets: Uint8Array,
  division: Division,
  { first, chunk }: { readonly first: number; readonly chunk: number },
): Uint8Array {
  const all = { from: 0, to: Math.ceil(octets.length / CHUNK_BYTES) };
  const own = { from: chunk - first, to: chunk - first + 1 };
  const path = [...frontierOf(all, own)];
  const values = new Uint8Array(path.length * VALUE_BYTES);
  for (const [i, { from, to }] of path.entries()) {
    const bytes = octets.subarray(from * CHUNK_BYTES, to * CHUNK_BYTES);
    const place = { group: first + from, values, at: i * VALUE_BYTES };
    writeGroupValue(bytes, division, place);
  }
  return values;
}

/** How many values of a group's proof come before its own. */
function placeOf(group: Groups, all: Groups): number {
  let before = 0;
  for (const { to } of frontierOf(all, group)) if (to <= group.from) before++;
  return before;
}
