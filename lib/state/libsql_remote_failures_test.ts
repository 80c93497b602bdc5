/** A libSQL server that is ill, lies, or serves two: what must not happen does not, and one sentence says why. */
import {
  type ErrorCode,
  messageOf,
  type NodeId,
  nodeId,
  utf8,
} from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  type Asked,
  type Json,
  type LibsqlServer,
  type LibsqlServerOptions,
  openLibsqlServer,
} from "@tesseras/testing/libsql";
import { statement } from "./libsql_columns.ts";
import { openRemoteDatabase, type RemoteDatabase } from "./libsql_remote.ts";
import type { Statement } from "./sql.ts";

const { signal } = new AbortController();
const TOKEN = "top-secret-token";
const ann = nodeId(new Uint8Array(20).fill(1));

async function withServer(
  test: (server: LibsqlServer) => Promise<void>,
  options: LibsqlServerOptions = {},
): Promise<void> {
  await using server = await openLibsqlServer({ token: TOKEN, ...options });
  await test(server);
}

function openOn(
  server: LibsqlServer,
  more: {
    readonly node?: NodeId;
    readonly database?: Uint8Array;
    readonly token?: string;
    readonly answerMs?: number;
  } = {},
): Promise<RemoteDatabase> {
  const url = server.url("one");
  return openRemoteDatabase(
    { url, token: TOKEN, node: ann, ...more },
    signal,
  );
}

const put = (name: string, text: string): Statement =>
  statement(
    "INSERT INTO value VALUES (?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
    name,
    utf8(text),
  );
const all = statement("SELECT name FROM value ORDER BY name");

/** A promise again, of one whose end was waited for together with others. */
function outcomeOf(end: PromiseSettledResult<unknown>): Promise<unknown> {
  return end.status === "fulfilled"
    ? Promise.resolve(end.value)
    : Promise.reject(end.reason);
}

/** Answers a part of what it says it will, and ends the connection. */
function broken(text: string): Response {
  return new Response(ReadableStream.from([utf8(text.slice(0, 20))]), {
    headers: { "content-length": String(text.length) },
  });
}

/** Answers only when the test is over. */
function silent(): {
  readonly bend: () => Promise<Response>;
  readonly end: () => void;
} {
  const over = Promise.withResolvers<Response>();
  return {
    bend: () => over.promise.then((answer) => answer.clone()),
    end: () => over.resolve(new Response("over")),
  };
}

const ILLS: readonly {
  readonly name: string;
  readonly bend: (asked: Asked) => Response;
  readonly code: ErrorCode;
  readonly saw: RegExp;
}[] = [
  {
    name: "breaks off in the middle",
    bend: ({ perform }) => broken(JSON.stringify(perform())),
    code: "unreachable",
    saw: /the connection failed/,
  },
  {
    name: "answers 500 and repeats the token",
    bend: ({ request }) =>
      new Response(request.headers.get("authorization"), { status: 500 }),
    code: "unusable",
    saw: /it answered 500 "Bearer \.\.\."/,
  },
  {
    name: "answers 401",
    bend: () => new Response("who are you?", { status: 401 }),
    code: "unusable",
    saw: /does not accept the token in TESSERAS_STATE_TOKEN/,
  },
  {
    name: "has too much to do",
    bend: () => new Response("later", { status: 503 }),
    code: "overloaded",
    saw: /too much to do/,
  },
  {
    name: "sends us elsewhere",
    bend: ({ request }) => Response.redirect(`${request.url}/else`, 307),
    code: "unusable",
    saw: /it answered 307/,
  },
  {
    name: "answers half of its JSON",
    bend: ({ perform }) => {
      const text = JSON.stringify(perform());
      return new Response(text.slice(0, text.length / 2));
    },
    code: "unusable",
    saw: /not JSON/,
  },
  {
    name: "answers letters that are none",
    bend: ({ perform }) => {
      const bytes = Uint8Array.from(utf8(JSON.stringify(perform())));
      bytes[bytes.indexOf(0x22, 40) + 1] = 0xff;
      return new Response(bytes);
    },
    code: "unusable",
    saw: /not JSON/,
  },
  {
    name: "answers a page",
    bend: () => new Response("<html>"),
    code: "unusable",
    saw: /not JSON/,
  },
  {
    name: "answers without end",
    bend: () => {
      const part = utf8(" ".repeat(1 << 20));
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(part),
      });
      return new Response(body);
    },
    code: "unusable",
    saw: /more than 67108864 bytes/,
  },
  {
    name: "repeats the token in what SQLite says",
    bend: ({ request, perform }) => {
      const answer = perform();
      const message = `no ${request.headers.get("authorization")}`;
      const error = { message, code: "SQLITE_IOERR" };
      answer.results = answer.results.map(() => ({ type: "error", error }));
      return Response.json(answer);
    },
    code: "unusable",
    saw: /SQLITE_IOERR: no Bearer \.\.\./,
  },
];

for (const { name, bend, code, saw } of ILLS) {
  Deno.test(`a server that ${name} is refused with a code, and used again when it is well`, () =>
    withServer(async (server) => {
      server.bend = bend;
      await assertRejectsCode(openOn(server), code, saw);
      server.bend = undefined;
      await using database = await openOn(server);
      server.bend = bend;
      const calls = [
        database.read(all, signal),
        database.write([put("a", "1")], signal),
      ];
      for (const end of await Promise.allSettled(calls)) {
        await assertRejectsCode(outcomeOf(end), code, saw);
        const text = await outcomeOf(end).catch(messageOf);
        assertTrue(!String(text).includes(TOKEN), String(text));
      }
      server.bend = undefined;
      await database.write([put("b", "1")], signal);
      const names = (await database.read(all, signal)).flat();
      assertTrue(names.includes("b"), names.join());
    }));
}

/** What no honest server answers to a batch. */
const LIES: Readonly<Record<string, (result: Json, answer: Json) => void>> = {
  "has no results": (_, answer) => answer.results = {},
  "has no steps": (result) => delete result.step_results,
  "leaves steps out": (result) => result.step_results.pop(),
  "does not say whether it committed": (result) =>
    result.step_results[result.step_results.length - 2] = null,
  "says that every step failed": (result) => {
    result.step_errors.fill({ message: "no", code: "SQLITE_ERROR" });
    result.step_results.fill(null);
  },
  "says that a step failed and was done": (result) =>
    result.step_errors[1] = { message: "no", code: "SQLITE_CONSTRAINT" },
  "answers text for rows": (result) => result.step_results[1].rows = "rows",
  "has an integer that is none": (result) =>
    result.step_results[1] = rowsOf([{ type: "integer", value: "x" }]),
  "has values of a type nobody knows": (result) =>
    result.step_results[1] = rowsOf([{ type: "date", value: "x" }]),
  "answers for another kind of request": (_, answer) =>
    answer.results.reverse(),
  "has an error without a text": (_, answer) =>
    answer.results = answer.results.map(() => ({ type: "error", error: {} })),
};

function rowsOf(row: readonly Json[]): Json {
  return { cols: [{ name: "x" }], rows: [row], affected_row_count: 0 };
}

for (const [name, lie] of Object.entries(LIES)) {
  Deno.test(`an answer that ${name} is refused`, () =>
    withServer(async (server) => {
      await using database = await openOn(server);
      server.bend = ({ perform }) => {
        const answer = perform();
        const batch = answer.results.find((one: Json) =>
          one.response.type === "batch"
        );
        lie(batch.response.result, answer);
        return Response.json(answer);
      };
      await assertRejectsCode(database.read(all, signal), "unusable");
      await assertRejectsCode(
        database.write([put("a", "1")], signal),
        "unusable",
      );
      await assertRejectsCode(openOn(server), "unusable");
    }));
}

Deno.test("columns of another type than ours are refused", () =>
  withServer(async (server) => {
    await using database = await openOn(server);
    server.bend = ({ perform }) => {
      const answer = perform();
      const batch = answer.results.find((one: Json) =>
        one.response.type === "batch"
      );
      for (const step of batch.response.result.step_results.filter(Boolean)) {
        for (const row of step.rows) row.fill({ type: "text", value: "x" });
      }
      return Response.json(answer);
    };
    await assertRejectsCode(database.read(all, signal), "corrupt");
    await assertRejectsCode(openOn(server), "unusable", /something else/);
  }));

Deno.test("a server that names another place for what comes next is asked in its own place", () =>
  withServer(async (server) => {
    await using elsewhere = await openLibsqlServer();
    server.bend = ({ perform }) =>
      Response.json({ ...perform(), base_url: elsewhere.url("one") });
    await using database = await openOn(server);
    await database.write([put("a", "1")], signal);
    assertEquals(await database.read(all, signal), [["a"]]);
    server.bend = ({ perform }) =>
      Response.json({
        ...perform(),
        baton: "b",
        results: [],
        base_url: elsewhere.url("one"),
      });
    await assertRejectsCode(database.read(all, signal), "unusable");
    assertEquals(elsewhere.askedCount, 0);
  }));

Deno.test("a silent server holds nobody: neither those it was asked for nor those that wait behind", () =>
  withServer(async (server) => {
    // Short only when it is open, which a machine with much to do may take long for.
    const options = {
      url: server.url("one"),
      token: TOKEN,
      node: ann,
      answerMs: 30_000,
    };
    await using database = await openRemoteDatabase(options, signal);
    options.answerMs = 50;
    const silence = silent();
    server.bend = silence.bend;
    const calls = [
      ...Array.from({ length: 20 }, () => database.read(all, signal)),
      database.write([put("a", "1")], signal),
      database.write([put("b", "1")], signal),
      openOn(server, { answerMs: 50 }),
    ];
    const told = /no answer came within 0.05 s/;
    for (const end of await Promise.allSettled(calls)) {
      await assertRejectsCode(outcomeOf(end), "timeout", told);
    }
    silence.end();
  }));

Deno.test("who stops waiting for a silent server is let go, and so is everybody when the database is closed", () =>
  withServer(async (server) => {
    const database = await openOn(server);
    const silence = silent();
    server.bend = silence.bend;
    const stop = new AbortController();
    const one = database.read(all, stop.signal);
    const other = database.read(all, signal);
    const cancelled = [one, other].map((each) =>
      assertRejectsCode(each, "cancelled")
    );
    stop.abort();
    await cancelled[0];
    await database[Symbol.asyncDispose]();
    await cancelled[1];
    await assertRejectsCode(database.read(all, signal), "cancelled");
    silence.end();
  }));

Deno.test("no more than 4,096 reads wait, and 4,096 writes", () =>
  withServer(async (server) => {
    await using database = await openOn(server);
    const silence = silent();
    server.bend = silence.bend;
    const stop = new AbortController();
    const reads = Array.from(
      { length: 8 + 4_097 },
      () => database.read(all, stop.signal),
    );
    const writes = Array.from(
      { length: 1 + 4_097 },
      () => database.write([put("a", "1")], stop.signal),
    );
    for (const calls of [reads, writes]) {
      await assertRejectsCode(calls.pop()!, "overloaded", /4096 calls/);
    }
    const ends = Promise.allSettled([...reads, ...writes]);
    stop.abort();
    assertTrue((await ends).every(({ status }) => status === "rejected"));
    silence.end();
  }));

Deno.test("where nobody listens is unreachable", async () => {
  const server = await openLibsqlServer();
  await server[Symbol.asyncDispose]();
  await assertRejectsCode(openOn(server), "unreachable");
});

Deno.test("a wrong token is told, and not what it was", () =>
  withServer(async (server) => {
    const opening = openOn(server, { token: "guessed-token" });
    await assertRejectsCode(opening, "unusable", /does not accept the token/);
    const text = String(await opening.catch(messageOf));
    assertTrue(!text.includes("guessed-token"), text);
  }));

Deno.test("a token that cannot be sent is told, and not what it is", () =>
  withServer(async (server) => {
    for (const token of ["two words", "line\n", "schlüssel"]) {
      const opening = openOn(server, { token });
      await assertRejectsCode(opening, "unusable", /holds what no token can/);
      const text = String(await opening.catch(messageOf));
      assertTrue(!text.includes(token), text);
    }
    assertEquals(server.askedCount, 0);
  }));
