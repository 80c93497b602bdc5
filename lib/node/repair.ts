/**
 * One repair: any k fragments, those on this disk first, make those that are missing, and new holders take them. Neither the
 * owner nor whoever published is needed, for the plan proves what was made.
 */
import { type Archive, Assembly } from "@tesseras/archive";
import type { Blobs } from "@tesseras/blobs";
import {
  codeOf,
  equal,
  keyOf,
  keyOfTessera,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { REPLICATION_FACTOR } from "@tesseras/core/limits";
import { type Candidate, place } from "@tesseras/kad";
import type { FragmentRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { attest } from "./attest.ts";
import type { Budget } from "./budget.ts";
import { candidatesFor } from "./candidates.ts";
import { Gather } from "./gather.ts";
import { healAll } from "./heal.ts";
import { forgetKept, KeptFragments, type Taker } from "./kept_fragments.ts";
import type { Node } from "./node.ts";
import { type Provider, storeProviders } from "./pointers.ts";
import { keepNewest } from "./publish.ts";
import type { Regard } from "./regard.ts";
import { candidateOf, type PublishParts, Sender } from "./sender.ts";

/** What a repair works with. */
export type RepairParts = {
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
  /** What is on this disk. */
  readonly archive: Pick<Archive, "openFragment">;
  readonly budget: Budget;
  /** Peers of one subnet per tessera; `undefined` on a cluster of one machine. */
  readonly subnetLimit: number | undefined;
  /** Bytes a peer may owe before it is asked last. */
  readonly deficitMax?: number;
};

/** What a repair came to. */
export type RepairReport = {
  /** Fragments that have a new holder. */
  readonly placed: readonly number[];
  /** Fragments of our own that are whole again. */
  readonly healed: readonly number[];
  readonly fetchedBytes: number;
  readonly sentBytes: number;
};

/** What is to be made. */
type Order = {
  /** Nobody has them: whoever takes some may have others. */
  readonly missing: readonly number[];
  /** They lie too close to others: only somebody new helps. */
  readonly close: readonly number[];
  readonly heal: readonly FragmentRow[];
  readonly candidates: readonly Candidate<NodeRecord>[];
};

/** Transfers to new holders at once: the budget is the limit, and each sends its fragment whole the sooner. */
const SEND_PARALLEL = 2;

/**
 * Makes what a look found to be missing, and heals what is rotten here. What was placed is written down fragment by fragment, so
 * that after a restart only the rest is left to do.
 *
 * @throws `tooFew` when too few fragments can be had or there is nobody to take any, `diskFull`, and what goes wrong on this side
 */
export async function repair(
  parts: RepairParts,
  seen: Regard,
  signal: AbortSignal,
): Promise<RepairReport> {
  const { node, blobs } = parts;
  const { counters, log } = node.runtime;
  const { plan } = seen;
  const order = await orderOf(parts, seen, signal);
  const wanted = [...order.missing, ...order.close];
  if (wanted.length === 0 && order.heal.length === 0) {
    counters.add("repair.nobody");
    throw new TesserasError(
      "tooFew",
      `Cannot place ${seen.health.replicate.length} fragments: nobody is there to take any`,
    );
  }
  const mayKeep = await requireRoom(blobs, plan, wanted.length, signal);
  counters.add("repair.begun");
  await using assembly = await Assembly.open(blobs, plan, signal);
  await takeOwn(parts, { plan, assembly }, signal);
  const taker = mayKeep ? new KeptFragments(assembly, blobs, plan) : assembly;
  const fetchedBytes = await fetchRest(parts, { seen, taker }, signal);
  const rows = order.heal.map(({ index }) => index);
  await assembly.recreateAll([...wanted, ...rows], signal);
  const healed = await healAll(parts, { plan, assembly }, order.heal, signal);
  const sent = await send(parts, { seen, order, assembly }, signal);
  await forgetKept(parts, plan, signal);
  const report = { ...sent, healed, fetchedBytes };
  counters.add("repair.done");
  counters.add("repair.placed", report.placed.length);
  counters.add("repair.healed", healed.length);
  counters.add("repair.fetched_bytes", fetchedBytes);
  counters.add("repair.sent_bytes", report.sentBytes);
  log.info("tessera.repaired", {
    tessera: toHex(plan.tesseraId),
    placed: report.placed.length,
    healed: healed.length,
    wanted: wanted.length,
    fetchedBytes,
    sentBytes: report.sentBytes,
  });
  return report;
}

/** Decides whom to ask before a byte is moved: where nobody may take anything, fetching would be for nothing. */
async function orderOf(
  parts: RepairParts,
  { plan, health, held, live, rotten, doubtful }: Regard,
  signal: AbortSignal,
): Promise<Order> {
  const found = health.replicate.length === 0
    ? { candidates: [] }
    : await candidatesFor(parts, plan, signal);
  const candidates = found.candidates
    .filter(({ contact }) => !doubtful.has(keyOf(contact.id)));
  const { spare } = place<NodeRecord>([], candidates, {
    key: keyOfTessera(plan.tesseraId),
    subnetLimit: parts.subnetLimit,
    replicationFactor: REPLICATION_FACTOR,
    holders: live.map((record) => candidateOf(record)),
  });
  const isCopied = plan.dataCount === 1;
  const missing = health.replicate.filter((index) => !held.has(index));
  const close = health.replicate.filter((index) => held.has(index));
  // A second copy on one disk protects nobody; several coded fragments do, as long as there is nobody else.
  const others = live.some(({ id }) => !equal(id, parts.node.id));
  const newCount = spare.length;
  const missingCount = isCopied || !(others || newCount > 0)
    ? newCount
    : missing.length;
  return {
    missing: missing.slice(0, missingCount),
    close: close.slice(0, Math.max(0, newCount - missing.length)),
    heal: rotten,
    candidates,
  };
}

/** @returns whether what is fetched may be kept until all is done, too @throws `diskFull` */
async function requireRoom(
  blobs: Blobs,
  { dataCount, shardBytes }: Plan,
  madeCount: number,
  signal: AbortSignal,
): Promise<boolean> {
  const freeBytes = await blobs.freeBytes(signal);
  const wantedBytes = (dataCount + madeCount) * shardBytes;
  if (freeBytes >= wantedBytes) {
    return freeBytes >= wantedBytes + dataCount * shardBytes;
  }
  throw new TesserasError(
    "diskFull",
    `Cannot repair: ${freeBytes} bytes are free, putting fragments together takes ${wantedBytes}`,
  );
}

/** Takes what is on this disk, what a repair before this one fetched with it, as much as is needed. One that does not hash is left out. */
async function takeOwn(
  { node, archive, blobs }: RepairParts,
  { plan, assembly }: { readonly plan: Plan; readonly assembly: Assembly },
  signal: AbortSignal,
): Promise<void> {
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, plan.shardBytes));
  for (let index = 0; index < plan.fragments.length; index++) {
    if (assembly.complete) return;
    try {
      await using reader = await archive.openFragment(plan, index, signal) ??
        await blobs.open(plan.fragments[index]!, signal, "cold");
      if (reader?.bytes !== plan.shardBytes) continue;
      await using sink = await assembly.begin(index, signal);
      for (let at = 0; at < plan.shardBytes;) {
        const count = await reader.read(at, chunk, signal);
        if (count === 0) break;
        await sink.write(chunk.subarray(0, count), signal);
        at += count;
      }
      await sink.finish(signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) !== "corrupt") throw error;
      node.runtime.counters.add("repair.own_unreadable");
    }
  }
}

/** Bytes of our own read at once. */
const CHUNK_BYTES = 1 << 20;

/** Fetches what is missing to k fragments. @returns the bytes that came */
async function fetchRest(
  { node, budget }: RepairParts,
  { seen: { plan, providers }, taker }: {
    readonly seen: Regard;
    readonly taker: Taker;
  },
  signal: AbortSignal,
): Promise<number> {
  if (taker.complete) return 0;
  let fetchedBytes = 0;
  const onEvent: ConstructorParameters<typeof Gather>[0]["onEvent"] = (
    event,
  ) => {
    if (event.type === "received") fetchedBytes = event.receivedBytes;
  };
  const group = providers.filter(({ holder }) => !equal(holder.id, node.id));
  const into = { assembly: taker, group, onEvent, budget };
  await new Gather({ node, plan, ...into }).run(signal);
  return fetchedBytes;
}

/** Hands what was made to new holders, and tells the DHT. */
async function send(
  parts: RepairParts,
  { seen, order, assembly }: {
    readonly seen: Regard;
    readonly order: Order;
    readonly assembly: Assembly;
  },
  signal: AbortSignal,
): Promise<Pick<RepairReport, "placed" | "sentBytes">> {
  const { node, state, subnetLimit, budget } = parts;
  const { plan, live } = seen;
  const sendParts: PublishParts = {
    node,
    state,
    subnetLimit,
    budget,
    parallel: SEND_PARALLEL,
    archive: {
      openFragment: (_plan, index, signal) => assembly.recreate(index, signal),
    },
    beside: live,
    ...await ownWord(node, plan, signal),
  };
  const providers = new Map<string, Provider>();
  const placed: number[] = [];
  const run = async (
    indices: readonly number[],
    held: Map<number, NodeRecord>,
    candidates: Order["candidates"],
  ): Promise<number> => {
    if (indices.length === 0) return 0;
    const sender = new Sender(sendParts, plan, candidates, held);
    return await sender.all(indices, (event, provider) => {
      if (event.type === "sent") placed.push(event.index);
      if (provider !== undefined) keepNewest(providers, provider);
    }, signal);
  };
  const { candidates, missing, close } = order;
  // We keep our own fragments in hand; nobody is asked to take one from us who is us.
  const held = new Map(
    [...seen.held].filter(([, { id }]) => !equal(id, node.id)),
  );
  let sentBytes = await run(missing, held, candidates);
  const keepers = new Set(
    [...live, ...held.values()].map(({ id }) => keyOf(id)),
  );
  const newcomers = candidates
    .filter(({ contact }) => !keepers.has(keyOf(contact.id)));
  sentBytes += await run(close, new Map(), newcomers);
  if (providers.size > 0) {
    await storeProviders(node, plan.tesseraId, [...providers.values()], signal);
  }
  return { placed, sentBytes };
}

/** Our own signed word on what we keep of the plan; nothing where we keep nothing, as somebody who published it. */
async function ownWord(
  node: Node,
  plan: Plan,
  signal: AbortSignal,
): Promise<Pick<PublishParts, "repair">> {
  const word = await attest(node, node.record(), plan, signal);
  return word.answer === "keeps" ? { repair: word.record.bytes } : {};
}
