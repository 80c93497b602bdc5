// One test waits until a client that never reads is given up: 3 s at twenty times the pace.
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  type Clock,
  clockOf,
  concat,
  Counters,
  orAbort,
  RecordingLog,
  TesserasError,
  u32be,
} from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { CLIENTS_MAX, type ControlHandler, serveControl } from "./control.ts";
import { callControl } from "./control_client.ts";
import { encodeControl } from "./control_frames.ts";
import { temporaryFolder } from "./folder_for_tests.ts";

const never = new AbortController().signal;
const ignore = (): void => {};

/** Real timers that run twenty times as fast: limits of seconds are reached in moments. */
const fastClock: Clock = clockOf({
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => 20 * performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms / 20);
    return () => clearTimeout(timer);
  },
});

async function serving(
  handlers: Readonly<Record<string, ControlHandler>>,
  { clock = systemClock, signal = never } = {},
) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const socketDir = `${folder.path}/run`;
  const socket = `${socketDir}/tesd.sock`;
  const counters = new Counters();
  const log = new RecordingLog();
  const runtime = { clock, random: systemRandom, log, counters };
  const server = stack.use(
    await serveControl({ socketDir, socket }, handlers, runtime, signal),
  );
  const all = stack.move();
  return {
    socketDir,
    socket,
    counters,
    log,
    runtime,
    server,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const echo: ControlHandler = (parameters, emit) => {
  emit({ step: 1 });
  emit({ step: 2 });
  return Promise.resolve({ said: parameters });
};

function rawCall(name: string): Uint8Array {
  return encodeControl({ kind: "call", name, json: "{}" });
}

async function readAll(connection: Deno.UnixConn): Promise<Uint8Array> {
  return concat(await Array.fromAsync(connection.readable));
}

Deno.test("a call is answered with its events in order and its result", async () => {
  await using served = await serving({ echo });
  const events: unknown[] = [];
  const result = await callControl(
    served.socket,
    "echo",
    { text: "héllo\n", list: [1, null, true] },
    (event) => events.push(event),
    never,
  );
  assertEquals(result, { said: { text: "héllo\n", list: [1, null, true] } });
  assertEquals(events, [{ step: 1 }, { step: 2 }]);
});

Deno.test("the socket is ours alone, and goes with its server", async () => {
  await using served = await serving({ echo });
  const mode = (path: string): number => Deno.statSync(path).mode! & 0o777;
  assertEquals(mode(served.socket), 0o600);
  assertEquals(mode(served.socketDir), 0o700);
  await served.server[Symbol.asyncDispose]();
  assertEquals([...Deno.readDirSync(served.socketDir)], []);
  const call = callControl(served.socket, "echo", {}, ignore, never);
  await assertRejectsCode(call, "notRunning", /deno task start:node/);
});

Deno.test("many clients at once each get their own answer; one too many is told so", async () => {
  const gate = Promise.withResolvers<void>();
  await using served = await serving({
    echo: async (parameters) => {
      await gate.promise;
      return parameters;
    },
  });
  const calls = Array.from(
    { length: CLIENTS_MAX },
    (_, n) => callControl(served.socket, "echo", { n }, ignore, never),
  );
  // Connections are taken in turn, so this one comes last.
  const extra = callControl(served.socket, "echo", {}, ignore, never);
  await assertRejectsCode(extra, "overloaded", /32 others are open/);
  assertEquals(served.counters.get("control.refused"), 1);
  gate.resolve();
  const results = await Promise.all(calls);
  assertEquals(results, results.map((_, n) => ({ n })));
  // Places are given back.
  await callControl(served.socket, "echo", {}, ignore, never);
});

Deno.test("errors arrive with their code and sentence, our bugs as refused and in the log", async () => {
  await using served = await serving({
    known: () => {
      throw new TesserasError("tooFew", "Cannot rebuild: have 3 of 16");
    },
    bug: () => Promise.reject(new TypeError("x is undefined")),
    huge: () => Promise.resolve({ text: "x".repeat(100_000) }),
    loud: (_parameters, emit) => {
      emit({ text: "x".repeat(100_000) });
      return Promise.resolve({ done: true });
    },
  });
  const call = (name: string) =>
    callControl(served.socket, name, {}, ignore, never);
  await assertRejectsCode(call("known"), "tooFew", /^Cannot rebuild: have 3/);
  await assertRejectsCode(call("bug"), "refused", /x is undefined/);
  assertEquals(served.log.events.map(({ event }) => event), ["control.failed"]);
  await assertRejectsCode(call("toString"), "refused", /not offered here/);
  await assertRejectsCode(call("huge"), "overloaded", /result of huge: \d+/);
  // An event that does not fit is left out; the work it tells of goes on.
  assertEquals(await call("loud"), { done: true });
  assertEquals(served.counters.get("control.events_dropped"), 1);
});

Deno.test("a client that hangs up stops the work it asked for", async () => {
  const started = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  await using served = await serving({
    work: async (_parameters, _emit, signal) => {
      started.resolve();
      try {
        await orAbort(new Promise<never>(ignore), signal);
      } finally {
        stopped.resolve();
      }
      return {};
    },
  });
  const controller = new AbortController();
  const { socket } = served;
  const call = callControl(socket, "work", {}, ignore, controller.signal);
  await started.promise;
  controller.abort();
  await assertRejectsCode(call, "cancelled");
  await stopped.promise;
  const late = callControl(socket, "work", {}, ignore, controller.signal);
  await assertRejectsCode(late, "cancelled");
});

Deno.test("garbage, oversize and half frames end their own connection and nothing else", async () => {
  await using served = await serving({ echo });
  const call = rawCall("echo");
  const hostile = [
    u32be(0),
    u32be(0xffff_ffff),
    u32be(65_537),
    concat([u32be(3), Uint8Array.of(0xc1, 0xc1, 0xc1)]),
    concat([u32be(5), Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)]),
    call.subarray(0, 10),
    new Uint8Array(0),
    new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
    encodeControl({ kind: "result", name: "echo", json: "{}" }),
    encodeControl({ kind: "call", name: "echo", json: "[1]" }),
    encodeControl({ kind: "call", name: "echo", json: "{" }),
    encodeControl({ kind: "call", name: "echo", json: "[".repeat(60_000) }),
    encodeControl({ kind: "call", name: "x".repeat(65), json: "{}" }),
  ];
  for (const bytes of hostile) {
    const path = served.socket;
    const connection = await Deno.connect({ transport: "unix", path });
    const writer = connection.writable.getWriter();
    await writer.write(bytes).catch(ignore);
    await writer.close().catch(ignore);
    await readAll(connection).catch(ignore);
  }
  await callControl(served.socket, "echo", {}, ignore, never);
  assertEquals(served.log.events, []);
});

Deno.test("a client that says nothing loses its place", async () => {
  await using served = await serving({ echo }, { clock: fastClock });
  const path = served.socket;
  const connection = await Deno.connect({ transport: "unix", path });
  const said = new TextDecoder().decode(await readAll(connection));
  assertTrue(said.includes("timeout"), said);
});

Deno.test("a client that never reads loses events, not the server's memory, and its place in the end", async () => {
  const done = Promise.withResolvers<void>();
  const text = "x".repeat(10_000);
  await using served = await serving({
    flood: (_parameters, emit) => {
      for (let step = 0; step < 2_000; step++) emit({ step, text });
      done.resolve();
      return Promise.resolve({ end: true });
    },
    echo,
  }, { clock: fastClock });
  const path = served.socket;
  const silent = await Deno.connect({ transport: "unix", path });
  await silent.write(rawCall("flood"));
  await done.promise;
  assertTrue(served.counters.get("control.events_dropped") > 1_000);
  await callControl(path, "echo", {}, ignore, never);
  // What was sent before it was given up is still there to read; the answer is not.
  await fastClock.sleep(70_000, never);
  const rest = new TextDecoder().decode(await readAll(silent));
  assertTrue(!rest.includes('{"end"'));
  // Who reads gets the result behind whatever events there was room for.
  const result = await callControl(path, "flood", {}, ignore, never);
  assertEquals(result, { end: true });
});

Deno.test("the socket of a process that died is replaced, that of a living one is not", async () => {
  await using served = await serving({ echo });
  const second = serveControl(served, { echo }, served.runtime, never);
  await assertRejectsCode(second, "inUse", /already running/);
  await callControl(served.socket, "echo", {}, ignore, never);
  await served.server[Symbol.asyncDispose]();
  // A socket file that nobody listens on, as kill -9 leaves it.
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "Deno.listen({ transport: 'unix', path: Deno.args[0] }); Deno.kill(Deno.pid, 'SIGKILL')",
      served.socket,
    ],
    stdout: "null",
    stderr: "null",
  });
  assertEquals((await child.output()).signal, "SIGKILL");
  assertTrue(Deno.statSync(served.socket));
  await using _again = await serveControl(
    served,
    { echo },
    served.runtime,
    never,
  );
  await callControl(served.socket, "echo", {}, ignore, never);
});

Deno.test("a server that stops takes no new calls and finishes those under way", async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  await using served = await serving({
    work: async () => {
      started.resolve();
      await gate.promise;
      return { done: true };
    },
  });
  const call = callControl(served.socket, "work", {}, ignore, never);
  const path = served.socket;
  const idle = await Deno.connect({ transport: "unix", path });
  await started.promise;
  const stopping = served.server[Symbol.asyncDispose]();
  const late = callControl(served.socket, "work", {}, ignore, never);
  await assertRejectsCode(late, "notRunning");
  assertEquals((await readAll(idle)).length, 0);
  gate.resolve();
  assertEquals(await call, { done: true });
  await stopping;
});

Deno.test("a call that does not end in time is cancelled, and its client told why", async () => {
  const started = Promise.withResolvers<void>();
  await using served = await serving({
    work: async (_parameters, _emit, signal) => {
      started.resolve();
      return await orAbort(new Promise<never>(ignore), signal);
    },
  }, { clock: fastClock });
  const call = callControl(served.socket, "work", {}, ignore, never);
  await started.promise;
  const stopping = served.server[Symbol.asyncDispose]();
  await assertRejectsCode(call, "unreachable", /the node is stopping.*again$/);
  await stopping;
});

Deno.test("a client survives a node that answers nonsense or nothing", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/sock`;
  using listener = Deno.listen({ transport: "unix", path });
  const answers:
    readonly (readonly [Uint8Array, "malformed" | "unreachable"])[] = [
      [new Uint8Array(0), "unreachable"],
      [u32be(9), "unreachable"],
      [u32be(0xffff_ffff), "malformed"],
      [concat([u32be(1), Uint8Array.of(0xc0)]), "malformed"],
      [encodeControl({ kind: "result", name: "x", json: "{" }), "malformed"],
      [encodeControl({ kind: "result", name: "x", json: "3" }), "malformed"],
      [rawCall("x"), "malformed"],
    ];
  for (const [bytes, code] of answers) {
    const call = callControl(path, "x", {}, ignore, never);
    const connection = await listener.accept();
    await connection.write(bytes);
    connection.close();
    await assertRejectsCode(call, code);
  }
});
