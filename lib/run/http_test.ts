import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { Counters, formatAddress } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import { healthApp, type HealthSource, serveHealth } from "./http.ts";

const ANY = { ip: "127.0.0.1", port: 0 };
const parts = { clock: systemClock, counters: new Counters() };

function sourceOf(changes: Partial<HealthSource> = {}): HealthSource {
  return {
    problem: () => undefined,
    ready: () => true,
    gauges: () => [
      { name: "tesseras_peers_known", help: "Peers known", value: 3 },
      { name: "tesseras_load_ratio", help: "Load", value: 0.25 },
    ],
    counters: () => ({ "quic.dialled": 2, "request.find_node": 7 }),
    ...changes,
  };
}

Deno.test("healthz and readyz say how the process is", async () => {
  const ask = async (path: string, changes: Partial<HealthSource> = {}) => {
    const answer = await healthApp(sourceOf(changes)).request(path);
    return [answer.status, await answer.text()];
  };
  assertEquals(await ask("/healthz"), [200, "ok\n"]);
  assertEquals(await ask("/healthz", { problem: () => "disk is gone" }), [
    503,
    "disk is gone\n",
  ]);
  assertEquals(await ask("/readyz"), [200, "ready\n"]);
  assertEquals(await ask("/readyz", { ready: () => false }), [
    503,
    "not ready\n",
  ]);
  assertEquals((await ask("/elsewhere"))[0], 404);
});

Deno.test("metrics are Prometheus text, each with its help and type", async () => {
  const answer = await healthApp(sourceOf()).request("/metrics");
  assertEquals(
    answer.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  const text = await answer.text();
  assertTrue(text.endsWith("\n"));
  const sample = /^[a-z_][a-z0-9_]* -?\d+(\.\d+)?$/;
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.length, 12);
  for (let at = 0; at < lines.length; at += 3) {
    const [help, type, value] = lines.slice(at, at + 3) as [
      string,
      string,
      string,
    ];
    const name = value.split(" ")[0]!;
    assertTrue(help.startsWith(`# HELP ${name} `), help);
    const kind = name.endsWith("_total") ? "counter" : "gauge";
    assertEquals(type, `# TYPE ${name} ${kind}`);
    assertTrue(sample.test(value), value);
  }
  assertTrue(text.includes("\ntesseras_request_find_node_total 7\n"));
});

Deno.test("every counter there is has its sentence on the page, also those that are 0", async () => {
  const counters = new Counters();
  counters.add("rpc.refused_diskFull", 3);
  const changes = { counters: () => counters.snapshot() };
  const answer = await healthApp(sourceOf(changes)).request("/metrics");
  const text = await answer.text();
  assertTrue(text.includes(
    "# HELP tesseras_rpc_refused_disk_full_total Requests answered with diskFull: no room is left\n" +
      "# TYPE tesseras_rpc_refused_disk_full_total counter\n" +
      "tesseras_rpc_refused_disk_full_total 3\n",
  ));
  assertTrue(text.includes("\ntesseras_admission_work_rate_total 0\n"));
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("promtool finds nothing to correct, where it is installed", async () => {
  const counters = new Counters();
  const changes = { counters: () => counters.snapshot() };
  const answer = await healthApp(sourceOf(changes)).request("/metrics");
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return console.log("skipped: promtool is not installed");
  }
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(await answer.arrayBuffer()));
  await writer.close();
  const { code, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});

Deno.test("the pages are served, and a taken port is one sentence", async () => {
  await using served = serveHealth(ANY, sourceOf(), parts);
  const url = `http://${formatAddress(served.address)}/healthz`;
  assertEquals(await (await fetch(url)).text(), "ok\n");
  assertThrowsCode(
    () => serveHealth(served.address, sourceOf(), parts),
    "inUse",
    /^Cannot serve metrics on 127\.0\.0\.1:\d+: another process .*metrics_addr/,
  );
  assertThrowsCode(
    () => serveHealth({ ip: "192.0.2.1", port: 1 }, sourceOf(), parts),
    "unusable",
    /^Cannot serve metrics on 192\.0\.2\.1:1: /,
  );
});

Deno.test("a client that sends half a request does not hold up the end", async () => {
  const served = serveHealth(ANY, sourceOf(), parts);
  const { ip, port } = served.address;
  using connection = await Deno.connect({ hostname: ip, port });
  await connection.write(new TextEncoder().encode("GET /healthz HTT"));
  await systemClock.sleep(20, new AbortController().signal);
  await served[Symbol.asyncDispose]();
});
