/**
 * A database in a libSQL server, reached by HTTP. It belongs to one node, and the process of that node that opened it last writes
 * to it: what a process that was replaced, a request that came late or a server that forgot something would break is refused.
 */
import {
  equal,
  type NodeId,
  Semaphore,
  TesserasError,
  throwIfAborted,
  toHex,
} from "@tesseras/core";
import { serverFailure } from "./libsql_remote_answer.ts";
import {
  type BatchMode,
  type BatchOutcome,
  runBatch,
} from "./libsql_remote_batch.ts";
import {
  makeSeal,
  readSeal,
  type Seal,
  seal,
  tables,
  takeOver,
  takeTurn,
} from "./libsql_remote_schema.ts";
import { MIGRATIONS } from "./libsql_schema.ts";
import type { Database, SqlResults, SqlRow, Statement } from "./sql.ts";

/** How long a caller waits for a call to its end, other calls before it included. */
const ANSWER_MS = 10_000;
/** Reads at once: each is a connection of the server. */
const READS_MAX = 8;
/** Reads that may wait, and writes. */
const WAITING_MAX = 4_096;
/** Times that another process may come first while this one makes or takes over the database. */
const OPEN_TRIES_MAX = 5;
const SESSION_BYTES = 16;

/** Where the database is and whose it is. */
export type RemoteOptions = {
  /** `libsql://`, `https://` or `http://`, without name, password, query and fragment. */
  readonly url: string;
  readonly token: string | undefined;
  readonly node: NodeId;
  /** The database it has to be; without one, an empty database is taken, or one of this node. */
  readonly database?: Uint8Array | undefined;
  /** Instead of 10 s, for tests. */
  readonly answerMs?: number;
};

/** A database in a server. */
export type RemoteDatabase = Database & {
  /** Its name, drawn when it was made. */
  readonly database: Uint8Array;
  /** Resolves with `inUse` when another process has taken it over; nothing can be read or written from then on. */
  readonly lost: Promise<TesserasError>;
};

/**
 * Opens the database, and makes or migrates its tables.
 *
 * @throws `unusable` for one of another node or of a newer program, for what is no database of ours, a token that is not
 * accepted, and an answer that cannot be one; `unreachable`, `timeout`, `overloaded`
 */
export async function openRemoteDatabase(
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<RemoteDatabase> {
  const database = new HttpDatabase(options);
  try {
    await database.open(signal);
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

/** `libsql:` means TLS, as for every client of libSQL. */
function endpointOf(url: string): string {
  const web = new URL(url.replace(/^libsql:/, "https:"));
  if (!web.pathname.endsWith("/")) web.pathname += "/";
  return new URL("v2/pipeline", web).href;
}

class HttpDatabase implements RemoteDatabase {
  readonly #options: RemoteOptions;
  readonly #endpoint: string;
  readonly #session = crypto.getRandomValues(new Uint8Array(SESSION_BYTES));
  readonly #reads = new Semaphore(READS_MAX);
  /** Writes come one after the other, for each says what it follows. */
  readonly #writes = new Semaphore(1);
  readonly #closing = new AbortController();
  readonly #lost = Promise.withResolvers<TesserasError>();
  #database: Uint8Array = new Uint8Array();
  /** Turns taken, whatever became of them. */
  #turn = 0;
  /** The last turn that was acknowledged. */
  #doneTurn = 0;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#endpoint = endpointOf(options.url);
  }

  get database(): Uint8Array {
    return this.#database;
  }

  get lost(): Promise<TesserasError> {
    return this.#lost.promise;
  }

  async open(signal: AbortSignal): Promise<void> {
    if (/[^\x21-\x7e]/.test(this.#options.token ?? "")) {
      throw serverFailure(
        "unusable",
        "TESSERAS_STATE_TOKEN holds what no token can: a space, a line end or a letter beyond ASCII",
      );
    }
    for (let tries = 0; tries < OPEN_TRIES_MAX; tries++) {
      const seen = await this.#look(signal);
      if (seen !== undefined && equal(seen.session, this.#session)) {
        this.#database = seen.database;
        return;
      }
      await this.#take(seen, signal);
    }
    throw serverFailure(
      "inUse",
      "other processes of this node keep opening the database; let one of them run",
    );
  }

  async write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    return await this.#call(signal, async (ended) => {
      using _place = await enter(this.#writes, ended);
      const now = ++this.#turn;
      const done = this.#doneTurn;
      const turn = takeTurn({ session: this.#session, done, now });
      const outcome = await this.#tryBatch(
        [turn, ...statements],
        "write",
        ended,
      );
      if ("results" in outcome) {
        this.#doneTurn = now;
        return outcome.results.slice(1);
      }
      if (outcome.refusedAt !== 0) throw outcome.error;
      await this.#checkSeal(done, ended);
      throw serverFailure("unusable", "it refused a write without a reason");
    });
  }

  async read(
    statement: Statement,
    signal: AbortSignal,
  ): Promise<readonly SqlRow[]> {
    return await this.#call(signal, async (ended) => {
      using _place = await enter(this.#reads, ended);
      const done = this.#doneTurn;
      const [state, rows = []] = await this.#batch(
        [seal(), statement],
        "deferred",
        ended,
      );
      this.#judge(state, done);
      return rows;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    // A write under way ends by itself, and what it was told of is not cut off.
    using _place = await this.#writes.enter(NEVER);
    this.#closing.abort(
      new TesserasError("cancelled", "The database is closed"),
    );
  }

  /** The seal of a database that this node may have; `undefined` of one that is empty. */
  async #look(signal: AbortSignal): Promise<Seal | undefined> {
    const names = await this.#once([tables()], "deferred", signal);
    const [first] = names[0] ?? [];
    if (first === undefined) return this.#empty();
    const isOurs = names[0]!.some(([isSeal]) => isSeal === 1n);
    if (!isOurs) {
      throw serverFailure(
        "unusable",
        "the database holds tables of something else; give this node one of its own",
      );
    }
    const [rows] = await this.#once([seal()], "deferred", signal);
    const seen = sealIn(rows);
    this.#checkOwner(seen);
    if (!seen.hasForeignKeys) throw NO_FOREIGN_KEYS();
    return seen;
  }

  #empty(): undefined {
    if (this.#options.database === undefined) return undefined;
    throw serverFailure(
      "unusable",
      "the database is empty, and not the one that this node has had; set [storage] state_url back",
    );
  }

  #checkOwner({ node, database, schema }: Seal): void {
    if (!equal(node, this.#options.node)) {
      throw serverFailure(
        "unusable",
        `the database belongs to node ${
          toHex(node)
        }; give every node a database of its own`,
      );
    }
    const wanted = this.#options.database;
    if (wanted !== undefined && !equal(wanted, database)) {
      throw serverFailure(
        "unusable",
        "the database is not the one that this node has had; set [storage] state_url back",
      );
    }
    if (schema > MIGRATIONS.length) {
      throw serverFailure(
        "unusable",
        `the database was written by a newer version of Tesseras (schema ${schema}, this one knows ${MIGRATIONS.length})`,
      );
    }
  }

  /** Makes the database this session's, as a whole or not at all; nothing happens when another process is faster. */
  async #take(seen: Seal | undefined, signal: AbortSignal): Promise<void> {
    const schema = MIGRATIONS.length;
    const session = this.#session;
    const { node } = this.#options;
    const database = crypto.getRandomValues(new Uint8Array(SESSION_BYTES));
    const statements = seen === undefined
      ? makeSeal({ database, node, schema, session })
      : [takeOver(seen, { session, schema })];
    const migrations = MIGRATIONS.slice(seen?.schema ?? 0).flat()
      .map((sql) => ({ sql, args: [] }));
    const outcome = await this.#call(
      signal,
      (ended) => this.#tryBatch([...statements, ...migrations], "write", ended),
    );
    if ("results" in outcome || outcome.refusedAt === 0) return;
    throw outcome.error;
  }

  /** Says why a turn was refused. */
  async #checkSeal(done: number, ended: AbortSignal): Promise<void> {
    const [state] = await this.#batch([seal()], "deferred", ended);
    this.#judge(state, done);
  }

  /** @throws `inUse` when another process has the database, `unusable` when what was acknowledged is not in it */
  #judge(rows: readonly SqlRow[] | undefined, done: number): void {
    const seen = sealIn(rows);
    if (!equal(seen.session, this.#session)) {
      const error = serverFailure(
        "inUse",
        "another process of this node has opened the database; only one may run",
      );
      this.#lost.resolve(error);
      throw error;
    }
    if (!seen.hasForeignKeys) throw NO_FOREIGN_KEYS();
    if (seen.turn < done) {
      throw serverFailure(
        "unusable",
        "it does not know what it acknowledged; it has to be the primary, not a replica",
      );
    }
  }

  /** A call on its own, while the database is opened. */
  #once(
    statements: readonly Statement[],
    mode: BatchMode,
    signal: AbortSignal,
  ): Promise<SqlResults> {
    return this.#call(
      signal,
      (ended) => this.#batch(statements, mode, ended),
    );
  }

  /** Does work that ends when the caller stops waiting, the database is closed, or it takes too long. */
  async #call<T>(
    signal: AbortSignal,
    work: (ended: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const answerMs = this.#options.answerMs ?? ANSWER_MS;
    const late = new AbortController();
    const timer = setTimeout(() =>
      late.abort(
        serverFailure("timeout", `no answer came within ${answerMs / 1000} s`),
      ), answerMs);
    try {
      const ended = AbortSignal.any([
        signal,
        late.signal,
        this.#closing.signal,
      ]);
      throwIfAborted(ended);
      return await work(ended);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The rows of statements in one transaction. */
  async #batch(
    statements: readonly Statement[],
    mode: BatchMode,
    ended: AbortSignal,
  ): Promise<SqlResults> {
    const outcome = await this.#tryBatch(statements, mode, ended);
    if ("results" in outcome) return outcome.results;
    throw outcome.error;
  }

  #tryBatch(
    statements: readonly Statement[],
    mode: BatchMode,
    ended: AbortSignal,
  ): Promise<BatchOutcome> {
    const { token } = this.#options;
    const to = { endpoint: this.#endpoint, token };
    return runBatch(to, { statements, mode }, ended);
  }
}

const NEVER = new AbortController().signal;

const NO_FOREIGN_KEYS = () =>
  serverFailure(
    "unusable",
    "it does not enforce foreign keys, without which rows would outlive what they refer to",
  );

async function enter(
  to: Semaphore,
  ended: AbortSignal,
): Promise<Disposable> {
  if (to.waitingCount < WAITING_MAX) return await to.enter(ended);
  throw serverFailure("overloaded", `${WAITING_MAX} calls wait for it`);
}

function sealIn(rows: readonly SqlRow[] | undefined): Seal {
  const [row] = rows ?? [];
  if (row !== undefined) return readSeal(row);
  throw serverFailure("unusable", "the database no longer says whose it is");
}
