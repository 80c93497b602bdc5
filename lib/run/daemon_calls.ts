/** What `tes` can ask of a running node. */
import type { Archive } from "@tesseras/archive";
import type { Blobs } from "@tesseras/blobs";
import {
  formatAddress,
  type Hash,
  parseHash,
  parseTesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import type { MlDsaSuite } from "@tesseras/crypto";
import {
  fetch,
  type FetchEvent,
  findProviders,
  type ForgetEvent,
  type Forgetter,
  isForgotten,
  type Node,
  type Publisher,
  type PublishEvent,
  type PublishReport,
} from "@tesseras/node";
import type { State } from "@tesseras/state";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import { checkup } from "./checkup.ts";
import type { Config } from "./config.ts";
import type { ControlHandler } from "./control.ts";
import type { Json, JsonObject } from "./control_frames.ts";
import { everyMs } from "./every.ts";
import { watchLookups } from "./lookup_events.ts";

/** What the calls work with. */
export type CallParts = {
  readonly node: Node;
  readonly archive: Archive;
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  readonly forgetter: Forgetter;
  readonly publisher: Publisher;
  readonly config: Config;
  readonly name: string;
  readonly startedMs: number;
};

/** Progress of bytes is told at most this often; everything else at once. */
const PROGRESS_EVERY_MS = 100;

/** Sessions listed one by one: a frame has no room for all. */
const SESSIONS_SHOWN_MAX = 100;
/** Holders of a tombstone listed one by one. */
const HOLDERS_SHOWN_MAX = 100;

/** The calls by name. */
export function controlHandlers(
  parts: CallParts,
): Readonly<Record<string, ControlHandler>> {
  return {
    status: (_parameters, _emit, signal) => status(parts, signal),
    publish: (parameters, emit, signal) =>
      publishCall(parts, parameters, emit, signal),
    fetch: (parameters, emit, signal) =>
      fetchCall(parts, parameters, emit, signal),
    providers: (parameters, _emit, signal) =>
      providers(parts, parameters, signal),
    checkup: (_parameters, _emit, signal) => checkup(parts.node, signal),
    forget: (parameters, emit, signal) =>
      forgetCall(parts, parameters, emit, signal),
  };
}

async function status(
  { node, state, name, startedMs, config }: CallParts,
  signal: AbortSignal,
): Promise<JsonObject> {
  const record = node.record();
  const { clock, counters } = node.runtime;
  const sessions = node.peers.sessions();
  const dialledCount = sessions.filter(({ dialled }) => dialled).length;
  return {
    name,
    id: toHex(node.id),
    pid: Deno.pid,
    roles: node.roles.map((role) => role.name),
    addresses: record.addresses.map(formatAddress),
    nat: record.nat,
    seenAt: seenAt(node),
    powBits: config.node.pow_bits,
    uptimeSecs: Math.round((clock.monotonicMs() - startedMs) / 1000),
    residentBytes: Deno.memoryUsage().rss,
    knownPeers: node.table.size,
    sessionsIn: sessions.length - dialledCount,
    sessionsOut: dialledCount,
    sessions: sessions.slice(0, SESSIONS_SHOWN_MAX).map((session) => ({
      id: toHex(session.id),
      address: formatAddress(session.remote),
      dialled: session.dialled,
      way: session.way,
    })),
    storedForOthersBytes: await state.storedBytes(undefined, signal),
    pointers: await state.pointerCount(signal),
    counters: counters.snapshot(),
  };
}

async function publishCall(
  parts: CallParts,
  parameters: JsonObject,
  emit: (event: JsonObject) => void,
  signal: AbortSignal,
): Promise<JsonObject> {
  using _lookups = watchLookups(parts.node, parameters, emit);
  const planHash = hashIn(parameters, "plan");
  const row = await parts.state.plan(planHash, signal);
  if (row === undefined) {
    throw new TesserasError(
      "missing",
      "Cannot publish: the plan of fragments is not in this node's database",
    );
  }
  const plan = readPlan(row.bytes);
  await verifyPlan(plan, parts.suite);
  await refuseForgotten(parts, plan, signal);
  const report = await parts.publisher.publish(
    plan,
    (event) => emit(publishEvent(event)),
    signal,
  );
  return publishResult(report);
}

function publishEvent(event: PublishEvent): JsonObject {
  if (event.type === "sent" || event.type === "retry") {
    return { ...event, holder: toHex(event.holder) };
  }
  return event;
}

function publishResult(report: PublishReport): JsonObject {
  return {
    plan: toHex(report.planHash),
    holders: [...report.holders].map(([index, holder]): Json => ({
      index,
      id: toHex(holder.id),
      address: holder.addresses[0] ? formatAddress(holder.addresses[0]) : null,
    })),
    unplaced: report.unplaced,
    sentBytes: report.sentBytes,
    resumedCount: report.resumedCount,
    peerCount: report.peerCount,
    subnetCount: report.subnetCount,
    keeperCount: report.keeperCount,
  };
}

async function fetchCall(
  parts: CallParts,
  parameters: JsonObject,
  emit: (event: JsonObject) => void,
  signal: AbortSignal,
): Promise<JsonObject> {
  const tesseraId = parseTesseraId(textIn(parameters, "tessera"));
  const { node, archive, blobs, suite } = parts;
  using _lookups = watchLookups(node, parameters, emit);
  const due = everyMs(PROGRESS_EVERY_MS, node.runtime.clock);
  const report = await fetch({ node, archive, blobs, suite }, tesseraId, (
    event,
  ) => {
    if (event.type !== "received" || due()) emit(fetchEvent(event));
  }, signal);
  return {
    tessera: toHex(report.tesseraId),
    plan: toHex(report.planHash),
    packBytes: report.packBytes,
    dataCount: report.dataCount,
    parityCount: report.parityCount,
    used: [...report.used].map(([index, holder]): Json => ({
      index,
      holder: toHex(holder),
    })),
    rebuiltCount: report.rebuiltCount,
    failedCount: report.failedCount,
  };
}

function fetchEvent(event: FetchEvent): JsonObject {
  if (event.type === "fragment" || event.type === "failed") {
    return { ...event, holder: toHex(event.holder) };
  }
  return event;
}

async function providers(
  { node }: CallParts,
  parameters: JsonObject,
  signal: AbortSignal,
): Promise<JsonObject> {
  const tesseraId = parseTesseraId(textIn(parameters, "tessera"));
  const found = await findProviders(node, tesseraId, signal);
  return {
    providers: found.map(({ record, holder }): Json => ({
      id: toHex(record.holder),
      plan: toHex(record.planHash),
      indices: record.indices,
      expiresAtMs: record.expiresAtMs,
      address: holder.addresses[0] ? formatAddress(holder.addresses[0]) : null,
      subnet: holder.subnet ?? null,
    })),
  };
}

/** Holders would refuse it, and be asked to forget it again. @throws `refused` */
async function refuseForgotten(
  parts: CallParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<void> {
  if (!await isForgotten(parts, plan, signal)) return;
  throw new TesserasError(
    "refused",
    "Cannot publish: every holder was asked to forget this tessera, which counts for a year",
  );
}

async function forgetCall(
  { forgetter }: CallParts,
  parameters: JsonObject,
  emit: (event: JsonObject) => void,
  signal: AbortSignal,
): Promise<JsonObject> {
  const tesseraId = parseTesseraId(textIn(parameters, "tessera"));
  const creator = hashIn(parameters, "creator");
  const coverage = await forgetter.tell(
    { tesseraId, creator },
    (event) => emit(forgetEvent(event)),
    signal,
  );
  const isTold = coverage.filter(({ toldAtMs }) => toldAtMs !== undefined);
  const isConfirmed = coverage.filter(({ confirmedAtMs }) =>
    confirmedAtMs !== undefined
  );
  return {
    holderCount: coverage.length,
    toldCount: isTold.length,
    confirmedCount: isConfirmed.length,
    holders: coverage.slice(0, HOLDERS_SHOWN_MAX).map((row): Json => ({
      id: toHex(row.holder),
      told: row.toldAtMs !== undefined,
      confirmed: row.confirmedAtMs !== undefined,
    })),
  };
}

function forgetEvent(event: ForgetEvent): JsonObject {
  return event.type === "holders"
    ? event
    : { ...event, holder: toHex(event.holder) };
}

function textIn(parameters: JsonObject, name: string): string {
  const value = parameters[name];
  if (typeof value === "string") return value;
  throw new TesserasError("malformed", `Cannot read call: no ${name} in it`);
}

function hashIn(parameters: JsonObject, name: string): Hash {
  return parseHash(textIn(parameters, name));
}

/** Where several peers agree that they see us. */
function seenAt({ outlook }: Node): readonly string[] {
  return ([4, 6] as const).flatMap((family) => {
    const address = outlook?.likely(family);
    return address === undefined ? [] : [formatAddress(address)];
  });
}
