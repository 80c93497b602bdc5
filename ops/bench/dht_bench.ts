/**
 * A DHT of 100 nodes in four processes on real QUIC: how long a join and a lookup take, and whether 1,000 records are found by
 * every node that asks. `deno run -A ops/bench/dht_bench.ts [NODES] [RECORDS]`.
 */
import { SeededRandom, toHex } from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import { report } from "../../tests/bench.ts";
import type { Answer, Command } from "./dht_member.ts";

const PROCESSES = 4;
const LOOKUPS = 400;
/** Nodes that ask for each record, one of each process. */
const ASKING = PROCESSES;
/** The targets: a join within two seconds, a lookup within 20 ms. */
const JOIN_TARGET_MS = 2_000;
const LOOKUP_TARGET_MS = 20;

async function measure(
  members: readonly Member[],
  { nodes, records }: { readonly nodes: number; readonly records: number },
): Promise<void> {
  const joins: number[] = [];
  let entry: string | undefined;
  for (const member of members) {
    const count = Math.ceil(nodes / members.length);
    const started = await member.tell({ do: "start", count, entry });
    joins.push(...started.tookMs);
    entry ??= started.address;
  }
  const target = { name: "target", value: JOIN_TARGET_MS };
  report(
    { name: `median join among ${nodes} nodes`, value: median(joins) },
    "ms",
    target,
  );
  report(
    { name: `slowest join among ${nodes} nodes`, value: Math.max(...joins) },
    "ms",
    target,
  );
  const lookups: number[] = [];
  for (const member of members) {
    const count = LOOKUPS / members.length;
    lookups.push(...(await member.tell({ do: "lookup", count })).tookMs);
  }
  report({ name: "median lookup", value: median(lookups) }, "ms", {
    name: "target",
    value: LOOKUP_TARGET_MS,
  });
  await publishAndFind(members, records);
}

async function publishAndFind(
  members: readonly Member[],
  records: number,
): Promise<void> {
  const random = new SeededRandom(Date.now());
  const keys = Array.from(
    { length: records },
    () => toHex(random.bytes(HASH_BYTES)),
  );
  const share = Math.ceil(records / members.length);
  const stored: number[] = [];
  for (const [at, member] of members.entries()) {
    const mine = keys.slice(at * share, (at + 1) * share);
    stored.push(...(await member.tell({ do: "publish", keys: mine })).tookMs);
  }
  const found: number[] = [];
  let missing = 0;
  for (const member of members) {
    const answer = await member.tell({ do: "find", keys });
    found.push(...answer.tookMs);
    missing += answer.missing.length;
  }
  const target = { name: "target", value: LOOKUP_TARGET_MS };
  report(
    { name: "median store of one record", value: median(stored) },
    "ms",
    target,
  );
  report(
    { name: "median find of one record", value: median(found) },
    "ms",
    target,
  );
  report(
    {
      name: `records found by each of ${ASKING} nodes that asked`,
      value: ASKING * records - missing,
    },
    "finds",
    { name: "asked for", value: ASKING * records },
  );
  if (missing > 0) Deno.exitCode = 1;
}

/** A process of nodes. Disposing it ends the process. */
class Member implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  static start(): Member {
    const script = new URL("./dht_member.ts", import.meta.url).pathname;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    return new Member(
      new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--quiet",
          `--config=${config}`,
          script,
        ],
        stdin: "piped",
        stdout: "piped",
      }).spawn(),
    );
  }

  async tell(command: Command): Promise<Answer> {
    const line = JSON.stringify(command) + "\n";
    await this.#writer.write(new TextEncoder().encode(line));
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const text = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(text) as Answer;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("a process of nodes ended before its time");
      this.#rest += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

if (import.meta.main) {
  const [nodes = 100, records = 1_000] = Deno.args.map(Number);
  await using members = new AsyncDisposableStack();
  const all = Array.from(
    { length: PROCESSES },
    () => members.use(Member.start()),
  );
  await measure(all, { nodes, records });
}
