/** Asks a holder for what it keeps. The holder may be ourselves: whoever fetches may have been given fragments to keep before. */
import { assert, equal, TesserasError, throwIfAborted } from "@tesseras/core";
import type { Answer, BulkReader, BulkSource, Reply } from "@tesseras/net";
import { isResponseTo, type NodeRecord, type Request } from "@tesseras/wire";
import type { Node } from "./node.ts";

/** Asks a holder, or ourselves without the wire between. @throws as {@link Node.ask} */
export async function askHolder<R extends Request>(
  node: Node,
  holder: NodeRecord,
  request: R,
  signal: AbortSignal,
): Promise<Answer<R>> {
  if (!equal(holder.id, node.id)) {
    return await node.ask(holder, request, {}, signal);
  }
  const { response, bulk } = await node.askSelf(request, signal);
  return {
    response: expected(request, response),
    bulk: bulk && new OwnBulk(bulk, node),
  };
}

function expected<R extends Request>(
  request: R,
  response: Reply["response"],
): Answer<R>["response"] {
  if (response.type === "error") {
    throw new TesserasError(response.code, response.text);
  }
  assert(isResponseTo(response, request), "a role answers what it was asked");
  return response;
}

/** Octets of our own, read as if they arrived. */
class OwnBulk implements BulkReader {
  readonly bytes: number;
  readonly #node: Node;
  readonly #stop = new AbortController();
  readonly #chunks: AsyncIterator<Uint8Array>;
  #receivedBytes = 0;
  #isOver = false;

  constructor(source: BulkSource, node: Node) {
    this.bytes = source.bytes;
    this.#node = node;
    this.#chunks = source.chunks(this.#stop.signal)[Symbol.asyncIterator]();
  }

  async read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    throwIfAborted(signal);
    const onAbort = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const { done, value } = await this.#chunks.next();
      if (!done) {
        this.#receivedBytes += value.length;
        return value;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    this.#isOver = true;
    if (this.#receivedBytes === this.bytes) return undefined;
    throw new TesserasError(
      "corrupt",
      `Cannot read bulk: ${this.#receivedBytes} bytes came, ${this.bytes} were announced`,
    );
  }

  /** Closes what the source reads from; the node waits for it. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stop.abort();
    this.#node.spawn(async () => {
      await this.#chunks.return?.();
    });
  }
}
