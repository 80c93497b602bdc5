/** Serving HTTP pages on an address, and ending that in order. */
import {
  type Address,
  type Clock,
  formatAddress,
  messageOf,
  TesserasError,
} from "@tesseras/core";

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
 * Serves pages.
 *
 * @throws `inUse` when the port is taken, `unusable` when the address is not ours to listen on
 */
export function servePages(options: PagesOptions, clock: Clock): PageServer {
  const force = new AbortController();
  const server = listen(options, force.signal);
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
  { address, what, setting, handler }: PagesOptions,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({
      hostname: address.ip,
      port: address.port,
      signal,
      onListen() {},
    }, (request, { remoteAddr }) => handler(request, remoteAddr.hostname));
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
