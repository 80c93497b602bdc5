import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type Clock,
  Counters,
  formatAddress,
  VirtualClock,
} from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import { type PageServer, servePages } from "./pages.ts";

const never = new AbortController().signal;

function serve(clock: Clock) {
  const counters = new Counters();
  const server = servePages({
    address: { ip: "127.0.0.1", port: 0 },
    what: "a page",
    setting: "a setting",
    handler: (request, remote) =>
      new Response(`${request.method} ${remote} ${"x".repeat(100_000)}`),
  }, { clock, counters });
  return { counters, server };
}

const connect = ({ address: { ip, port } }: PageServer) =>
  Deno.connect({ hostname: ip, port });

/** Asks for half a page. */
async function dawdle(server: PageServer): Promise<Deno.TcpConn> {
  const connection = await connect(server);
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost:"));
  return connection;
}

/** Whether the other end has closed, waiting for it to. */
async function isClosed(connection: Deno.TcpConn): Promise<boolean> {
  try {
    return await connection.read(new Uint8Array(1)) === null;
  } catch {
    return true; // reset
  }
}

Deno.test("a page comes whole, asked for over and over, and its server hears who asks", async () => {
  const { server } = serve(systemClock);
  await using _server = server;
  const url = `http://${formatAddress(server.address)}/`;
  for (let times = 0; times < 20; times++) {
    const text = await (await fetch(url)).text();
    assertEquals(text.length, "GET 127.0.0.1 ".length + 100_000);
    assertTrue(text.startsWith("GET 127.0.0.1 x"));
  }
});

Deno.test("more clients than may be that never finish asking hold up nobody, and keep no more handles", async () => {
  const { server, counters } = serve(systemClock);
  await using _server = server;
  await using slow = new AsyncDisposableStack();
  const all: Deno.TcpConn[] = [];
  for (let count = 0; count < 300; count++) {
    all.push(slow.use(await dawdle(server)));
  }
  const answer = await fetch(`http://${formatAddress(server.address)}/`);
  assertEquals((await answer.text()).length, 100_014);
  assertTrue(await isClosed(all[0]!));
  assertTrue(counters.get("http.closed_full") >= 44);
});

Deno.test("a client that sends half a request, or nothing, is let go in the end", async () => {
  const clock = new VirtualClock();
  const { server, counters } = serve(clock);
  using half = await dawdle(server);
  using idle = await connect(server);
  const ended = Promise.all([isClosed(half), isClosed(idle)]);
  let isOver = false;
  const over = ended.then(() => isOver = true);
  while (!isOver) {
    await clock.advance(10_000);
    await systemClock.sleep(5, never);
  }
  await over;
  assertEquals(await ended, [true, true]);
  assertEquals(counters.get("http.closed_slow"), 2);
  await server[Symbol.asyncDispose]();
});
