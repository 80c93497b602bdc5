/** State in libSQL: one file that survives a power cut and that several processes may share. */
import {
  type Hash,
  hash,
  type NodeId,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import {
  bytesAt,
  numberAt,
  readFile,
  readFragment,
  readHolding,
  readPeer,
  readPlacement,
  readPlan,
  readPointer,
  readPublication,
  readTessera,
} from "./libsql_columns.ts";
import {
  type Database,
  databasePath,
  type SqlResults,
  type SqlRow,
  type Statement,
} from "./sql.ts";
import * as overlay from "./libsql_overlay_statements.ts";
import * as kept from "./libsql_statements.ts";
import { openThread } from "./libsql_thread.ts";
import {
  checkFile,
  checkFragment,
  checkPeer,
  checkPlacement,
  checkPointer,
  checkPublication,
  checkTessera,
  checkText,
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  type PeerRow,
  type PlacementRow,
  planAbsent,
  type PlanRow,
  type PointerKey,
  type PointerRow,
  type PublicationRow,
  type TesseraRow,
} from "./rows.ts";
import type { State } from "./state.ts";

/** Where the database is and who waits for it. */
export type LibsqlOptions = {
  /** A `file:` URL, escaped as URLs are (`pathToFileURL`). Folder and file are made when missing. */
  readonly url: string;
  /** A thread of its own, for programs that serve; without it the caller's thread waits, which starts faster. */
  readonly worker: boolean;
};

/**
 * Opens the state, and makes or migrates its tables. Dispose what it returns.
 *
 * @throws `unusable` when the file cannot be opened or a newer program wrote it, `corrupt` when it is no database,
 * `overloaded` when another process holds it
 */
export async function openLibsqlState(
  options: LibsqlOptions,
  signal: AbortSignal,
): Promise<State> {
  const path = databasePath(options.url);
  if (options.worker) return new LibsqlState(await openThread(path, signal));
  // Loaded here alone: beside a thread it would lie in memory twice.
  const { openDatabase } = await import("./libsql_database.ts");
  return new LibsqlState(await openDatabase(path, signal));
}

class LibsqlState implements State {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async addTessera(
    row: TesseraRow,
    files: readonly FileRow[],
    signal: AbortSignal,
  ): Promise<"added" | "exists"> {
    checkTessera(row);
    for (const file of files) checkFile(file);
    const [added] = await this.#write(kept.addTessera(row, files), signal);
    return added?.length ? "added" : "exists";
  }

  tessera(id: TesseraId, signal: AbortSignal): Promise<TesseraRow | undefined> {
    return this.#first(readTessera, kept.tessera(id), signal);
  }

  tesseras(signal: AbortSignal): Promise<readonly TesseraRow[]> {
    return this.#all(readTessera, kept.tesseras(), signal);
  }

  async tesserasByPrefix(
    hexPrefix: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TesseraId[]> {
    const ids = kept.tesserasByPrefix(hexPrefix, limit);
    return await this.#all((row) => tesseraId(bytesAt(row, 0)), ids, signal);
  }

  filesOf(id: TesseraId, signal: AbortSignal): Promise<readonly FileRow[]> {
    return this.#all(readFile, kept.filesOf(id), signal);
  }

  async removeTessera(
    id: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly Hash[]> {
    const [blobs = []] = await this.#write(kept.removeTessera(id), signal);
    return blobs.map((row) => hash(bytesAt(row, 0)));
  }

  references(blob: Hash, signal: AbortSignal): Promise<number> {
    return this.#number(kept.references(blob), signal);
  }

  async putPlan(row: PlanRow, signal: AbortSignal): Promise<void> {
    await this.#write(kept.putPlan(row), signal);
  }

  plan(hash: Hash, signal: AbortSignal): Promise<PlanRow | undefined> {
    return this.#first(readPlan, kept.plan(hash), signal);
  }

  plansOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PlanRow[]> {
    return this.#all(readPlan, kept.plansOf(tesseraId), signal);
  }

  async putFragment(
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists"> {
    checkFragment(row);
    const [plans, stored] = await this.#write(kept.putFragment(row), signal);
    if (!plans?.length) throw planAbsent(row);
    return stored?.length ? "stored" : "exists";
  }

  async keepFragment(
    plan: PlanRow,
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists"> {
    checkFragment(row);
    const [, plans, stored] = await this.#write(
      [...kept.putPlan(plan), ...kept.putFragment(row)],
      signal,
    );
    if (!plans?.length) throw planAbsent(row);
    return stored?.length ? "stored" : "exists";
  }

  fragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentRow | undefined> {
    return this.#first(
      readFragment,
      kept.fragment({ planHash, index }),
      signal,
    );
  }

  fragmentsOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return this.#all(readFragment, kept.fragmentsOf(tesseraId), signal);
  }

  fragments(
    after: FragmentKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return this.#all(readFragment, kept.fragments(after, limit), signal);
  }

  holdings(
    after: Holding | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly Holding[]> {
    return this.#all(readHolding, kept.holdings(after, limit), signal);
  }

  async removeFragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<readonly Hash[]> {
    const [blobs = []] = await this.#write(
      kept.removeFragment({ planHash, index }),
      signal,
    );
    return blobs.map((row) => hash(bytesAt(row, 0)));
  }

  storedBytes(
    whose: NodeId | string | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#number(kept.storedBytes(whose), signal);
  }

  async putPlacements(
    rows: readonly PlacementRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkPlacement(row);
    await this.#write(kept.putPlacements(rows), signal);
  }

  placements(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly PlacementRow[]> {
    return this.#all(readPlacement, kept.placements(planHash), signal);
  }

  async putPublication(
    row: PublicationRow,
    signal: AbortSignal,
  ): Promise<void> {
    checkPublication(row);
    await this.#write(kept.putPublication(row), signal);
  }

  publication(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<PublicationRow | undefined> {
    return this.#first(readPublication, kept.publication(tesseraId), signal);
  }

  publications(signal: AbortSignal): Promise<readonly PublicationRow[]> {
    return this.#all(readPublication, kept.publications(), signal);
  }

  async putPointers(
    rows: readonly PointerRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkPointer(row);
    await this.#write(overlay.putPointers(rows), signal);
  }

  pointers(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return this.#all(readPointer, overlay.pointers(tesseraId), signal);
  }

  allPointers(
    after: PointerKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return this.#all(readPointer, overlay.allPointers(after, limit), signal);
  }

  async expirePointers(nowMs: number, signal: AbortSignal): Promise<number> {
    const results = await this.#write(overlay.expirePointers(nowMs), signal);
    return numberAt(results.at(-1)?.[0] ?? [], 0);
  }

  async removePointers(
    keys: readonly PointerKey[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#write(overlay.removePointers(keys), signal);
  }

  pointerCount(signal: AbortSignal): Promise<number> {
    return this.#number(overlay.pointerCount(), signal);
  }

  async putPeers(rows: readonly PeerRow[], signal: AbortSignal): Promise<void> {
    for (const row of rows) checkPeer(row);
    await this.#write(overlay.putPeers(rows), signal);
  }

  async removePeers(
    ids: readonly NodeId[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#write(overlay.removePeers(ids), signal);
  }

  peers(limit: number, signal: AbortSignal): Promise<readonly PeerRow[]> {
    return this.#all(readPeer, overlay.peers(limit), signal);
  }

  async value(
    name: string,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const query = overlay.value(checkText(name, "value"));
    return await this.#first((row) => bytesAt(row, 0), query, signal);
  }

  async putValue(
    name: string,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#write(
      overlay.putValue(checkText(name, "value"), bytes),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }

  async #write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    if (statements.length === 0) return [];
    return await this.#database.write(statements, signal);
  }

  async #all<T>(
    readRow: (row: SqlRow) => T,
    query: Statement,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    return (await this.#database.read(query, signal)).map(readRow);
  }

  async #first<T>(
    readRow: (row: SqlRow) => T,
    query: Statement,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const [row] = await this.#database.read(query, signal);
    return row && readRow(row);
  }

  async #number(query: Statement, signal: AbortSignal): Promise<number> {
    const [row = []] = await this.#database.read(query, signal);
    return numberAt(row, 0);
  }
}
