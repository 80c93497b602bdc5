/** The storage role: keeps fragments for others, durably, and proves by signature that it does. */
import type { Blobs } from "@tesseras/blobs";
import { keyOf, Tasks, TesserasError, toHex } from "@tesseras/core";
import {
  DEFICIT_MAX,
  FREE_SPACE_MIN,
  PER_PEER_MAX,
  SUBNET_SHARES,
} from "@tesseras/core/limits";
import { blake3, type MlDsaSuite } from "@tesseras/crypto";
import type { BulkReader, Reply } from "@tesseras/net";
import type { Node, Role } from "@tesseras/node";
import {
  type FragmentKey,
  type FragmentRow,
  isClaimable,
} from "@tesseras/state";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import { CAPABILITIES, type NodeRecord, type Request } from "@tesseras/wire";
import { Announcer, type AnnouncerOptions } from "./announcer.ts";
import { Debts } from "./debts.ts";
import { Forgetting } from "./forgetting.ts";
import { fragmentSource } from "./fragment_source.ts";
import { PlanKeeper } from "./plan_keeper.ts";
import { proofHandlers, type ProofParts } from "./proofs.ts";
import { type Sender, Space, type SpacePromise } from "./space.ts";
import { strikeOut } from "./strike_out.ts";
import { Turns } from "./turns.ts";

/** What the role needs, and how much it gives. */
export type StoreOptions = AnnouncerOptions & {
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  /** Free bytes left to the machine (user guide, "Minimum free space"). */
  readonly freeSpaceMin?: number;
  /** Bytes one peer may keep here (user guide, "Per-peer limit"). */
  readonly perPeerMax?: number;
  /** Bytes one peer may owe (user guide, "Deficit allowance"). */
  readonly deficitMax?: number;
  /** Bytes all others together may keep here; no limit of its own by default. */
  readonly storeMax?: number;
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
      forget: (_from, request, _bulk, signal) =>
        store.forgetting.answer(request, signal),
      ...proofHandlers(store.proofParts()),
    },
    run: async (signal) => {
      await using tasks = new Tasks(signal);
      tasks.spawn((signal) => store.announcer.runForever(signal));
      tasks.spawn((signal) => store.plans.runForever(signal));
      await tasks.settled();
    },
  };
}

/** What is to be kept, and for whom. */
type KeepOrder = {
  readonly sender: Sender;
  readonly plan: Plan;
  readonly index: number;
  /** Whether its sender repairs as a holder, and owes nothing for it. */
  readonly isRepair: boolean;
};

class Store {
  readonly announcer: Announcer;
  readonly plans: PlanKeeper;
  readonly forgetting: Forgetting;
  readonly #node: Node;
  readonly #options: StoreOptions;
  readonly #space: Space;
  readonly #debts: Debts;
  /** By the hash of their bytes, the one seen first in front. */
  readonly #verified = new Map<string, Promise<Plan>>();
  /** The row of a fragment is written and struck out by one at a time, so that a healed one is not struck out for what it was before. */
  readonly #rows = new Turns();

  constructor(node: Node, options: StoreOptions) {
    this.#node = node;
    this.#options = options;
    this.announcer = new Announcer(node, options);
    this.plans = new PlanKeeper({ ...options, runtime: node.runtime });
    this.forgetting = new Forgetting({ ...options, runtime: node.runtime });
    const { state, deficitMax = DEFICIT_MAX } = options;
    this.#debts = new Debts({ node, state, deficitMax });
    const perPeerMax = options.perPeerMax ?? PER_PEER_MAX;
    this.#space = new Space({
      state: options.state,
      blobs: options.blobs,
      clock: node.runtime.clock,
      counters: node.runtime.counters,
      freeSpaceMin: options.freeSpaceMin ?? FREE_SPACE_MIN,
      storeMax: options.storeMax ?? Infinity,
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
    await this.forgetting.check(plan, signal);
    const wanted = plan.fragments[request.index];
    if (wanted === undefined || request.bulk !== plan.shardBytes) {
      throw new TesserasError(
        "malformed",
        `Cannot keep fragment ${request.index}: the plan has ${plan.fragments.length} of ${plan.shardBytes} bytes, ${request.bulk} were announced`,
      );
    }
    const { index, repair: word } = request;
    const isRepair = await this.#debts
      .isRepair(from, { plan, index, word }, signal);
    const order = { sender: this.#senderOf(from), plan, index, isRepair };
    const here = await this.#wholeRow(plan, request.index, signal);
    // What is here needs no second sending: its octets stay unread.
    if (here === undefined) await this.#take(order, bulk, signal);
    else if (isClaimable(here)) await this.#adopt(order, signal);
    await this.forgetting.settle(plan, request.index, signal);
    const record = await this.announcer.record(
      { planHash: plan.hash, tesseraId: plan.tesseraId },
      signal,
    );
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
    const bulk = fragmentSource(
      {
        blobs: this.#options.blobs,
        counters: this.#node.runtime.counters,
        lost: (how, lostSignal) => this.#lost(row, how, lostSignal),
      },
      row,
      { offset: request.offset, length },
    );
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

  proofParts(): ProofParts {
    const { state, blobs } = this.#options;
    return {
      node: this.#node,
      state,
      blobs,
      announcer: this.announcer,
      isWhole: (row, signal) => this.#isWhole(row, signal),
      lost: (row, how, signal) => this.#lost(row, how, signal),
    };
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

  /** Reads and checks a plan; both signatures are verified once per plan, also when its fragments come all at once. */
  async #planOf(bytes: Uint8Array): Promise<Plan> {
    const key = keyOf(blake3(bytes));
    const known = this.#verified.get(key);
    if (known !== undefined) return await known;
    const verifying = this.#verify(bytes);
    if (this.#verified.size >= PLANS_REMEMBERED) {
      const [oldest] = this.#verified.keys();
      if (oldest !== undefined) this.#verified.delete(oldest);
    }
    this.#verified.set(key, verifying);
    try {
      return await verifying;
    } catch (error) {
      if (this.#verified.get(key) === verifying) this.#verified.delete(key);
      throw error;
    }
  }

  async #verify(bytes: Uint8Array): Promise<Plan> {
    const plan = readPlan(bytes);
    await verifyPlan(plan, this.#options.suite);
    return plan;
  }

  /** The row of a fragment whose bytes are here. */
  async #wholeRow(
    plan: Plan,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentRow | undefined> {
    const row = await this.#options.state.fragment(plan.hash, index, signal);
    if (row === undefined) return undefined;
    return await this.#isWhole(row, signal) ? row : undefined;
  }

  /** Whether the bytes of a row are there, as far as their length tells. A row without them is struck out, so that it can be kept anew. */
  async #isWhole(row: FragmentRow, signal: AbortSignal): Promise<boolean> {
    const bytes = await this.#options.blobs.size(row.blob, signal);
    if (bytes === row.bytes) return true;
    await this.#lost(row, bytes === undefined ? "absent" : "corrupt", signal);
    return false;
  }

  /** Takes the bytes; durable on disk and in the index when it returns. */
  async #take(
    order: KeepOrder,
    bulk: BulkReader | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { plan, index } = order;
    if (bulk === undefined) {
      throw new TesserasError(
        "malformed",
        `Cannot keep fragment ${index}: no bytes followed`,
      );
    }
    using promise = await this.#promise(order, signal);
    using _owed = await this.#owed(order, signal);
    await this.#write(order, bulk, signal);
    const status = await this.#keepRow(order, signal);
    // Two peers may bring the same at once; it is kept once, and for whoever was first.
    const { counters, log } = this.#node.runtime;
    if (status === "exists") return counters.add("fragment.twice");
    promise.keep();
    this.plans.queue(plan.hash);
    counters.add("fragment.stored");
    counters.add("fragment.stored_bytes", plan.shardBytes);
    log.debug("fragment.stored", { index, bytes: plan.shardBytes });
  }

  /** Keeps what we staged ourselves, or nobody is known for, for whoever brings it, who is charged for it from now on. */
  async #adopt(order: KeepOrder, signal: AbortSignal): Promise<void> {
    using promise = await this.#promise(order, signal);
    using _owed = await this.#owed(order, signal);
    if (await this.#keepRow(order, signal) === "exists") return;
    promise.keep();
    this.#node.runtime.counters.add("fragment.adopted");
  }

  #promise(
    { sender, plan }: KeepOrder,
    signal: AbortSignal,
  ): Promise<SpacePromise> {
    const bytes = plan.shardBytes + plan.bytes.length;
    return this.#space.promise(sender, bytes, signal);
  }

  /** What its sender will owe: the fragment, for the plan is what proves it. */
  async #owed(
    { sender, plan, isRepair }: KeepOrder,
    signal: AbortSignal,
  ): Promise<Disposable | undefined> {
    if (isRepair) return undefined;
    return await this.#debts.promise(sender.id, plan.shardBytes, signal);
  }

  async #write(
    { plan, index }: KeepOrder,
    bulk: BulkReader,
    signal: AbortSignal,
  ): Promise<void> {
    await using writer = await this.#options.blobs.create(signal, "cold");
    for (;;) {
      const chunk = await bulk.read(signal);
      if (chunk === undefined) break;
      await writer.write(chunk, signal);
    }
    await writer.commit(signal, plan.fragments[index]);
  }

  async #keepRow(
    { sender, plan, index, isRepair }: KeepOrder,
    signal: AbortSignal,
  ): Promise<"stored" | "exists"> {
    const { state, blobs } = this.#options;
    const { hash: planHash, tesseraId, bytes } = plan;
    const blob = plan.fragments[index]!;
    using _turn = await this.#rows.enter(turnOf({ planHash, index }), signal);
    const status = await state.keepFragment(
      { hash: planHash, tesseraId, bytes },
      {
        planHash,
        index,
        tesseraId,
        blob,
        bytes: plan.shardBytes,
        owner: sender.id,
        subnet: sender.subnet,
        storedAtMs: this.#node.runtime.clock.nowMs(),
        isRepair,
      },
      signal,
    );
    // Whoever was about to remove these bytes found no row for them just before there was one.
    if (await blobs.size(blob, signal) === plan.shardBytes) return status;
    await state.removeFragment(planHash, index, signal);
    throw new TesserasError(
      "overloaded",
      `Cannot keep fragment ${index}: its bytes were cleared away meanwhile, send them again`,
    );
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
    const { clock, counters, log } = this.#node.runtime;
    const { state } = this.#options;
    using _turn = await this.#rows.enter(turnOf(row), signal);
    const now = await state.fragment(row.planHash, row.index, signal);
    if (now?.storedAtMs !== row.storedAtMs) return;
    counters.add(`fragment.${how}`);
    log.error(`fragment.${how}`, {
      tessera: toHex(row.tesseraId),
      index: row.index,
      blob: toHex(row.blob),
    });
    await strikeOut({ state, clock }, row, signal);
    this.announcer.queue(row.planHash);
  }
}

function turnOf({ planHash, index }: FragmentKey): string {
  return `${keyOf(planHash)} ${index}`;
}
