/** Putting fragments back that this disk had and lost. */
import type { Assembly } from "@tesseras/archive";
import type { Blobs } from "@tesseras/blobs";
import { TesserasError, toHex } from "@tesseras/core";
import type { FragmentRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { Node } from "./node.ts";

/** What healing works with. */
export type HealParts = {
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
};

/** Bytes copied at once. */
const CHUNK_BYTES = 1 << 20;

/** Keeps fragments again, for whom they were kept before. @returns which @throws as the blobs and the state */
export async function healAll(
  parts: HealParts,
  made: { readonly plan: Plan; readonly assembly: Assembly },
  rows: readonly FragmentRow[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  for (const row of rows) {
    await heal(parts, made, row, signal);
    parts.node.runtime.log.warn("fragment.healed", {
      tessera: toHex(row.tesseraId),
      index: row.index,
    });
  }
  return rows.map(({ index }) => index);
}

async function heal(
  { node, state, blobs }: HealParts,
  { plan, assembly }: { readonly plan: Plan; readonly assembly: Assembly },
  row: FragmentRow,
  signal: AbortSignal,
): Promise<void> {
  await using reader = await assembly.recreate(row.index, signal);
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, reader.bytes));
  await using writer = await blobs.create(signal, "cold");
  for (let at = 0; at < reader.bytes;) {
    const count = await reader.read(at, chunk, signal);
    await writer.write(chunk.subarray(0, count), signal);
    at += count;
  }
  await writer.commit(signal, row.blob);
  const { hash, tesseraId, bytes } = plan;
  const storedAtMs = node.runtime.clock.nowMs();
  await state.keepFragment(
    { hash, tesseraId, bytes },
    { ...row, storedAtMs },
    signal,
  );
  // Whoever was about to remove these bytes found no row for them just before there was one.
  if (await blobs.size(row.blob, signal) === row.bytes) return;
  await state.care.strikeOut(row, storedAtMs, signal);
  throw new TesserasError(
    "overloaded",
    `Cannot heal fragment ${row.index}: its bytes were cleared away meanwhile`,
  );
}
