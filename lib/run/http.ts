/** What operators ask a process over HTTP: is it alive, is it ready, what has it counted. */
import { Hono } from "hono";
import { type Address, COUNTER_HELP } from "@tesseras/core";
import type { Gauge } from "@tesseras/node";
import type { HttpGateParts } from "./http_gate.ts";
import { type PageServer, servePages } from "./pages.ts";

/** What the pages show. */
export type HealthSource = {
  /** Why the process is not well, `undefined` while it is. */
  readonly problem: () => string | undefined;
  /** Whether it does its work: it listens, and it has joined a network or is a seed. */
  readonly ready: () => boolean;
  /** Gauges by their full Prometheus name, with a help text. */
  readonly gauges: () => readonly Gauge[];
  /** Counters by their dotted name. */
  readonly counters: () => Readonly<Record<string, number>>;
};

/** The pages as a plain handler. */
export function healthApp(source: HealthSource): Hono {
  const app = new Hono();
  app.get("/healthz", (context) => {
    const problem = source.problem();
    return problem === undefined
      ? context.text("ok\n")
      : context.text(`${problem}\n`, 503);
  });
  app.get(
    "/readyz",
    (context) =>
      source.ready()
        ? context.text("ready\n")
        : context.text("not ready\n", 503),
  );
  app.get("/metrics", (context) => {
    context.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return context.body(printMetrics(source));
  });
  return app;
}

/**
 * Serves the pages.
 *
 * @throws `inUse` when the port is taken, `unusable` when the address is not ours to listen on
 */
export function serveHealth(
  address: Address,
  source: HealthSource,
  parts: HttpGateParts,
): PageServer {
  const app = healthApp(source);
  return servePages({
    address,
    what: "metrics",
    setting: "[observability] metrics_addr",
    handler: (request) => app.fetch(request),
  }, parts);
}

/** Prometheus text format 0.0.4. */
function printMetrics(source: HealthSource): string {
  const lines: string[] = [];
  for (const { name, help, value } of source.gauges()) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    lines.push(`${name} ${value}`);
  }
  for (const [dotted, value] of Object.entries(source.counters())) {
    const name = metricOf(dotted);
    lines.push(`# HELP ${name} ${COUNTER_HELP.get(dotted) ?? dotted}`);
    lines.push(`# TYPE ${name} counter`, `${name} ${value}`);
  }
  return lines.join("\n") + "\n";
}

/** `fragment.refused_space` becomes `tesseras_fragment_refused_space_total`: Prometheus has no dots and no capitals. */
function metricOf(dotted: string): string {
  const snake = dotted
    .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replaceAll(/[^a-z0-9]+/g, "_");
  return `tesseras_${snake}_total`;
}
