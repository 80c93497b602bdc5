/**
 * A libSQL server on loopback for tests: real HTTP, the pipelines of the Hrana protocol over HTTP (version 2, JSON), and real
 * libSQL below, each database a file that goes with the server. What it answers can be bent, to play a server that is ill or lies.
 */
import Libsql from "libsql";
import { toHex } from "@tesseras/core";
import { join } from "node:path";

/** JSON of a request or an answer. */
// deno-lint-ignore no-explicit-any -- what a client sends is looked at field by field, and what tests bend has any shape
export type Json = any;

/** One request, and the honest way to answer it. */
export type Asked = {
  readonly request: Request;
  readonly body: Json;
  /** Does what is asked for, and gives the answer. */
  readonly perform: () => Json;
};

/** A running server. */
export type LibsqlServer = AsyncDisposable & {
  /** The URL of a database, which is made when it is first used. */
  readonly url: (name: string) => string;
  /** Every request is answered by this, as long as it is set. */
  bend: ((asked: Asked) => Response | Promise<Response>) | undefined;
  /** Runs SQL in a database, from behind. */
  readonly run: (name: string, sql: string) => Json[];
  /** Requests that came. */
  readonly askedCount: number;
};

/** What a server is started with. */
export type LibsqlServerOptions = {
  /** What a client must show. */
  readonly token?: string;
  readonly port?: number;
  /** Whether foreign keys are enforced, asked for every stream. */
  readonly foreignKeys?: () => boolean;
};

const SQLITE_NAMES: Readonly<Record<number, string>> = {
  1: "SQLITE_ERROR",
  5: "SQLITE_BUSY",
  13: "SQLITE_FULL",
  19: "SQLITE_CONSTRAINT",
};

/** Starts one. */
export async function openLibsqlServer(
  { token, port = 0, foreignKeys = () => true }: LibsqlServerOptions = {},
): Promise<LibsqlServer> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_libsql_server_" });
  const databases = new Databases(folder, foreignKeys);
  let askedCount = 0;
  const listener = Deno.serve(
    { hostname: "127.0.0.1", port, onListen() {} },
    async (request) => {
      askedCount++;
      const path = /^\/(\w+)\/v2\/pipeline$/.exec(
        new URL(request.url).pathname,
      );
      if (path === null) return new Response("not found", { status: 404 });
      const shown = request.headers.get("authorization");
      if (token !== undefined && shown !== `Bearer ${token}`) {
        return Response.json({ error: "not authenticated" }, { status: 401 });
      }
      const body = await request.json();
      const perform = () => databases.perform(path[1]!, body);
      return await server.bend?.({ request, body, perform }) ??
        Response.json(perform());
    },
  );
  const server: LibsqlServer = {
    url: (name) => `http://127.0.0.1:${listener.addr.port}/${name}`,
    bend: undefined,
    run: (name, sql) => databases.run(name, sql),
    get askedCount() {
      return askedCount;
    },
    async [Symbol.asyncDispose]() {
      await listener.shutdown();
      databases.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
  return server;
}

/** The files, and the streams that clients have open on them. */
class Databases {
  readonly #folder: string;
  readonly #foreignKeys: () => boolean;
  readonly #idle = new Map<string, InstanceType<typeof Libsql>[]>();
  readonly #streams = new Map<string, Stream>();

  constructor(folder: string, foreignKeys: () => boolean) {
    this.#folder = folder;
    this.#foreignKeys = foreignKeys;
  }

  /** Answers a pipeline: the stream of its baton, or a new one, does one request after the other. */
  perform(name: string, body: Json): Json {
    const stream = body.baton ? this.#streams.get(body.baton) : undefined;
    if (body.baton && stream === undefined) throw new Error("no such stream");
    this.#streams.delete(body.baton);
    const used = stream ?? new Stream(this.#connection(name));
    const results = body.requests.map((one: Json) => used.answer(one));
    if (used.isClosed) {
      used.end();
      this.#idle.get(name)!.push(used.connection);
      return { baton: null, base_url: null, results };
    }
    const baton = toHex(crypto.getRandomValues(new Uint8Array(16)));
    this.#streams.set(baton, used);
    return { baton, base_url: null, results };
  }

  run(name: string, sql: string): Json[] {
    const connection = this.#connection(name);
    try {
      const statement = connection.prepare(sql);
      return statement.reader ? statement.all([]) : [statement.run([])];
    } finally {
      this.#idle.get(name)!.push(connection);
    }
  }

  close(): void {
    for (const { connection } of this.#streams.values()) connection.close();
    for (const one of [...this.#idle.values()].flat()) one.close();
  }

  #connection(name: string): InstanceType<typeof Libsql> {
    const idle = this.#idle.get(name) ?? [];
    this.#idle.set(name, idle);
    const connection = idle.pop() ?? open(join(this.#folder, `${name}.db`));
    const isOn = this.#foreignKeys() ? "ON" : "OFF";
    connection.exec(`PRAGMA foreign_keys = ${isOn}`);
    return connection;
  }
}

function open(path: string): InstanceType<typeof Libsql> {
  const connection = new Libsql(path, { timeout: 1_000 });
  connection.exec("PRAGMA journal_mode = WAL");
  return connection;
}

/** One connection and the texts that a client has left with it. */
class Stream {
  readonly connection: InstanceType<typeof Libsql>;
  readonly #texts = new Map<number, string>();
  isClosed = false;

  constructor(connection: InstanceType<typeof Libsql>) {
    this.connection = connection;
  }

  answer(request: Json): Json {
    try {
      return { type: "ok", response: this.#perform(request) };
    } catch (error) {
      return { type: "error", error: errorOf(error) };
    }
  }

  /** A transaction that nobody ended is undone. */
  end(): void {
    if (this.connection.inTransaction) this.connection.exec("ROLLBACK");
  }

  #perform(request: Json): Json {
    const { type } = request;
    switch (type) {
      case "store_sql":
        this.#texts.set(request.sql_id, request.sql);
        return { type };
      case "close_sql":
        this.#texts.delete(request.sql_id);
        return { type };
      case "execute":
        return { type, result: this.#run(request.stmt) };
      case "batch":
        return { type, result: this.#batch(request.batch.steps) };
      case "close":
        this.isClosed = true;
        return { type };
      default:
        throw new Error(`request ${type} is not known`);
    }
  }

  #batch(steps: readonly Json[]): Json {
    const results: Json[] = [];
    const errors: Json[] = [];
    for (const [at, { condition, stmt }] of steps.entries()) {
      results[at] = errors[at] = null;
      if (condition && !holds(condition, results, errors)) continue;
      try {
        results[at] = this.#run(stmt);
      } catch (error) {
        errors[at] = errorOf(error);
      }
    }
    return { step_results: results, step_errors: errors };
  }

  #run(stmt: Json): Json {
    const sql = stmt.sql ?? this.#texts.get(stmt.sql_id);
    const statement = this.connection.prepare(sql);
    const args = stmt.args.map(argumentOf);
    if (!statement.reader) {
      const { changes } = statement.run(args);
      return resultOf([], [], changes);
    }
    const names = statement.columns().map(({ name }: Json) => ({ name }));
    const rows = statement.raw(true).safeIntegers(true).all(args);
    return resultOf(names, rows, 0);
  }
}

function resultOf(
  cols: readonly Json[],
  rows: readonly Json[],
  changes: number,
): Json {
  return {
    cols,
    rows: rows.map((row) => row.map(valueOf)),
    affected_row_count: changes,
    last_insert_rowid: null,
  };
}

function holds(
  condition: Json,
  results: readonly Json[],
  errors: readonly Json[],
): boolean {
  const all = () =>
    condition.conds.map((one: Json) => holds(one, results, errors));
  switch (condition.type) {
    case "ok":
      return results[condition.step] !== null;
    case "error":
      return errors[condition.step] !== null;
    case "not":
      return !holds(condition.cond, results, errors);
    case "and":
      return all().every(Boolean);
    case "or":
      return all().some(Boolean);
    default:
      throw new Error(`condition ${condition.type} is not known`);
  }
}

function argumentOf({ type, value, base64 }: Json): Json {
  switch (type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value);
    case "blob":
      return Uint8Array.fromBase64(base64);
    default:
      return value;
  }
}

function valueOf(value: Json): Json {
  if (value === null) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: `${value}` };
  if (typeof value === "number") return { type: "float", value };
  if (typeof value === "string") return { type: "text", value };
  // Without padding, as servers send it.
  const base64 = new Uint8Array(value).toBase64({ omitPadding: true });
  return { type: "blob", base64 };
}

function errorOf(error: Json): Json {
  const code = SQLITE_NAMES[(error.rawCode ?? 0) & 0xff];
  return { message: String(error.message), ...(code && { code }) };
}

if (import.meta.main) {
  const [port = "0"] = Deno.args;
  const server = await openLibsqlServer({ port: Number(port) });
  console.log(server.url("NAME"));
}
