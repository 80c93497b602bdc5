/**
 * What an audit costs beside sending the whole fragment, on both sides: the first, for which the holder reads the fragment, and
 * those that find its tree in memory. Then how often a holder that threw a tenth away is caught, beside the arithmetic.
 * `deno run -A ops/bench/audit_bench.ts`
 */
import { join } from "node:path";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import {
  Counters,
  type Hash,
  type Runtime,
  SeededRandom,
  silentLog,
  tesseraId,
} from "@tesseras/core";
import {
  GIB,
  KIB,
  LARGE_TIER_BYTES,
  MIB,
  POW_BITS_MIN,
} from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import {
  blake3,
  creatorKeysFromSeed,
  mintNode,
  proofBytes,
  VerifiedRange,
} from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import { Admission, bulkOf, collectBulk } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { audit, Node } from "@tesseras/node";
import {
  caughtProbability,
  drawRanges,
  rangesPerAudit,
  SAMPLING_DEFAULTS,
} from "@tesseras/preservation";
import { storeRole } from "@tesseras/roles";
import { MemoryState } from "@tesseras/state";
import { draftPlan, type Plan, signPlan, tierOf } from "@tesseras/tessera";
import { report } from "../../tests/bench.ts";

const never = new AbortController().signal;
const SIZES = [256 * KIB, 5 * MIB, 16 * MIB] as const;
/** Fragments of each size that are audited. */
const FRAGMENTS = 6;
const REPEATS = 5;
/** Longer than a holder rests after reading the largest of them. */
const REST_MS = 500;
const WEEKS = 5_000;

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_audit_" });
  try {
    await costs(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  catches();
}

async function costs(folder: string): Promise<void> {
  const blobs = await openDiskBlobs(join(folder, "blobs"), never);
  await using _blobs = blobs;
  const suite = await nativeMlDsa();
  const store = { blobs, state: new MemoryState(), suite, perPeerMax: GIB };
  await using holder = await openNode(1, (made) => [storeRole(made, store)]);
  await using asker = await openNode(2, () => []);
  for (const bytes of SIZES) {
    const { plan, contents } = sampleOf(bytes);
    for (const [index, content] of contents.entries()) {
      await asker.ask(
        holder.record(),
        { type: "put_fragment", plan: plan.bytes, index, bulk: bytes },
        { bulk: bulkOf(content) },
        never,
      );
    }
    await measure({ holder, asker, plan });
  }
}

type Pair = {
  readonly holder: Node;
  readonly asker: Node;
  readonly plan: Plan;
};

async function measure(pair: Pair): Promise<void> {
  const bytes = pair.plan.shardBytes;
  const name = `audit of ${bytes / KIB} KiB`;
  const half = FRAGMENTS / 2;
  const firsts: number[] = [];
  const ownFirsts: number[] = [];
  for (let index = 0; index < FRAGMENTS; index++) {
    if (index < half) firsts.push(await auditMs(pair, index));
    else ownFirsts.push((await answered(pair, index)).tookMs);
    await systemClock.sleep(REST_MS, never);
  }
  const agains: number[] = [];
  const ownAgains: number[] = [];
  const verified: number[] = [];
  const wholes: number[] = [];
  for (let at = 0; at < REPEATS * half; at++) {
    const index = at % half;
    agains.push(await auditMs(pair, index));
    const own = await answered(pair, index);
    ownAgains.push(own.tookMs);
    verified.push(verifyMs(pair, index, own));
    wholes.push(await wholeMs(pair, index));
  }
  const { answer } = await answered(pair, 0);
  report(
    { name: `${name}: bytes of the answer`, value: answer.length },
    "bytes",
    { name: "the whole fragment", value: bytes },
  );
  const whole = { name: "the whole fragment", value: median(wholes) };
  const lines: readonly (readonly [string, readonly number[]])[] = [
    ["first, over QUIC", firsts],
    ["again, over QUIC", agains],
    ["first, the holder's part", ownFirsts],
    ["again, the holder's part", ownAgains],
    ["the asker's part", verified],
  ];
  for (const [what, values] of lines) {
    report({ name: `${name}: ${what}`, value: median(values) }, "ms", whole);
  }
}

async function auditMs(
  { holder, asker, plan }: Pair,
  index: number,
): Promise<number> {
  const sinceMs = performance.now();
  const { outcome, detail } = await audit(
    asker,
    holder.record(),
    plan,
    index,
    never,
  );
  if (outcome !== "passed") throw new Error(`an audit ${outcome}: ${detail}`);
  return performance.now() - sinceMs;
}

/** What the holder answers to whom no wire is between. */
type Answered = {
  readonly ranges: ReturnType<typeof drawRanges>;
  readonly answer: Uint8Array;
  readonly tookMs: number;
};

async function answered(
  { holder, plan }: Pair,
  index: number,
): Promise<Answered> {
  const ranges = drawRanges(plan.shardBytes, rangesPerAudit(), systemRandom);
  const leaves = ranges.map(({ offset }) => offset / KIB);
  const sinceMs = performance.now();
  const { bulk, response } = await holder.askSelf(
    { type: "audit", plan: plan.hash, index, leaves },
    never,
  );
  if (bulk === undefined) throw new Error(`an audit met ${response.type}`);
  const [answer] = await Array.fromAsync(bulk.chunks(never));
  return { ranges, answer: answer!, tookMs: performance.now() - sinceMs };
}

/** What the asker does with it. */
function verifyMs(
  { plan }: Pair,
  index: number,
  { ranges, answer }: Answered,
): number {
  const sinceMs = performance.now();
  const shape = { totalBytes: plan.shardBytes, groupBytes: KIB };
  let at = 0;
  for (const range of ranges) {
    const proofAt = at + range.bytes;
    const end = proofAt + proofBytes(shape, range);
    const hash = plan.fragments[index]!;
    const proof = answer.subarray(proofAt, end);
    new VerifiedRange({ hash, shape, range, proof })
      .check(range.offset, answer.subarray(at, proofAt));
    at = end;
  }
  return performance.now() - sinceMs;
}

/** What the reference costs: all octets, hashed. */
async function wholeMs(
  { holder, asker, plan }: Pair,
  index: number,
): Promise<number> {
  const sinceMs = performance.now();
  const { bulk } = await asker.ask(
    holder.record(),
    {
      type: "get_fragment",
      plan: plan.hash,
      index,
      offset: 0,
      length: plan.shardBytes,
    },
    {},
    never,
  );
  blake3(await collectBulk(bulk!, never));
  return performance.now() - sinceMs;
}

/** A plan of the fewest fragments that can be so long, of which some are made. */
function sampleOf(bytes: number) {
  const random = new SeededRandom(bytes);
  const contents = Array.from(
    { length: FRAGMENTS },
    () => random.bytes(bytes),
  );
  const hashes = contents.map((content) => blake3(content));
  const packBytes = bytes * (16 * bytes < LARGE_TIER_BYTES ? 16 : 48);
  const { dataCount, parityCount } = tierOf(packBytes);
  const fragments = Array.from(
    { length: dataCount + parityCount },
    (_, index): Hash => hashes[index] ?? blake3(new Uint8Array([index])),
  );
  const draft = draftPlan({
    tesseraId: tesseraId(hashes[0]!),
    packBytes,
    fragments,
  });
  const keys = creatorKeysFromSeed(new SeededRandom(1).bytes(32));
  return { contents, plan: signPlan(draft, keys) };
}

async function openNode(
  seed: number,
  roles: Parameters<typeof Node.open>[1],
): Promise<Node> {
  const runtime: Runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const powBits = POW_BITS_MIN;
  const identity = await mintNode(
    new SeededRandom(seed).bytes(32),
    { powBits, clock: systemClock },
    never,
  );
  const admission = new Admission({ exemptPrivateIps: true }, runtime);
  const listen = { ip: "127.0.0.1", port: 0 };
  const { admit } = admission;
  const options = { identity, listen, admit };
  const transport = await openQuic(options, runtime, never);
  const addresses = [transport.local];
  return Node.open(
    { identity, transport, admission, addresses, powBits },
    roles,
    runtime,
  );
}

/** Plays weeks in which a holder has thrown a tenth away. */
function catches(): void {
  const random = new SeededRandom(1);
  const fragmentBytes = 5 * MIB;
  const { keptShare, auditCount } = SAMPLING_DEFAULTS;
  const rangeCount = rangesPerAudit();
  let caught = 0;
  for (let week = 0; week < WEEKS; week++) {
    const gone = new Set(
      drawRanges(
        fragmentBytes,
        Math.round(fragmentBytes / KIB * (1 - keptShare)),
        random,
      ).map(({ offset }) => offset),
    );
    const audits = Array.from(
      { length: auditCount },
      () => drawRanges(fragmentBytes, rangeCount, random),
    );
    if (audits.flat().some(({ offset }) => gone.has(offset))) caught++;
  }
  report(
    {
      name:
        `a holder that keeps ${keptShare} of 5 MiB is caught within a week (${auditCount} audits of ${rangeCount} leaves)`,
      value: caught / WEEKS,
    },
    "of the weeks",
    {
      name: "arithmetic",
      value: caughtProbability({
        fragmentBytes,
        keptShare,
        rangeCount,
        auditCount,
      }),
    },
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
