/** What operators ask a process over HTTP: is it alive, is it ready, what has it counted. */
import { Hono } from "hono";
import {
  type Address,
  type Clock,
  formatAddress,
  messageOf,
  TesserasError,
} from "@tesseras/core";

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

/** A value that goes up and down. */
export type Gauge = {
  readonly name: string;
  readonly help: string;
  readonly value: number;
};

/** How long a page under way may take when the process stops; a client that sends half a request would hold it for ever. */
const GOODBYE_MS = 500;

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
  clock: Clock,
): AsyncDisposable & { readonly address: Address } {
  const app = healthApp(source);
  const force = new AbortController();
  const server = listen(address, force.signal, (request) => app.fetch(request));
  return {
    address: { ip: server.addr.hostname, port: server.addr.port },
    async [Symbol.asyncDispose]() {
      using deadline = clock.deadline(GOODBYE_MS, new AbortController().signal);
      deadline.signal.addEventListener("abort", () => force.abort());
      await server.shutdown();
      await server.finished;
    },
  };
}

function listen(
  address: Address,
  signal: AbortSignal,
  handler: (request: Request) => Response | Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({
      hostname: address.ip,
      port: address.port,
      signal,
      onListen() {},
    }, handler);
  } catch (cause) {
    const isTaken = cause instanceof Deno.errors.AddrInUse;
    const reason = isTaken ? "another process listens there" : messageOf(cause);
    throw new TesserasError(
      isTaken ? "inUse" : "unusable",
      `Cannot serve metrics on ${
        formatAddress(address)
      }: ${reason}; set [observability] metrics_addr to another address, or to "" for none`,
      { cause },
    );
  }
}

/** Prometheus text format 0.0.4. */
function printMetrics(source: HealthSource): string {
  const lines: string[] = [];
  for (const { name, help, value } of source.gauges()) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    lines.push(`${name} ${value}`);
  }
  for (const [dotted, value] of Object.entries(source.counters())) {
    const name = `tesseras_${dotted.replaceAll(/[^a-z0-9]+/g, "_")}_total`;
    lines.push(`# HELP ${name} Times of ${dotted} since the start`);
    lines.push(`# TYPE ${name} counter`, `${name} ${value}`);
  }
  return lines.join("\n") + "\n";
}
