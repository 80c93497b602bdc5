/** The whole fetch story: find holders, get any k fragments, rebuild, verify, keep. */
import { type Archive, Assembly } from "@tesseras/archive";
import type { Blobs } from "@tesseras/blobs";
import {
  codeOf,
  equal,
  type Hash,
  keyOf,
  mapBounded,
  messageOf,
  type NodeId,
  shuffled,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { LOOKUP_PARALLEL, QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import type { MlDsaSuite } from "@tesseras/crypto";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { askHolder } from "./ask_holder.ts";
import { type FetchEvent, Gather } from "./gather.ts";
import type { Node } from "./node.ts";
import type { Provider } from "./pointers.ts";
import { findProviders } from "./providers.ts";

/** What came back and from whom. */
export type FetchReport = {
  readonly tesseraId: TesseraId;
  readonly planHash: Hash;
  readonly packBytes: number;
  readonly dataCount: number;
  readonly parityCount: number;
  /** Holder of each fragment that was used, by index. */
  readonly used: ReadonlyMap<number, NodeId>;
  /** Data fragments that were rebuilt from parity. */
  readonly rebuiltCount: number;
  readonly failedCount: number;
};

/** What a fetch works with. */
export type FetchParts = {
  readonly node: Node;
  readonly archive: Archive;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
};

/** Plans tried for one tessera. Anybody can make up plans; whoever makes up many must not make us try all. */
const PLANS_TRIED_MAX = 16;

/**
 * Brings a tessera into the local archive. Nothing is listed there unless every signature and hash is right.
 *
 * @throws `inUse` when it is here already, before anybody is asked; `absent` when nobody is known to hold it, `tooFew` when too
 * few fragments could be had, `diskFull` when it has no room, `corrupt` or `forged` when what came back is not the tessera
 */
export async function fetch(
  parts: FetchParts,
  tesseraId: TesseraId,
  onEvent: (event: FetchEvent) => void,
  signal: AbortSignal,
): Promise<FetchReport> {
  const { node, archive } = parts;
  const { counters, log } = node.runtime;
  const name = toHex(tesseraId);
  if (await isHere(archive, name, signal)) {
    throw new TesserasError(
      "inUse",
      `Cannot fetch ${name.slice(0, 16)}: it is on this disk already`,
    );
  }
  const providers = await findProviders(node, tesseraId, signal);
  onEvent({ type: "found", holderCount: providers.length });
  if (providers.length === 0) {
    throw new TesserasError(
      "absent",
      `Cannot fetch ${
        name.slice(0, 16)
      }: no peer says it holds a fragment of it`,
    );
  }
  const groups = byPlan(providers);
  counters.add(
    "fetch.plans_left",
    Math.max(0, groups.length - PLANS_TRIED_MAX),
  );
  let problem: unknown;
  for (const group of groups.slice(0, PLANS_TRIED_MAX)) {
    try {
      return await fetchPlan(parts, tesseraId, group, onEvent, signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("fetch.plan_failed");
      log.info("fetch.plan_failed", {
        plan: toHex(group[0]!.record.planHash),
        reason: messageOf(error),
      });
      problem ??= error;
    }
  }
  throw problem;
}

async function isHere(
  archive: Archive,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await archive.resolve(name, signal);
    return true;
  } catch (error) {
    if (codeOf(error) !== "missing") throw error;
    return false;
  }
}

/**
 * Providers by plan, the likeliest plan first: that of holders in the most networks, then of the most holders, then of the
 * most fragments. What a record claims costs nothing, an identity little, a network something.
 */
function byPlan(providers: readonly Provider[]): (readonly Provider[])[] {
  const groups = new Map<string, Provider[]>();
  for (const provider of providers) {
    const key = keyOf(provider.record.planHash);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [provider]);
    else group.push(provider);
  }
  const ranked = [...groups.values()].map((group) => ({
    group,
    rank: [
      new Set(group.map(({ holder }) => holder.subnet)).size,
      group.length,
      new Set(group.flatMap(({ record }) => record.indices)).size,
    ] as const,
  }));
  ranked.sort(({ rank: a }, { rank: b }) =>
    b[0] - a[0] || b[1] - a[1] || b[2] - a[2]
  );
  return ranked.map(({ group }) => group);
}

async function fetchPlan(
  parts: FetchParts,
  tesseraId: TesseraId,
  group: readonly Provider[],
  onEvent: (event: FetchEvent) => void,
  signal: AbortSignal,
): Promise<FetchReport> {
  const plan = await getPlan(parts, tesseraId, group, signal);
  const { dataCount, parityCount, packBytes } = plan;
  onEvent({ type: "plan", dataCount, parityCount, packBytes });
  await requireRoom(parts.blobs, plan, signal);
  await using assembly = await Assembly.open(parts.blobs, plan, signal);
  const { node } = parts;
  await using early = new EarlyImport(
    parts.archive,
    { assembly, plan },
    signal,
  );
  const gather = new Gather({ node, plan, assembly, group, onEvent });
  await gather.run(signal);
  // A whole copy is nothing that could be rebuilt: any of them is the pack.
  const missing = Array.from(
    { length: dataCount === 1 ? 0 : dataCount },
    (_, index) => index,
  ).filter((index) => !gather.used.has(index));
  onEvent({ type: "rebuilding", missingCount: missing.length });
  const pack = await assembly.finish(signal);
  onEvent({ type: "verifying" });
  if (!await early.done()) await parts.archive.importPack(pack, plan, signal);
  return {
    tesseraId,
    planHash: plan.hash,
    packBytes,
    dataCount,
    parityCount,
    used: gather.used,
    rebuiltCount: missing.length,
    failedCount: gather.failedCount,
  };
}

/**
 * Imports what has arrived while the rest arrives, as far as that goes. Whatever comes of it, the whole pack decides in the end.
 * Disposing it stops it and waits for it.
 */
class EarlyImport implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #imported: Promise<boolean>;

  constructor(
    archive: Archive,
    { assembly, plan }: { readonly assembly: Assembly; readonly plan: Plan },
    signal: AbortSignal,
  ) {
    const either = AbortSignal.any([signal, this.#stop.signal]);
    this.#imported = archive.importArriving(assembly.growing(), plan, either)
      .then(() => true);
    // Told by `done`; until then a failure is nobody's surprise.
    this.#imported.catch(() => {});
  }

  /** Whether the tessera is here; not when it has to be read in another way. @throws as `Archive.import` */
  async done(): Promise<boolean> {
    try {
      return await this.#imported;
    } catch (error) {
      if (codeOf(error) !== "malformed") throw error;
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#imported]);
  }
}

/**
 * Before anything is sent for: what is put together takes up the pack's size, and so does what is kept of it.
 *
 * @throws `diskFull`
 */
async function requireRoom(
  blobs: Blobs,
  { packBytes }: Plan,
  signal: AbortSignal,
): Promise<void> {
  const freeBytes = await blobs.freeBytes(signal);
  const wantedBytes = 2 * packBytes;
  if (freeBytes >= wantedBytes) return;
  throw new TesserasError(
    "diskFull",
    `Cannot fetch: ${freeBytes} bytes are free, putting a pack of ${packBytes} bytes together takes ${wantedBytes}`,
  );
}

/** The plan, from the first holder that gives a true one; a few are asked at once, for most may be gone. */
async function getPlan(
  parts: FetchParts,
  tesseraId: TesseraId,
  group: readonly Provider[],
  signal: AbortSignal,
): Promise<Plan> {
  const found: Plan[] = [];
  const reasons: string[] = [];
  const enough = new AbortController();
  const wanted = { tesseraId, planHash: group[0]!.record.planHash };
  await mapBounded(
    shuffled(group, parts.node.runtime.random),
    LOOKUP_PARALLEL,
    async ({ holder }, laneSignal) => {
      if (enough.signal.aborted) return;
      const either = AbortSignal.any([laneSignal, enough.signal]);
      try {
        found.push(await askPlan(parts, holder, wanted, either));
        enough.abort();
      } catch (error) {
        if (laneSignal.aborted || codeOf(error) === undefined) throw error;
        if (enough.signal.aborted) return;
        parts.node.runtime.counters.add("fetch.plan_refused");
        reasons.push(messageOf(error));
      }
    },
    signal,
  );
  const [plan] = found;
  if (plan !== undefined) return plan;
  throw new TesserasError(
    "tooFew",
    `Cannot fetch: none of ${group.length} holders gave the plan; ${
      reasons[0]
    }`,
  );
}

async function askPlan(
  { node, suite }: FetchParts,
  holder: NodeRecord,
  wanted: { readonly tesseraId: TesseraId; readonly planHash: Hash },
  signal: AbortSignal,
): Promise<Plan> {
  using deadline = node.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
  const { response } = await askHolder(
    node,
    holder,
    { type: "get_plan", plan: wanted.planHash },
    deadline.signal,
  );
  const plan = readPlan(response.plan);
  if (
    !equal(plan.hash, wanted.planHash) ||
    !equal(plan.tesseraId, wanted.tesseraId)
  ) {
    throw new TesserasError(
      "forged",
      "Cannot use a plan: it is for another tessera than announced",
    );
  }
  await verifyPlan(plan, suite);
  return plan;
}
