/** Random access to bytes that lie elsewhere: a pack, and one fragment of it. */
import { assert, TesserasError } from "@tesseras/core";
import type { ByteSource } from "@tesseras/tessera";

/** One fragment that this node can give. It is not verified: the plan has its hash. Dispose it. */
export interface FragmentReader extends ByteSource, AsyncDisposable {}

/** What a fragment is cut from: the pack, and how long each shard of it is. */
export type Cut = {
  readonly pack: ByteSource;
  readonly shardBytes: number;
};

/** Reads from a data shard, which is the pack's bytes and zeros after its end; returns the bytes read. */
export async function readShard(
  { pack, shardBytes }: Cut,
  { index, offset, into }: {
    readonly index: number;
    readonly offset: number;
    readonly into: Uint8Array;
  },
  signal: AbortSignal,
): Promise<number> {
  assert(offset >= 0, "a fragment is read from its start on");
  const wanted = Math.min(into.length, Math.max(0, shardBytes - offset));
  const start = index * shardBytes + offset;
  const real = Math.min(wanted, Math.max(0, pack.bytes - start));
  if (real > 0) await readExactly(pack, start, into.subarray(0, real), signal);
  into.fill(0, real, wanted);
  return wanted;
}

/**
 * Fills the whole of `into`.
 *
 * @throws `corrupt` when the pack ends before
 */
export async function readExactly(
  pack: ByteSource,
  offset: number,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  for (let filled = 0; filled < into.length;) {
    const count = await pack.read(
      offset + filled,
      into.subarray(filled),
      signal,
    );
    if (count === 0) throw endsEarly(offset + filled, pack.bytes);
    filled += count;
  }
}

function endsEarly(at: number, bytes: number): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot read pack: it ends after ${at} of ${bytes} bytes`,
  );
}
