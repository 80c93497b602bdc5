/** Serving HTTP pages on an address, and ending that in order. */
import {
  type Address,
  type Clock,
  codeOf,
  formatAddress,
  messageOf,
  orAbort,
  TesserasError,
} from "@tesseras/core";
import { HttpGate, type HttpGateParts } from "./http_gate.ts";

/** Pages that are being served. Disposing it lets those under way end. */
export type PageServer = AsyncDisposable & { readonly address: Address };

/** What is served and where. */
export type PagesOptions = {
  readonly address: Address;
  /** What the pages are, for a sentence that says they cannot be served. */
  readonly what: string;
  /** The setting that says where. */
  readonly setting: string;
  readonly handler: (
    request: Request,
    remote: string,
  ) => Response | Promise<Response>;
};

/** How long a page under way may take when the process stops; a client that sends half a request would hold it for ever. */
const GOODBYE_MS = 500;

/**
 * Serves pages, to so many clients at once and to none for long ({@link HttpGate}).
 *
 * @throws `inUse` when the port is taken, `unusable` when the address is not ours to listen on
 */
export function servePages(
  options: PagesOptions,
  parts: HttpGateParts,
): PageServer {
  const { handler } = options;
  const listener = listen(options);
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request, { remoteAddr }) => handler(request, gate.remoteOf(remoteAddr)),
  );
  const gate = new HttpGate(listener, server.addr, parts);
  return {
    address: { ip: listener.addr.hostname, port: listener.addr.port },
    async [Symbol.asyncDispose]() {
      gate.close();
      const ended = server.shutdown();
      await settledWithin(ended, parts.clock);
      // Without connections the server has nothing left to wait for.
      await gate[Symbol.asyncDispose]();
      await ended;
      await server.finished;
    },
  };
}

async function settledWithin(work: Promise<void>, clock: Clock): Promise<void> {
  using deadline = clock.deadline(GOODBYE_MS, new AbortController().signal);
  try {
    await orAbort(work, deadline.signal);
  } catch (error) {
    if (codeOf(error) !== "timeout") throw error;
  }
}

function listen({ address, what, setting }: PagesOptions): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: address.ip, port: address.port });
  } catch (cause) {
    const isTaken = cause instanceof Deno.errors.AddrInUse;
    const reason = isTaken ? "another process listens there" : messageOf(cause);
    throw new TesserasError(
      isTaken ? "inUse" : "unusable",
      `Cannot serve ${what} on ${
        formatAddress(address)
      }: ${reason}; set ${setting} to another address, or to "" for none`,
      { cause },
    );
  }
}
