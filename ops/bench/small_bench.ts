/**
 * How many fragments of 32 KiB one store keeps durably in a second: handed to its handler, and over QUIC on loopback from a
 * process of its own. Every fragment comes with a plan that the store has never seen, as small tesseras do. The reference is
 * what this disk does with bare files of the same bytes. `deno run -A ops/bench/small_bench.ts`
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
const COUNT = 1_000;
const FRAGMENT_BYTES = 32 * KIB;
/** Puts under way at once where the handler is called; over QUIC a connection has as many streams as it may. */
const IN_FLIGHT = [1, 8, 64] as const;
const SENDERS = 4;

if (import.meta.main) {
  if (Deno.args[0] === "send") await send(JSON.parse(Deno.args[1]!));
  else await measure();
}

async function measure(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_small_" });
  try {
    const material = await makeMaterial(folder);
    let bare = { perSecond: 0, cpuMsEach: 0 };
    for (const parallel of IN_FLIGHT) {
      bare = await bareRate(folder, material, parallel);
      const kept = await handlerRate(
        join(folder, `handler ${parallel}`),
        material,
        parallel,
      );
      tell(`handler, ${parallel} at once`, kept, bare);
    }
    const sent = await quicRate(join(folder, "quic"), material);
    tell(
      `QUIC, ${SENDERS} peers with ${STREAMS_MAX} streams each`,
      sent,
      bare,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function tell(how: string, kept: Measured, bare: Measured): void {
  report(
    { name: `fragments of 32 KiB kept durably, ${how}`, value: kept.perSecond },
    "fragments/s",
    { name: "bare files of 32 KiB written and synced", value: bare.perSecond },
  );
  report(
    { name: `CPU of a fragment, ${how}`, value: kept.cpuMsEach },
    "ms",
    { name: "CPU of a bare file", value: bare.cpuMsEach },
  );
}

/** Plans of whole copies, each of its own tessera, and where they lie for the process that sends. */
type Material = {
  readonly plans: readonly Uint8Array[];
  readonly path: string;
};

/** The octets of the fragment of a number: the same in every process. */
function contentOf(number: number): Uint8Array {
  const content = new Uint8Array(FRAGMENT_BYTES).fill(number);
  new DataView(content.buffer).setUint32(0, number);
  return content;
}

async function makeMaterial(folder: string): Promise<Material> {
  const keys = creatorKeysFromSeed(new SeededRandom(1).bytes(32));
  const plans = Array.from({ length: COUNT }, (_, number) => {
    const hash = blake3(contentOf(number));
    return signPlan(
      draftPlan({
        tesseraId: tesseraId(hash),
        packBytes: FRAGMENT_BYTES,
        fragments: Array<Hash>(7).fill(hash),
      }),
      keys,
    ).bytes;
  });
  const path = join(folder, "plans");
  await Deno.writeFile(path, new Blob(plans as BlobPart[]).stream());
  return { plans, path };
}

/** How fast work went, and how long all threads of this process ran for it: neighbours on the machine change that far less. */
type Measured = { readonly perSecond: number; readonly cpuMsEach: number };

async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const sinceMs = performance.now();
  const since = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(since);
  return {
    perSecond: COUNT / (performance.now() - sinceMs) * 1_000,
    cpuMsEach: (user + system) / 1_000 / COUNT,
  };
}

async function bareRate(
  folder: string,
  { plans }: Material,
  parallel: number,
): Promise<Measured> {
  const into = join(folder, `bare ${parallel}`);
  await Deno.mkdir(into);
  const bare = await measured(() =>
    mapBounded(
      plans.keys(),
      parallel,
      async (number) => {
        const file = await open(join(into, `${number}`), "wx");
        await file.write(contentOf(number));
        await file.sync();
        await file.close();
      },
      never,
    )
  );
  await Deno.remove(into, { recursive: true });
  return bare;
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
  { plans }: Material,
  parallel: number,
): Promise<Measured> {
  await using holder = await openHolder(folder);
  await using sender = await openNode(2, newRuntime());
  const put = holder.role.handlers.put_fragment!;
  const from = sender.record();
  const kept = await measured(() =>
    mapBounded(
      plans.entries(),
      parallel,
      ([number, plan]) => {
        const pieces = [contentOf(number)];
        const request = {
          type: "put_fragment",
          plan,
          index: 0,
          bulk: FRAGMENT_BYTES,
        } as const;
        return put(from, request, {
          bytes: FRAGMENT_BYTES,
          read: () => Promise.resolve(pieces.pop()),
          [Symbol.dispose]: () => {},
        }, never);
      },
      never,
    )
  );
  await checkKept(holder.state, plans);
  return kept;
}

/** Its CPU is that of the store, and of a start of the process that sends. */
async function quicRate(
  folder: string,
  material: Material,
): Promise<Measured> {
  await using holder = await openHolder(folder);
  const order = {
    path: material.path,
    record: holder.node.record().bytes.toHex(),
  };
  let perSecond = 0;
  const { cpuMsEach } = await measured(async () => {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--no-check"],
        ...[new URL(import.meta.url).pathname, "send", JSON.stringify(order)],
      ],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("the process that sends failed");
    perSecond = Number(new TextDecoder().decode(stdout));
  });
  await checkKept(holder.state, material.plans);
  return { perSecond, cpuMsEach };
}

/** Nothing counts that is not in the index. */
async function checkKept(
  state: Awaited<ReturnType<typeof openLibsqlState>>,
  plans: readonly Uint8Array[],
): Promise<void> {
  for (const bytes of plans) {
    const row = await state.fragment(readPlan(bytes).hash, 0, never);
    if (row === undefined) throw new Error("a fragment is not in the index");
  }
}

/** The process that sends: prints how many fragments a second were acknowledged. */
async function send(
  order: { readonly path: string; readonly record: string },
): Promise<void> {
  const all = await Deno.readFile(order.path);
  const planBytes = all.length / COUNT;
  const to = readNodeRecord(Uint8Array.fromHex(order.record), {
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
  const numbers = Array.from({ length: COUNT }, (_, number) => number);
  const { perSecond } = await measured(() =>
    Promise.all(senders.map((node, at) =>
      mapBounded(
        numbers.filter((number) => number % SENDERS === at),
        STREAMS_MAX,
        (number) =>
          node.ask(
            to,
            {
              type: "put_fragment",
              plan: all.subarray(number * planBytes, (number + 1) * planBytes),
              index: 0,
              bulk: FRAGMENT_BYTES,
            },
            { bulk: bulkOf(contentOf(number)) },
            never,
          ),
        never,
      )
    ))
  );
  console.log(perSecond);
}
