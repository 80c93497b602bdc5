/** What we keep of a plan ourselves, and whether it is still what it was. */
import { type Blobs, readAhead } from "@tesseras/blobs";
import { codeOf, equal } from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";
import type { Keeping, Standing } from "@tesseras/preservation";
import type { FragmentRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { askHolder } from "./ask_holder.ts";
import type { Node } from "./node.ts";

/** Our own fragments of one plan. */
export type OwnFragments = {
  readonly rotten: readonly FragmentRow[];
  /** Indices of those that were here at that time, Unix milliseconds. */
  keptAt(atMs: number): ReadonlySet<number>;
  /** As those of any holder. */
  keepings(self: NodeRecord, nowMs: number): readonly Keeping[];
};

/**
 * What we vouch for of a plan. What we staged ourselves and nobody brought us to keep counts only beside such.
 *
 * @param scrub whether to read every byte; what does not hash is struck out by the role that keeps it
 */
export async function ownFragments(
  { node, state, blobs }: {
    readonly node: Node;
    readonly state: State;
    readonly blobs: Blobs;
  },
  plan: Plan,
  scrub: boolean,
  signal: AbortSignal,
): Promise<OwnFragments> {
  const rows = await state.fragmentsOfPlan(plan.hash, signal);
  const isHolder = rows.some(({ owner }) => owner !== undefined);
  const vouched = new Set(isHolder ? rows : []);
  for (const row of scrub ? vouched : []) {
    if (await isWhole(node, { blobs, row }, signal)) continue;
    await strikeOut(node, row, signal);
    vouched.delete(row);
  }
  // With those that somebody else's question found before.
  const rotten = await state.care.struck(plan.hash, signal);
  return {
    rotten,
    keptAt: (atMs) =>
      new Set(
        [...vouched].filter(({ storedAtMs }) => storedAtMs < atMs)
          .map(({ index }) => index),
      ),
    keepings: ({ id, subnet }, atMs) => {
      const keeping = (
        { index }: FragmentRow,
        standing: Standing,
      ): Keeping => ({
        index,
        holder: { id, subnet },
        standing,
      });
      return [
        ...[...vouched].map((row) => keeping(row, { is: "attested", atMs })),
        ...rotten.map((row) =>
          keeping(row, { is: "lost", why: "corruptLocal", atMs })
        ),
      ];
    },
  };
}

async function isWhole(
  node: Node,
  { blobs, row }: { readonly blobs: Blobs; readonly row: FragmentRow },
  signal: AbortSignal,
): Promise<boolean> {
  node.runtime.counters.add("care.scrubbed");
  try {
    await using reader = await blobs.open(row.blob, signal, "cold");
    if (reader === undefined || reader.bytes !== row.bytes) return false;
    const hasher = new Blake3();
    const all = { offset: 0, length: row.bytes };
    for await (const part of readAhead(reader, all, signal)) {
      hasher.update(part);
    }
    return equal(hasher.digest(), row.blob);
  } catch (error) {
    if (codeOf(error) !== "corrupt") throw error;
    return false;
  }
}

/** Reads it as a peer would: the role that gives it out notices what is wrong, says so and signs for it no more. */
async function strikeOut(
  node: Node,
  { planHash, index, bytes }: FragmentRow,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { bulk } = await askHolder(node, node.record(), {
      type: "get_fragment",
      plan: planHash,
      index,
      offset: 0,
      length: bytes,
    }, signal);
    using reader = bulk;
    while (await reader?.read(signal) !== undefined);
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
  }
}
