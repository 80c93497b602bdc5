/** The storage role: keeps fragments for others, durably, and proves by signature that it does. */
import { type Blobs, readAhead } from "@tesseras/blobs";
import {
  codeOf,
  equal,
  keyOf,
  Semaphore,
  TesserasError,
  toHex,
} from "@tesseras/core";
import {
  FREE_SPACE_MIN,
  PER_PEER_MAX,
  SUBNET_SHARES,
} from "@tesseras/core/limits";
import { Blake3, blake3, type MlDsaSuite } from "@tesseras/crypto";
import type { BulkReader, BulkSource, Reply } from "@tesseras/net";
import type { Node, Role } from "@tesseras/node";
import type { FragmentRow } from "@tesseras/state";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import { CAPABILITIES, type NodeRecord, type Request } from "@tesseras/wire";
import { Announcer, type AnnouncerOptions } from "./announcer.ts";
import { type Sender, Space } from "./space.ts";

/** What the role needs, and how much it gives. */
export type StoreOptions = AnnouncerOptions & {
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  /** Free bytes left to the machine (user guide, "Minimum free space"). */
  readonly freeSpaceMin?: number;
  /** Bytes one peer may keep here (user guide, "Per-peer limit"). */
  readonly perPeerMax?: number;
};

/** Verified plans remembered, so that a plan's 24 fragments cost two signature checks and not 48; at most 16 KB each. */
const PLANS_REMEMBERED = 256;

/** Builds the role. */
export function storeRole(node: Node, options: StoreOptions): Role {
  const store = new Store(node, options);
  return {
    name: "store",
    capabilities: CAPABILITIES.STORAGE,
    handlers: {
      put_fragment: (from, request, bulk, signal) =>
        store.put(from, request, bulk, signal),
      get_fragment: (_from, request, _bulk, signal) =>
        store.get(request, signal),
      get_plan: (_from, request, _bulk, signal) => store.plan(request, signal),
    },
    run: (signal) => store.announcer.runForever(signal),
  };
}

class Store {
  readonly announcer: Announcer;
  readonly #node: Node;
  readonly #options: StoreOptions;
  readonly #space: Space;
  readonly #verified = new Map<string, Plan>();
  /** Rows are written and struck out by one at a time, so that a healed fragment is not struck out for what it was before. */
  readonly #rows = new Semaphore(1);

  constructor(node: Node, options: StoreOptions) {
    this.#node = node;
    this.#options = options;
    this.announcer = new Announcer(node, options);
    const perPeerMax = options.perPeerMax ?? PER_PEER_MAX;
    this.#space = new Space({
      state: options.state,
      blobs: options.blobs,
      counters: node.runtime.counters,
      freeSpaceMin: options.freeSpaceMin ?? FREE_SPACE_MIN,
      perPeerMax,
      perSubnetMax: SUBNET_SHARES * perPeerMax,
    });
  }

  async put(
    from: NodeRecord,
    request: Extract<Request, { readonly type: "put_fragment" }>,
    bulk: BulkReader | undefined,
    signal: AbortSignal,
  ): Promise<Reply> {
    const plan = await this.#planOf(request.plan);
    const wanted = plan.fragments[request.index];
    if (wanted === undefined || request.bulk !== plan.shardBytes) {
      throw new TesserasError(
        "malformed",
        `Cannot keep fragment ${request.index}: the plan has ${plan.fragments.length} of ${plan.shardBytes} bytes, ${request.bulk} were announced`,
      );
    }
    // What is here needs no second sending: its octets stay unread.
    if (!await this.#has(plan, request.index, signal)) {
      if (bulk === undefined) {
        throw new TesserasError(
          "malformed",
          `Cannot keep fragment ${request.index}: no bytes followed`,
        );
      }
      const sender = this.#senderOf(from);
      using _promise = await this.#space.promise(
        sender,
        plan.shardBytes + plan.bytes.length,
        signal,
      );
      await this.#keep({ sender, plan, index: request.index }, bulk, signal);
    }
    const record = await this.announcer.record(plan.hash, signal);
    this.announcer.queue(plan.hash);
    return { response: { type: "kept", provider: record.bytes } };
  }

  async get(
    request: Extract<Request, { readonly type: "get_fragment" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { state } = this.#options;
    const row = await state.fragment(request.plan, request.index, signal);
    if (row === undefined || !await this.#isWhole(row, signal)) {
      throw new TesserasError(
        "absent",
        `Cannot give fragment ${request.index}: it is not kept here`,
      );
    }
    const left = Math.max(0, row.bytes - request.offset);
    const length = Math.min(request.length, left);
    const bulk = this.#serve(row, request.offset, length);
    return { response: { type: "fragment", bulk: length }, bulk };
  }

  async plan(
    request: Extract<Request, { readonly type: "get_plan" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const row = await this.#options.state.plan(request.plan, signal);
    if (row === undefined) {
      throw new TesserasError("absent", "Cannot give a plan: it is not here");
    }
    return { response: { type: "plan", plan: row.bytes } };
  }

  /** Who a fragment is kept for, in the subnet it was reached in where subnets count. */
  #senderOf(from: NodeRecord): Sender {
    const node = this.#node;
    const counts = node.subnetPeersMax !== undefined;
    return {
      id: from.id,
      subnet: counts ? node.asMet(from).subnet : undefined,
    };
  }

  /** Reads and checks a plan; both signatures are verified once per plan. */
  async #planOf(bytes: Uint8Array): Promise<Plan> {
    const key = keyOf(blake3(bytes));
    const known = this.#verified.get(key);
    if (known !== undefined) return known;
    const plan = readPlan(bytes);
    await verifyPlan(plan, this.#options.suite);
    if (this.#verified.size >= PLANS_REMEMBERED) {
      const [oldest] = this.#verified.keys();
      if (oldest !== undefined) this.#verified.delete(oldest);
    }
    this.#verified.set(key, plan);
    return plan;
  }

  async #has(
    plan: Plan,
    index: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { state } = this.#options;
    const row = await state.fragment(plan.hash, index, signal);
    return row !== undefined && await this.#isWhole(row, signal);
  }

  /** Whether the bytes of a row are there, as far as their length tells. A row without them is struck out, so that it can be kept anew. */
  async #isWhole(row: FragmentRow, signal: AbortSignal): Promise<boolean> {
    const bytes = await this.#options.blobs.size(row.blob, signal);
    if (bytes === row.bytes) return true;
    await this.#lost(row, bytes === undefined ? "absent" : "corrupt", signal);
    return false;
  }

  /** Takes the bytes; durable on disk and in the index when it returns. */
  async #keep(
    { sender, plan, index }: {
      readonly sender: Sender;
      readonly plan: Plan;
      readonly index: number;
    },
    bulk: BulkReader,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, blobs } = this.#options;
    const { runtime } = this.#node;
    await using writer = await blobs.create(signal, "cold");
    for (;;) {
      const chunk = await bulk.read(signal);
      if (chunk === undefined) break;
      await writer.write(chunk, signal);
    }
    const blob = await writer.commit(signal, plan.fragments[index]);
    const { hash, tesseraId, bytes } = plan;
    using _turn = await this.#rows.enter(signal);
    const status = await state.keepFragment({ hash, tesseraId, bytes }, {
      planHash: plan.hash,
      index,
      tesseraId: plan.tesseraId,
      blob: blob.hash,
      bytes: blob.bytes,
      owner: sender.id,
      subnet: sender.subnet,
      storedAtMs: runtime.clock.nowMs(),
    }, signal);
    // Two peers may bring the same at once; it is kept once, and for whoever was first.
    if (status === "exists") return runtime.counters.add("fragment.twice");
    runtime.counters.add("fragment.stored");
    runtime.counters.add("fragment.stored_bytes", blob.bytes);
    runtime.log.debug("fragment.stored", { index, bytes: blob.bytes });
  }

  /** Streams a range; a whole fragment is hashed on its way out, so that rot is noticed by whoever causes the read. */
  #serve(row: FragmentRow, offset: number, length: number): BulkSource {
    return {
      bytes: length,
      chunks: (signal) => this.#chunks(row, { offset, length }, signal),
    };
  }

  async *#chunks(
    row: FragmentRow,
    { offset, length }: { readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    await using reader = await this.#options.blobs.open(
      row.blob,
      signal,
      "cold",
    );
    if (reader === undefined) return await this.#lost(row, "absent", signal);
    const isAll = offset === 0 && length === row.bytes;
    const hasher = new Blake3();
    const checked = {
      read: (at: number, into: Uint8Array) =>
        this.#read(row, () => reader.read(at, into, signal), signal),
    };
    let sent = 0;
    for await (const part of readAhead(checked, { offset, length }, signal)) {
      if (isAll) hasher.update(part);
      sent += part.length;
      // The last piece is held back until all of it is known to be right: a fragment that rotted is never sent to its end.
      if (isAll && sent === length && !equal(hasher.digest(), row.blob)) {
        await this.#lost(row, "corrupt", signal);
        throw rotten(row, sent);
      }
      yield part;
    }
    this.#node.runtime.counters.add("fragment.served_bytes", length);
  }

  /** Reads a piece; a medium that cannot give it back has lost the fragment. */
  async #read(
    row: FragmentRow,
    read: () => Promise<number>,
    signal: AbortSignal,
  ): Promise<number> {
    try {
      const count = await read();
      if (count > 0) return count;
      throw rotten(row, 0);
    } catch (error) {
      if (codeOf(error) === "corrupt") {
        await this.#lost(row, "corrupt", signal);
      }
      throw error;
    }
  }

  /**
   * A fragment we signed for is not what it was: said loudly, for it needs a person or a repair, and struck out, so
   * that we sign for it no more and take it again from whoever has it. Its bytes are left to the sweep.
   */
  async #lost(
    row: FragmentRow,
    how: "absent" | "corrupt",
    signal: AbortSignal,
  ): Promise<void> {
    const { counters, log } = this.#node.runtime;
    const { state } = this.#options;
    using _turn = await this.#rows.enter(signal);
    const now = await state.fragment(row.planHash, row.index, signal);
    if (now?.storedAtMs !== row.storedAtMs) return;
    counters.add(`fragment.${how}`);
    log.error(`fragment.${how}`, {
      tessera: toHex(row.tesseraId),
      index: row.index,
      blob: toHex(row.blob),
    });
    await state.removeFragment(row.planHash, row.index, signal);
    this.announcer.queue(row.planHash);
  }
}

function rotten(row: FragmentRow, at: number): TesserasError {
  const what = `Cannot give fragment ${row.index}`;
  return new TesserasError(
    "corrupt",
    at < row.bytes
      ? `${what}: it ends before its ${row.bytes} bytes`
      : `${what}: its bytes are not what was kept`,
  );
}
