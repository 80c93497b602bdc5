/**
 * How many small fragments one store keeps durably in a second: handed to its handler, and over QUIC on loopback from a process
 * of its own. Those of 32 KiB come each with a plan that the store has never seen, as small tesseras do, which are kept as whole
 * copies; those of 256 KiB are the smallest that share a plan, 24 of each. The reference is what this disk does with bare files
 * of the same bytes. `deno run -A ops/bench/small_bench.ts`
 */
import { join } from "node:path";
import { open } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import {
  Counters,
  type Hash,
  mapBounded,
  type Runtime,
  SeededRandom,
  silentLog,
  tesseraId,
} from "@tesseras/core";
import { GIB, KIB, POW_BITS_MIN, STREAMS_MAX } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { blake3, creatorKeysFromSeed, mintNode } from "@tesseras/crypto";
import { nativeMlDsa } from "@tesseras/crypto/native";
import { Admission, bulkOf } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { Node, type Role } from "@tesseras/node";
import { storeRole } from "@tesseras/roles";
import { openLibsqlState } from "@tesseras/state/libsql";
import { draftPlan, readPlan, signPlan } from "@tesseras/tessera";
import { readNodeRecord } from "@tesseras/wire";
import { report } from "../../tests/bench.ts";

const never = new AbortController().signal;
/** Puts under way at once where the handler is called; over QUIC a connection has as many streams as it may. */
const IN_FLIGHT = [1, 8, 64] as const;
const SENDERS = 4;

/** What is kept. */
type Sample = {
  readonly name: string;
  readonly bytes: number;
  readonly count: number;
  /** Fragments that come with the same plan. */
  readonly perPlan: number;
};

const SAMPLES: readonly Sample[] = [
  { name: "of 32 KiB", bytes: 32 * KIB, count: 1_000, perPlan: 1 },
  { name: "of 256 KiB", bytes: 256 * KIB, count: 240, perPlan: 24 },
];

if (import.meta.main) {
  if (Deno.args[0] === "send") await send(JSON.parse(Deno.args[1]!));
  else for (const sample of SAMPLES) await measure(sample);
}

async function measure(sample: Sample): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_small_" });
  try {
    const material = await makeMaterial(folder, sample);
    let bare: Measured | undefined;
    for (const parallel of IN_FLIGHT) {
      bare = await bareRate(
        join(folder, `bare ${parallel}`),
        material,
        parallel,
      );
      const into = join(folder, `handler ${parallel}`);
      const kept = await handlerRate(into, material, parallel);
      tell(`${sample.name}, handler, ${parallel} at once`, kept, bare);
    }
    const sent = await quicRate(join(folder, "quic"), material);
    const how =
      `${sample.name}, QUIC, ${SENDERS} peers with ${STREAMS_MAX} streams each`;
    tell(how, sent.store, bare!);
    tellCpu(`its sender, ${how}`, sent.sender, bare!);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function tell(how: string, kept: Measured, bare: Measured): void {
  report(
    { name: `fragments ${how}`, value: kept.perSecond },
    "fragments/s",
    { name: "bare files written and synced", value: bare.perSecond },
  );
  tellCpu(`the store, fragments ${how}`, kept, bare);
}

function tellCpu(whose: string, spent: Measured, bare: Measured): void {
  report(
    { name: `CPU of ${whose}`, value: spent.cpuMsEach },
    "ms each",
    { name: "CPU of a bare file", value: bare.cpuMsEach },
  );
}

/** Fragments with their plans, and where the plans lie for the process that sends. */
type Material = {
  readonly sample: Sample;
  readonly contents: readonly Uint8Array[];
  readonly plans: readonly Uint8Array[];
  readonly path: string;
};

/** The octets of every fragment: the same in every process. */
function contentsOf({ count, bytes }: Sample): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, number) => {
    const content = new Uint8Array(bytes).fill(number);
    new DataView(content.buffer).setUint32(0, number);
    return content;
  });
}

async function makeMaterial(folder: string, sample: Sample): Promise<Material> {
  const keys = creatorKeysFromSeed(new SeededRandom(1).bytes(32));
  const contents = contentsOf(sample);
  const hashes = contents.map(blake3);
  const { bytes, perPlan } = sample;
  const plans = Array.from({ length: sample.count / perPlan }, (_, number) => {
    const mine = hashes.slice(number * perPlan, (number + 1) * perPlan);
    return signPlan(
      draftPlan({
        tesseraId: tesseraId(mine[0]!),
        packBytes: perPlan === 1 ? bytes : 16 * bytes,
        fragments: perPlan === 1 ? Array<Hash>(7).fill(mine[0]!) : mine,
      }),
      keys,
    ).bytes;
  });
  const path = join(folder, "plans");
  await Deno.writeFile(path, new Blob(plans as BlobPart[]).stream());
  return { sample, contents, plans, path };
}

/** How fast work went, and how long all threads of its process ran for it: neighbours on the machine change that far less. */
type Measured = { readonly perSecond: number; readonly cpuMsEach: number };

async function measured(
  count: number,
  work: () => Promise<unknown>,
): Promise<Measured> {
  const sinceMs = performance.now();
  const since = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(since);
  return {
    perSecond: count / (performance.now() - sinceMs) * 1_000,
    cpuMsEach: (user + system) / 1_000 / count,
  };
}

/** Its files are left until the end: a file system that does not use their inodes again at once would look past them. */
async function bareRate(
  into: string,
  { contents, sample }: Material,
  parallel: number,
): Promise<Measured> {
  await Deno.mkdir(into);
  return await measured(sample.count, () =>
    mapBounded(
      contents.entries(),
      parallel,
      async ([number, content]) => {
        const file = await open(join(into, `${number}`), "wx");
        await file.write(content);
        await file.sync();
        await file.close();
      },
      never,
    ));
}

/** A holder on a real disk, a real database and a real port. */
async function openHolder(folder: string) {
  await using stack = new AsyncDisposableStack();
  const runtime = newRuntime();
  const blobs = stack.use(await openDiskBlobs(join(folder, "blobs"), never));
  const url = pathToFileURL(join(folder, "db", "tesseras.db")).href;
  const state = stack.use(await openLibsqlState({ url, worker: true }, never));
  const suite = await nativeMlDsa();
  let role: Role | undefined;
  const node = stack.use(
    await openNode(1, runtime, (made) =>
      role = storeRole(made, {
        blobs,
        state,
        suite,
        perPeerMax: 4 * GIB,
      })),
  );
  const opened = stack.move();
  return {
    node,
    state,
    role: role!,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function newRuntime(): Runtime {
  return {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
}

/** A node that lets everybody ask as much as they like: what is measured is the store. */
async function openNode(
  seed: number,
  runtime: Runtime,
  role?: (node: Node) => Role,
): Promise<Node> {
  const unlimited = 1_000_000;
  const admission = new Admission({
    requestsPerSecond: unlimited,
    addressRequestsPerSecond: unlimited,
    workPerSecond: unlimited,
    subnetWorkPerSecond: unlimited,
  }, runtime);
  const identity = await mintNode(
    new SeededRandom(seed).bytes(32),
    { powBits: POW_BITS_MIN, clock: systemClock },
    never,
  );
  const listen = { ip: "127.0.0.1", port: 0 };
  const transport = await openQuic(
    { identity, listen, admit: admission.admit },
    runtime,
    never,
  );
  return Node.open(
    {
      identity,
      transport,
      admission,
      addresses: [transport.local],
      powBits: POW_BITS_MIN,
    },
    (node) => role === undefined ? [] : [role(node)],
    runtime,
  );
}

async function handlerRate(
  folder: string,
  { plans, contents, sample }: Material,
  parallel: number,
): Promise<Measured> {
  await using holder = await openHolder(folder);
  await using sender = await openNode(2, newRuntime());
  const put = holder.role.handlers.put_fragment!;
  const from = sender.record();
  const kept = await measured(sample.count, () =>
    mapBounded(
      contents.entries(),
      parallel,
      ([number, content]) => {
        const pieces = [content];
        const request = {
          type: "put_fragment",
          plan: plans[Math.floor(number / sample.perPlan)]!,
          index: number % sample.perPlan,
          bulk: sample.bytes,
        } as const;
        return put(from, request, {
          bytes: sample.bytes,
          read: () => Promise.resolve(pieces.pop()),
          [Symbol.dispose]: () => {},
        }, never);
      },
      never,
    ));
  await checkKept(holder.state, { plans, sample });
  return kept;
}

/** The store's CPU has that of a connection to every sender, and of waiting for their start. */
async function quicRate(
  folder: string,
  { path, plans, sample }: Material,
): Promise<{ readonly store: Measured; readonly sender: Measured }> {
  await using holder = await openHolder(folder);
  const order: Order = {
    path,
    sample,
    record: holder.node.record().bytes.toHex(),
  };
  let sender: Measured | undefined;
  const { cpuMsEach } = await measured(sample.count, async () => {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--no-check"],
        ...[new URL(import.meta.url).pathname, "send", JSON.stringify(order)],
      ],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("the process that sends failed");
    sender = JSON.parse(new TextDecoder().decode(stdout));
  });
  await checkKept(holder.state, { plans, sample });
  return {
    store: { perSecond: sender!.perSecond, cpuMsEach },
    sender: sender!,
  };
}

/** Nothing counts that is not in the index. */
async function checkKept(
  state: Awaited<ReturnType<typeof openLibsqlState>>,
  { plans, sample }: Pick<Material, "plans" | "sample">,
): Promise<void> {
  for (const bytes of plans) {
    const rows = await state.fragmentsOfPlan(readPlan(bytes).hash, never);
    if (rows.length === sample.perPlan) continue;
    throw new Error("a fragment is not in the index");
  }
}

/** What the process that sends is told. */
type Order = {
  readonly path: string;
  readonly sample: Sample;
  /** The store's node record in hexadecimal. */
  readonly record: string;
};

/** The process that sends: prints how fast fragments were acknowledged, and its own CPU. */
async function send({ path, sample, record }: Order): Promise<void> {
  const { count, perPlan, bytes } = sample;
  const all = await Deno.readFile(path);
  const planBytes = all.length / (count / perPlan);
  const contents = contentsOf(sample);
  const to = readNodeRecord(Uint8Array.fromHex(record), {
    nowMs: systemClock.nowMs(),
    powBits: POW_BITS_MIN,
  });
  await using stack = new AsyncDisposableStack();
  const senders: Node[] = [];
  for (let at = 0; at < SENDERS; at++) {
    const node = stack.use(await openNode(10 + at, newRuntime()));
    await node.ping(to, never);
    senders.push(node);
  }
  const numbers = contents.map((_, number) => number);
  const planAt = (at: number) =>
    all.subarray(at * planBytes, (at + 1) * planBytes);
  const sent = await measured(
    count,
    () =>
      Promise.all(senders.map((node, at) =>
        mapBounded(
          numbers.filter((number) => number % SENDERS === at),
          STREAMS_MAX,
          (number) =>
            node.ask(
              to,
              {
                type: "put_fragment",
                plan: planAt(Math.floor(number / perPlan)),
                index: number % perPlan,
                bulk: bytes,
              },
              { bulk: bulkOf(contents[number]!) },
              never,
            ),
          never,
        )
      )),
  );
  console.log(JSON.stringify(sent));
}
