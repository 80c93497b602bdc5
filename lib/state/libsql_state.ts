/** The state over a database that runs SQL, wherever that is. */
import {
  type Hash,
  hash,
  type NodeId,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import type { Care } from "./care.ts";
import {
  bytesAt,
  numberAt,
  readFile,
  readFragment,
  readHolding,
  readPeer,
  readPlan,
  readPointer,
  readPublication,
  readTessera,
} from "./libsql_columns.ts";
import { LibsqlCare } from "./libsql_care.ts";
import { Queries } from "./libsql_queries.ts";
import * as overlay from "./libsql_overlay_statements.ts";
import * as kept from "./libsql_statements.ts";
import {
  checkFile,
  checkFragment,
  checkPeer,
  checkPointer,
  checkPublication,
  checkTessera,
  checkText,
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  isClaimable,
  type PeerRow,
  planAbsent,
  type PlanRow,
  type PointerKey,
  type PointerRow,
  type PublicationRow,
  type TesseraRow,
} from "./rows.ts";
import type { Database } from "./sql.ts";
import type { State } from "./state.ts";

/** A state. Owns the database, and closes it when disposed. */
export class LibsqlState implements State {
  readonly care: Care;
  readonly #database: Database;
  readonly #queries: Queries;

  constructor(database: Database) {
    this.#database = database;
    this.#queries = new Queries(database);
    this.care = new LibsqlCare(this.#queries);
  }

  async addTessera(
    row: TesseraRow,
    files: readonly FileRow[],
    signal: AbortSignal,
  ): Promise<"added" | "exists"> {
    checkTessera(row);
    for (const file of files) checkFile(file);
    const [added] = await this.#queries.write(
      kept.addTessera(row, files),
      signal,
    );
    return added?.length ? "added" : "exists";
  }

  tessera(id: TesseraId, signal: AbortSignal): Promise<TesseraRow | undefined> {
    return this.#queries.first(readTessera, kept.tessera(id), signal);
  }

  tesseras(signal: AbortSignal): Promise<readonly TesseraRow[]> {
    return this.#queries.all(readTessera, kept.tesseras(), signal);
  }

  async tesserasByPrefix(
    hexPrefix: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TesseraId[]> {
    const ids = kept.tesserasByPrefix(hexPrefix, limit);
    return await this.#queries.all(
      (row) => tesseraId(bytesAt(row, 0)),
      ids,
      signal,
    );
  }

  filesOf(id: TesseraId, signal: AbortSignal): Promise<readonly FileRow[]> {
    return this.#queries.all(readFile, kept.filesOf(id), signal);
  }

  async removeTessera(
    id: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly Hash[]> {
    const [blobs = []] = await this.#queries.write(
      kept.removeTessera(id),
      signal,
    );
    return blobs.map((row) => hash(bytesAt(row, 0)));
  }

  references(blob: Hash, signal: AbortSignal): Promise<number> {
    return this.#queries.number(kept.references(blob), signal);
  }

  async putPlan(row: PlanRow, signal: AbortSignal): Promise<void> {
    await this.#queries.write(kept.putPlan(row), signal);
  }

  plan(hash: Hash, signal: AbortSignal): Promise<PlanRow | undefined> {
    return this.#queries.first(readPlan, kept.plan(hash), signal);
  }

  plansOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PlanRow[]> {
    return this.#queries.all(readPlan, kept.plansOf(tesseraId), signal);
  }

  async putFragment(
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists"> {
    checkFragment(row);
    const [plans, stored] = await this.#queries.write(
      kept.putFragment(row),
      signal,
    );
    if (!plans?.length) throw planAbsent(row);
    return stored?.length ? "stored" : "exists";
  }

  async keepFragment(
    plan: PlanRow,
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists"> {
    checkFragment(row);
    const stored = async (statements: kept.Statements): Promise<boolean> => {
      const results = await this.#queries.write(statements, signal);
      return results.at(-1)?.length === 1;
    };
    if (await stored(kept.keepFragment(plan, row))) return "stored";
    // What is here may be for nobody else: rare enough to be asked afterwards.
    if (isClaimable(row)) return "exists";
    return await stored(kept.adoptFragment(row)) ? "stored" : "exists";
  }

  fragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentRow | undefined> {
    return this.#queries.first(
      readFragment,
      kept.fragment({ planHash, index }),
      signal,
    );
  }

  fragmentsOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return this.#queries.all(readFragment, kept.fragmentsOf(tesseraId), signal);
  }

  fragmentsOfPlan(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return this.#queries.all(
      readFragment,
      kept.fragmentsOfPlan(planHash),
      signal,
    );
  }

  fragments(
    after: FragmentKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return this.#queries.all(
      readFragment,
      kept.fragments(after, limit),
      signal,
    );
  }

  holdings(
    after: Holding | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly Holding[]> {
    return this.#queries.all(readHolding, kept.holdings(after, limit), signal);
  }

  async removeFragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<readonly Hash[]> {
    const [blobs = []] = await this.#queries.write(
      kept.removeFragment({ planHash, index }),
      signal,
    );
    return blobs.map((row) => hash(bytesAt(row, 0)));
  }

  storedBytes(
    whose: NodeId | string | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#queries.number(kept.storedBytes(whose), signal);
  }

  async putPublication(
    row: PublicationRow,
    signal: AbortSignal,
  ): Promise<void> {
    checkPublication(row);
    await this.#queries.write(kept.putPublication(row), signal);
  }

  publication(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<PublicationRow | undefined> {
    return this.#queries.first(
      readPublication,
      kept.publication(tesseraId),
      signal,
    );
  }

  publications(signal: AbortSignal): Promise<readonly PublicationRow[]> {
    return this.#queries.all(readPublication, kept.publications(), signal);
  }

  async putPointers(
    rows: readonly PointerRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkPointer(row);
    await this.#queries.write(overlay.putPointers(rows), signal);
  }

  pointers(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return this.#queries.all(readPointer, overlay.pointers(tesseraId), signal);
  }

  allPointers(
    after: PointerKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return this.#queries.all(
      readPointer,
      overlay.allPointers(after, limit),
      signal,
    );
  }

  async expirePointers(nowMs: number, signal: AbortSignal): Promise<number> {
    const results = await this.#queries.write(
      overlay.expirePointers(nowMs),
      signal,
    );
    return numberAt(results.at(-1)?.[0] ?? [], 0);
  }

  async removePointers(
    keys: readonly PointerKey[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#queries.write(overlay.removePointers(keys), signal);
  }

  pointerCount(signal: AbortSignal): Promise<number> {
    return this.#queries.number(overlay.pointerCount(), signal);
  }

  async putPeers(rows: readonly PeerRow[], signal: AbortSignal): Promise<void> {
    for (const row of rows) checkPeer(row);
    await this.#queries.write(overlay.putPeers(rows), signal);
  }

  async removePeers(
    ids: readonly NodeId[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#queries.write(overlay.removePeers(ids), signal);
  }

  peers(limit: number, signal: AbortSignal): Promise<readonly PeerRow[]> {
    return this.#queries.all(readPeer, overlay.peers(limit), signal);
  }

  async value(
    name: string,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const query = overlay.value(checkText(name, "value"));
    return await this.#queries.first((row) => bytesAt(row, 0), query, signal);
  }

  async putValue(
    name: string,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#queries.write(
      overlay.putValue(checkText(name, "value"), bytes),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}
