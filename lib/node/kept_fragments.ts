/**
 * Fragments fetched for a repair, kept as blobs until it is done: a restart in the middle goes on with them. No row names them, so
 * what is given up goes with the next sweep.
 */
import type { Assembly, FragmentSink } from "@tesseras/archive";
import type { Blobs, BlobWriter } from "@tesseras/blobs";
import type { Hash } from "@tesseras/core";
import type { State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";

/** Takes fragments as they arrive. */
export type Taker = Pick<
  Assembly,
  "begin" | "has" | "complete" | "haveCount"
>;

/** Fragments of one plan, kept beside an assembly. */
export class KeptFragments implements Taker {
  readonly #assembly: Assembly;
  readonly #blobs: Blobs;
  readonly #plan: Plan;

  constructor(assembly: Assembly, blobs: Blobs, plan: Plan) {
    this.#assembly = assembly;
    this.#blobs = blobs;
    this.#plan = plan;
  }

  get complete(): boolean {
    return this.#assembly.complete;
  }

  get haveCount(): number {
    return this.#assembly.haveCount;
  }

  has(index: number): boolean {
    return this.#assembly.has(index);
  }

  async begin(index: number, signal: AbortSignal): Promise<FragmentSink> {
    const sink = await this.#assembly.begin(index, signal);
    try {
      const writer = await this.#blobs.create(signal, "cold");
      return new KeptSink(sink, writer, this.#plan.fragments[index]!);
    } catch (error) {
      await sink[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** Writes a fragment twice: where it is used, and where it stays. */
class KeptSink implements FragmentSink {
  readonly #sink: FragmentSink;
  readonly #writer: BlobWriter;
  readonly #hash: Hash;

  constructor(sink: FragmentSink, writer: BlobWriter, hash: Hash) {
    this.#sink = sink;
    this.#writer = writer;
    this.#hash = hash;
  }

  async write(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#sink.write(chunk, signal);
    await this.#writer.write(chunk, signal);
  }

  async finish(signal: AbortSignal): Promise<void> {
    await this.#sink.finish(signal);
    await this.#writer.commit(signal, this.#hash);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
    await this.#sink[Symbol.asyncDispose]();
  }
}

/** Clears away what was kept of a plan and no row names. */
export async function forgetKept(
  { blobs, state }: { readonly blobs: Blobs; readonly state: State },
  { fragments }: Plan,
  signal: AbortSignal,
): Promise<void> {
  for (const hash of fragments) {
    if (await state.references(hash, signal) > 0) continue;
    if (await blobs.size(hash, signal) === undefined) continue;
    await blobs.removeUnless(
      hash,
      async () => await state.references(hash, signal) > 0,
      signal,
    );
  }
}
