/** The local archive: the tesseras whose every byte is on this disk. */
import {
  keyOf,
  parseTesseraId,
  type Runtime,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import type { Blobs } from "@tesseras/blobs";
import type { CreatorKeys, MlDsaSuite } from "@tesseras/crypto";
import { codeHere, type RowCoder } from "@tesseras/erasure";
import type { FileRow, State, TesseraRow } from "@tesseras/state";
import {
  type ByteSource,
  type FileReport,
  type Manifest,
  MANIFEST_PATH,
  type PackLayout,
  packLayout,
  packReader,
  parseManifest,
  type Plan,
  type TesseraSource,
  type VerifyReport,
  verifyTessera,
} from "@tesseras/tessera";
import {
  type CreateOrder,
  type CreateReport,
  createTessera,
} from "./create.ts";
import { type FragmentReader, readShard } from "./fragment_reader.ts";
import { Holds, type Keepers, removeUnneeded } from "./holds.ts";
import {
  type ImportOrder,
  type ImportReport,
  importTessera,
} from "./import.ts";
import { type Memory, readMemories } from "./memories.ts";
import { arrivingSource, packSource } from "./pack_source.ts";
import type { OnProgress } from "./progress.ts";
import { stage } from "./staging.ts";
import { checkedSource, openFile, presentSource, readFile } from "./stored.ts";
import { sweep, type SweepReport } from "./sweep.ts";

/** Hexadecimal digits that may stand for a whole id (user guide: a prefix of four characters). */
const PREFIX_DIGITS_MIN = 4;
/** Ids named when a prefix stands for several. */
const CANDIDATES_MAX = 5;
/** Packs whose layout is remembered: a publish opens every fragment of one, a node serves a few at a time. */
const LAYOUTS_MAX = 4;

/** What an archive stands on. It owns none of them. */
export type ArchiveParts = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  readonly runtime: Runtime;
  /** Computes parity; in the caller's thread unless told. */
  readonly coder?: RowCoder;
};

/** A stored tessera with what its MANIFEST tells. */
export type Shown = {
  readonly row: TesseraRow;
  readonly manifest: Manifest;
  readonly memories: readonly Memory[];
};

/** The files of a stored tessera and where they lie in its pack. */
type Stored = {
  readonly row: TesseraRow;
  readonly files: readonly FileRow[];
  readonly byPath: ReadonlyMap<string, FileRow>;
  readonly layout: PackLayout;
};

/**
 * The tesseras on this disk. A tessera is listed when all of it is durable and verified, and never before; methods that
 * take the id of one that is not here throw `missing`. Several processes may share one archive.
 */
export class Archive {
  readonly #parts: ArchiveParts;
  readonly #keepers: Keepers;
  /** Least recently used first. */
  readonly #stored = new Map<string, Stored>();

  constructor(parts: ArchiveParts) {
    this.#parts = parts;
    const { blobs, state } = parts;
    this.#keepers = { blobs, state, holds: new Holds() };
  }

  /**
   * Makes a tessera of a scanned folder: reads every file once, signs, stores, and lists it at the end. The same folder,
   * words, time and keys give the same tessera.
   *
   * @throws `unusable` when a file changes meanwhile or the words do not fit, `missing` when a file is gone, `diskFull`
   */
  create(
    order: CreateOrder,
    keys: CreatorKeys,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<CreateReport> {
    const { runtime } = this.#parts;
    const parts = { keepers: this.#keepers, runtime };
    return createTessera(parts, order, keys, onProgress, signal);
  }

  /**
   * Copies a tessera in from wherever it lies, verifying all of it on the way. It is listed only if everything is right.
   *
   * @throws `forged` when a signature or the id is wrong; `corrupt` when a file is; `malformed`, `missing` and `diskFull`
   */
  import(
    order: ImportOrder,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    const { runtime, suite } = this.#parts;
    const parts = { keepers: this.#keepers, runtime, suite };
    return importTessera(parts, order, onProgress, signal);
  }

  /**
   * Imports the pack that fragments gave, and keeps their plan. The plan's signatures are the caller's to verify.
   *
   * @throws as {@link import}, and `forged` when the plan is not by the tessera's creator
   */
  async importPack(
    pack: ByteSource,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    return await this.#importPack(await packSource(pack, signal), plan, signal);
  }

  /**
   * As {@link importPack}, of a pack whose reads wait for what is still to come, so that little is left to do when all of it
   * is there. Like that, it can only be done with a pack as FORMAT.md has it.
   *
   * @throws as {@link importPack}; `malformed` also for a pack in another form, which {@link importPack} may know
   */
  async importArriving(
    pack: ByteSource,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    const source = await arrivingSource(pack, signal);
    return await this.#importPack(source, plan, signal);
  }

  async #importPack(
    source: TesseraSource,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    const { tesseraId } = plan;
    const report = await this.import(
      { source, expectedId: tesseraId, plan, origin: "fetched" },
      () => {},
      signal,
    );
    const { hash, bytes } = plan;
    const { blobs, state } = this.#parts;
    await state.putPlan({ hash, tesseraId, bytes }, signal);
    // As a blob, too: with it, fragments give back the index should that be lost.
    await using writer = await blobs.create(signal);
    await writer.write(bytes, signal);
    await writer.commit(signal, hash);
    return report;
  }

  /** Every tessera, the one added last first. */
  list(signal: AbortSignal): Promise<readonly TesseraRow[]> {
    return this.#parts.state.tesseras(signal);
  }

  /** What a tessera is and what is in it. @throws `corrupt` when the store lost some of that */
  async show(id: TesseraId, signal: AbortSignal): Promise<Shown> {
    const { row, files } = await this.#get(id, signal);
    const manifest = await this.#manifest(row, signal);
    const { blobs } = this.#parts;
    const memories = await readMemories(blobs, { manifest, files }, signal);
    return { row, manifest, memories };
  }

  /**
   * The tessera that a person means by its hash or at least four digits of its beginning.
   *
   * @throws `missing` when there is none, `unusable` when there are several or the text is no such thing
   */
  async resolve(text: string, signal: AbortSignal): Promise<TesseraId> {
    const shown = JSON.stringify(text.slice(0, 80));
    if (!/^[0-9a-fA-F]{4,64}$/.test(text)) {
      throw new TesserasError(
        "unusable",
        `Cannot find tessera ${shown}: wanted a hash, or ${PREFIX_DIGITS_MIN} to 64 hexadecimal digits it begins with`,
      );
    }
    const { state } = this.#parts;
    const found = text.length === 64
      ? await this.#exact(parseTesseraId(text), signal)
      : await state.tesserasByPrefix(text, CANDIDATES_MAX + 1, signal);
    const [id] = found;
    if (id === undefined) {
      throw new TesserasError(
        "missing",
        `Cannot find tessera ${shown}: none on this disk begins so`,
      );
    }
    if (found.length > 1) {
      const names = found.slice(0, CANDIDATES_MAX).map((id) => toHex(id));
      const more = found.length > CANDIDATES_MAX ? " and others" : "";
      throw new TesserasError(
        "unusable",
        `Cannot tell which tessera ${shown} is: ${names.join(", ")}${more}`,
      );
    }
    return id;
  }

  /** The files of a tessera. Reading one to its end throws `corrupt` unless it is what it was when it was stored. */
  async source(id: TesseraId, signal: AbortSignal): Promise<TesseraSource> {
    const { files } = await this.#get(id, signal);
    return checkedSource(this.#parts.blobs, files);
  }

  /** Re-reads all of a tessera and judges it as a stranger would. */
  async verify(
    id: TesseraId,
    onFile: (report: FileReport) => void,
    signal: AbortSignal,
  ): Promise<VerifyReport> {
    const { files } = await this.#get(id, signal);
    const { blobs, suite } = this.#parts;
    const source = await presentSource(blobs, files, signal);
    return await verifyTessera(
      source,
      { suite, expectedId: id, onFile },
      signal,
    );
  }

  /** The pack of a tessera, read out of its files; they are not verified. Dispose it. */
  async pack(
    id: TesseraId,
    signal: AbortSignal,
  ): Promise<ByteSource & AsyncDisposable> {
    return this.#reader(await this.#get(id, signal));
  }

  /**
   * Forgets a tessera and frees what nothing else needs; `false` when it is not here. What is kept for others stays.
   */
  async remove(id: TesseraId, signal: AbortSignal): Promise<boolean> {
    const { state } = this.#parts;
    if (await state.tessera(id, signal) === undefined) return false;
    this.#stored.delete(keyOf(id));
    const plans = await state.plansOf(id, signal);
    const unneeded = await state.removeTessera(id, signal);
    // Of the plans those that nothing kept for others needs.
    const all = [...unneeded, ...plans.map(({ hash }) => hash)];
    await removeUnneeded(this.#keepers, all, signal);
    return true;
  }

  /**
   * The plan of a tessera with every parity fragment on this disk: from an earlier time where there is one, otherwise
   * coded and signed now.
   *
   * @throws `corrupt` when a file of it is not what it was, `unusable` when another made it, `diskFull`
   */
  async prepare(
    id: TesseraId,
    keys: CreatorKeys,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<Plan> {
    const stored = await this.#get(id, signal);
    await using pack = this.#reader(stored);
    const manifest = await this.#manifest(stored.row, signal);
    const { runtime, suite, coder = codeHere } = this.#parts;
    const { files } = stored;
    const keepers = this.#keepers;
    return await stage(
      { keepers, runtime, suite, id, manifest, files, pack, coder },
      keys,
      onProgress,
      signal,
    );
  }

  /**
   * What this node has of a fragment: cut from the pack, staged, or kept for another; `undefined` when nothing.
   * Dispose it.
   */
  async openFragment(
    plan: Plan,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentReader | undefined> {
    if (plan.fragments[index] === undefined) return undefined;
    const { state, blobs } = this.#parts;
    const fromPack = plan.dataCount === 1 ? 0 : index;
    if (fromPack < plan.dataCount) {
      const stored = await this.#find(plan.tesseraId, signal);
      if (stored?.layout.bytes === plan.packBytes) {
        return shardReader(this.#reader(stored), plan, fromPack);
      }
    }
    const row = await state.fragment(plan.hash, index, signal);
    return row === undefined
      ? undefined
      : await blobs.open(row.blob, signal, "cold");
  }

  /**
   * Removes blobs that nothing has needed for `graceMs`, as far as two sweeps that far apart can tell. Killed work leaves
   * such blobs; so does work of another process that is still going on, and the grace is for that.
   */
  sweep(graceMs: number, signal: AbortSignal): Promise<SweepReport> {
    const nowMs = this.#parts.runtime.clock.nowMs();
    return sweep(this.#keepers, { graceMs, nowMs }, signal);
  }

  async #exact(
    id: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly TesseraId[]> {
    const row = await this.#parts.state.tessera(id, signal);
    return row === undefined ? [] : [id];
  }

  async #get(id: TesseraId, signal: AbortSignal): Promise<Stored> {
    const stored = await this.#find(id, signal);
    if (stored !== undefined) return stored;
    throw new TesserasError(
      "missing",
      `Cannot find tessera ${toHex(id)}: it is not on this disk`,
    );
  }

  async #find(
    id: TesseraId,
    signal: AbortSignal,
  ): Promise<Stored | undefined> {
    const { state } = this.#parts;
    const key = keyOf(id);
    // Asked every time: another process may have removed it.
    const row = await state.tessera(id, signal);
    const known = this.#stored.get(key);
    this.#stored.delete(key);
    if (row === undefined) return undefined;
    const files = known?.files ?? await state.filesOf(id, signal);
    const stored = known ?? {
      row,
      files,
      byPath: new Map(files.map((file) => [file.path, file])),
      layout: packLayout(files),
    };
    this.#stored.set(key, stored);
    const [oldest] = this.#stored.keys();
    if (this.#stored.size > LAYOUTS_MAX && oldest !== undefined) {
      this.#stored.delete(oldest);
    }
    return stored;
  }

  #reader({ layout, byPath }: Stored): ByteSource & AsyncDisposable {
    return packReader(layout, (path, signal) => {
      const file = byPath.get(path);
      if (file !== undefined) {
        return openFile(this.#parts.blobs, file, signal);
      }
      throw new TesserasError("missing", `Cannot read ${path}: no such file`);
    });
  }

  async #manifest(row: TesseraRow, signal: AbortSignal): Promise<Manifest> {
    const { blobs } = this.#parts;
    const file = { path: MANIFEST_PATH, hash: row.manifest, bytes: row.bytes };
    return parseManifest(await readFile(blobs, file, signal));
  }
}

function shardReader(
  pack: ByteSource & AsyncDisposable,
  { shardBytes }: Plan,
  index: number,
): FragmentReader {
  return {
    bytes: shardBytes,
    read: (offset, into, signal) =>
      readShard({ pack, shardBytes }, { index, offset, into }, signal),
    [Symbol.asyncDispose]: () => pack[Symbol.asyncDispose](),
  };
}
