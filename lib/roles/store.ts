/** The storage role: keeps fragments for others, durably, and proves by signature that it does. */
import {
  codeOf,
  type Hash,
  hash,
  keyOf,
  type NodeId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import {
  BULK_CHUNK_BYTES,
  FREE_SPACE_MIN,
  PER_PEER_MAX,
  POINTER_TTL_MS,
  REPUBLISH_MS,
} from "@tesseras/core/limits";
import type { Blobs } from "@tesseras/blobs";
import { Blake3, blake3, type MlDsaSuite } from "@tesseras/crypto";
import type { BulkReader, BulkSource, Reply } from "@tesseras/net";
import { type Node, type Role, storeProviders } from "@tesseras/node";
import type { FragmentRow, State } from "@tesseras/state";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import {
  CAPABILITIES,
  type NodeRecord,
  type ProviderRecord,
  type Request,
  signProviderRecord,
} from "@tesseras/wire";

/** What the role needs, and how much it gives. */
export type StoreOptions = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  /** Free bytes left to the machine (user guide, "Minimum free space"). */
  readonly freeSpaceMin?: number;
  /** Bytes one peer may keep here (user guide, "Per-peer limit"). */
  readonly perPeerMax?: number;
  /** How often every holding is announced again (user guide, `republish_interval_secs`). */
  readonly announceMs?: number;
  /** How long an announcement is good for (user guide, `pointer_ttl_secs`). */
  readonly pointerTtlMs?: number;
};

/** Verified plans remembered, so that a plan's 24 fragments cost two signature checks and not 48. */
const PLANS_REMEMBERED = 256;
/** How soon after the last fragment of a burst the holder announces itself. */
const ANNOUNCE_AFTER_MS = 20_000;
/** Tesseras waiting to be announced; beyond, the hourly round announces them. */
const ANNOUNCE_QUEUE_MAX = 10_000;
/** Rows of one page when all fragments are walked. */
const PAGE_ROWS = 500;

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
    run: (signal) => store.announceForever(signal),
  };
}

class Store {
  readonly #node: Node;
  readonly #options: StoreOptions;
  readonly #verified = new Map<string, Plan>();
  /** Bytes promised to transfers under way, in all and by sender. */
  readonly #promised = new Map<string, number>();
  #promisedBytes = 0;
  #lastSequence = 0;
  readonly #toAnnounce = new Map<string, Hash>();
  #lastKeptMs = 0;

  constructor(node: Node, options: StoreOptions) {
    this.#node = node;
    this.#options = options;
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
    const known = await this.#options.state.fragment(
      plan.hash,
      request.index,
      signal,
    );
    if (known === undefined) {
      if (bulk === undefined) {
        throw new TesserasError(
          "malformed",
          `Cannot keep fragment ${request.index}: no bytes followed`,
        );
      }
      using _promise = await this.#promise(from.id, plan.shardBytes, signal);
      await this.#keep(from, plan, request.index, bulk, signal);
    }
    const record = await this.#providerRecord(plan.hash, signal);
    this.#queueAnnouncement(plan.hash);
    return { response: { type: "kept", provider: record.bytes } };
  }

  async get(
    request: Extract<Request, { readonly type: "get_fragment" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const row = await this.#options.state.fragment(
      request.plan,
      request.index,
      signal,
    );
    const bytes = row && await this.#options.blobs.size(row.blob, signal);
    if (row === undefined || bytes === undefined) {
      if (row !== undefined) this.#lost(row, "absent");
      throw new TesserasError(
        "absent",
        `Cannot give fragment ${request.index}: it is not kept here`,
      );
    }
    if (request.offset + request.length > bytes) {
      throw new TesserasError(
        "malformed",
        `Cannot give bytes ${request.offset} to ${
          request.offset + request.length
        } of a fragment of ${bytes}`,
      );
    }
    const bulk = this.#serve(row, request.offset, request.length);
    return { response: { type: "fragment", bulk: request.length }, bulk };
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

  /** Tells the DHT what we keep: soon after it came, and every hour. */
  async announceForever(signal: AbortSignal): Promise<void> {
    const { clock } = this.#node.runtime;
    const announceMs = this.#options.announceMs ?? REPUBLISH_MS;
    let nextRoundMs = clock.monotonicMs() + announceMs;
    for (;;) {
      await clock.sleep(ANNOUNCE_AFTER_MS / 4, signal);
      const nowMs = clock.monotonicMs();
      if (nowMs >= nextRoundMs) {
        nextRoundMs = nowMs + announceMs;
        await this.#queueAll(signal);
      } else if (nowMs - this.#lastKeptMs < ANNOUNCE_AFTER_MS) {
        continue;
      }
      await this.#announceQueued(signal);
    }
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

  /** Sets space aside before a byte is taken, so that parallel transfers cannot together break a limit. */
  async #promise(
    sender: NodeId,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Disposable> {
    const key = keyOf(sender);
    const { state, blobs } = this.#options;
    const perPeerMax = this.#options.perPeerMax ?? PER_PEER_MAX;
    const freeSpaceMin = this.#options.freeSpaceMin ?? FREE_SPACE_MIN;
    // Counted before the waiting below, so that two who ask at once see each other.
    this.#promised.set(key, (this.#promised.get(key) ?? 0) + bytes);
    this.#promisedBytes += bytes;
    const release = (): void => {
      const left = (this.#promised.get(key) ?? 0) - bytes;
      if (left > 0) this.#promised.set(key, left);
      else this.#promised.delete(key);
      this.#promisedBytes -= bytes;
    };
    try {
      const held = await state.storedBytes(sender, signal);
      if (held + this.#promised.get(key)! > perPeerMax) {
        this.#node.runtime.counters.add("fragment.refused_per_peer");
        throw new TesserasError(
          "refused",
          `Cannot keep ${bytes} bytes: ${held} bytes of this peer are here, the limit is ${perPeerMax}`,
        );
      }
      const free = await blobs.freeBytes(signal);
      if (free - this.#promisedBytes < freeSpaceMin) {
        this.#node.runtime.counters.add("fragment.refused_space");
        throw new TesserasError(
          "diskFull",
          `Cannot keep ${bytes} bytes: ${free} bytes are free, ${freeSpaceMin} must stay free`,
        );
      }
    } catch (error) {
      release();
      throw error;
    }
    return { [Symbol.dispose]: release };
  }

  /** Takes the bytes; durable on disk and in the index when it returns. */
  async #keep(
    from: NodeRecord,
    plan: Plan,
    index: number,
    bulk: BulkReader,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, blobs } = this.#options;
    const { runtime } = this.#node;
    await using writer = await blobs.create(signal);
    for (;;) {
      const chunk = await bulk.read(signal);
      if (chunk === undefined) break;
      await writer.write(chunk, signal);
    }
    const expected = plan.fragments[index]!;
    const blob = await writer.commit(signal, expected);
    await state.putPlan({
      hash: plan.hash,
      tesseraId: plan.tesseraId,
      bytes: plan.bytes,
    }, signal);
    await state.putFragment({
      planHash: plan.hash,
      index,
      tesseraId: plan.tesseraId,
      blob: blob.hash,
      bytes: blob.bytes,
      owner: from.id,
      storedAtMs: runtime.clock.nowMs(),
    }, signal);
    runtime.counters.add("fragment.stored");
    runtime.counters.add("fragment.stored_bytes", blob.bytes);
    runtime.log.debug("fragment.stored", { index, bytes: blob.bytes });
  }

  /** Our signed word on every fragment of a plan that we keep. */
  async #providerRecord(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<ProviderRecord> {
    const { state } = this.#options;
    const plan = await state.plan(planHash, signal);
    const rows = plan && await state.fragmentsOf(plan.tesseraId, signal);
    const mine = (rows ?? []).filter((row) =>
      keyOf(row.planHash) === keyOf(planHash)
    );
    if (plan === undefined || mine.length === 0) {
      throw new TesserasError("absent", "Cannot sign for a plan not kept here");
    }
    const nowMs = this.#node.runtime.clock.nowMs();
    this.#lastSequence = Math.max(nowMs, this.#lastSequence + 1);
    return signProviderRecord({
      tesseraId: plan.tesseraId,
      planHash,
      indices: mine.map((row) => row.index).sort((a, b) => a - b),
      sequence: this.#lastSequence,
      expiresAtMs: nowMs + (this.#options.pointerTtlMs ?? POINTER_TTL_MS),
    }, this.#node.identity);
  }

  /** Streams a range; a whole fragment is hashed on its way out, so that rot is noticed by whoever causes the read. */
  #serve(
    row: FragmentRow,
    offset: number,
    length: number,
  ): BulkSource {
    const whole = offset === 0 && length === row.bytes;
    const lost = (): void => this.#lost(row, "corrupt");
    const { counters } = this.#node.runtime;
    const { blobs } = this.#options;
    return {
      bytes: length,
      async *chunks(signal) {
        await using reader = await blobs.open(row.blob, signal);
        if (reader === undefined) return lost();
        const hasher = whole ? new Blake3() : undefined;
        const buffer = new Uint8Array(Math.min(BULK_CHUNK_BYTES, length));
        for (let sent = 0; sent < length;) {
          const part = buffer.subarray(
            0,
            Math.min(buffer.length, length - sent),
          );
          const count = await reader.read(offset + sent, part, signal);
          if (count === 0) {
            lost();
            throw new TesserasError(
              "corrupt",
              `Cannot give a fragment: it ends after ${offset + sent} bytes`,
            );
          }
          hasher?.update(part.subarray(0, count));
          yield part.subarray(0, count);
          sent += count;
        }
        counters.add("fragment.served_bytes", length);
        if (hasher && keyOf(hasher.digest()) !== keyOf(row.blob)) lost();
      },
    };
  }

  /** A fragment we signed for is not what it was: said loudly, for it needs a person or a repair. */
  #lost(row: FragmentRow, how: "absent" | "corrupt"): void {
    this.#node.runtime.counters.add(`fragment.${how}`);
    this.#node.runtime.log.error(`fragment.${how}`, {
      tessera: toHex(row.tesseraId),
      index: row.index,
      blob: toHex(row.blob),
    });
  }

  #queueAnnouncement(planHash: Hash): void {
    this.#lastKeptMs = this.#node.runtime.clock.monotonicMs();
    if (this.#toAnnounce.size >= ANNOUNCE_QUEUE_MAX) {
      return this.#node.runtime.counters.add("announce.queue_full");
    }
    this.#toAnnounce.set(keyOf(planHash), planHash);
  }

  async #queueAll(signal: AbortSignal): Promise<void> {
    let after: { planHash: Hash; index: number } | undefined;
    for (;;) {
      const rows = await this.#options.state.fragments(
        after,
        PAGE_ROWS,
        signal,
      );
      for (const row of rows) {
        if (row.owner !== undefined) {
          this.#toAnnounce.set(keyOf(row.planHash), row.planHash);
        }
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = { planHash: last.planHash, index: last.index };
    }
  }

  async #announceQueued(signal: AbortSignal): Promise<void> {
    for (const [key, planHash] of [...this.#toAnnounce]) {
      this.#toAnnounce.delete(key);
      try {
        const record = await this.#providerRecord(hash(planHash), signal);
        const holder = this.#node.record();
        await storeProviders(
          this.#node,
          record.tesseraId,
          [{ record, holder }],
          signal,
        );
        this.#node.runtime.counters.add("announce.done");
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        this.#node.runtime.counters.add("announce.failed");
      }
    }
  }
}
