// A real relay process and real QUIC peers on loopback: about 10 s in all.
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  type Address,
  Counters,
  equal,
  parseAddress,
  SeededRandom,
  silentLog,
  TesserasError,
} from "@tesseras/core";
import { KIB, NODE_RECORD_TTL_MS } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode } from "@tesseras/crypto";
import {
  Admission,
  ask,
  bulkOf,
  CLOSE,
  collectBulk,
  Peers,
  type RelayLine,
  type RelayLineEnd,
  RelayLines,
  type Reply,
  type Session,
  type Transport,
} from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { type NodeRecord, type Request, signNodeRecord } from "@tesseras/wire";
import { Program, temporaryFolder, until } from "./service_process.ts";

const never = new AbortController().signal;
const POW_BITS = 8;
const env = {
  TESSERAS_NODE_POW_BITS: String(POW_BITS),
  TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
  TESSERAS_NAT_RELAY_BOOTSTRAP_KBPS: "4096",
};
/** Stands in what peers exchange, in clear between them and nowhere else. */
const SECRET = new TextEncoder().encode("grandmother's letter, read by two ");

/** So many octets, in which the secret comes again and again. */
function letter(bytes: number): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, at) => SECRET[at % SECRET.length]!,
  );
}

/** A peer that nobody but a relay brings together with others. */
class Relayed implements AsyncDisposable {
  readonly ends: RelayLineEnd[] = [];
  readonly record: NodeRecord;
  readonly lines: RelayLines;
  readonly peers: Peers;
  readonly transport: Transport;
  readonly runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };

  private constructor(
    identity: Awaited<ReturnType<typeof mintNode>>,
    transport: Transport,
  ) {
    const nowMs = systemClock.nowMs();
    const record = signNodeRecord({
      addresses: [],
      capabilities: 0,
      nat: "symmetric",
      sequence: nowMs,
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, identity);
    const self = { identity, record: () => record, powBits: POW_BITS };
    this.record = record;
    this.transport = transport;
    this.peers = Peers.start(
      {
        transport,
        self,
        admission: new Admission({ exemptPrivateIps: true }, this.runtime),
        handler: (from, request) =>
          Promise.resolve(this.#answer(from, request)),
      },
      this.runtime,
      never,
    );
    const { peers } = this;
    this.lines = new RelayLines(
      { self, peers, onEnd: (end) => this.ends.push(end) },
      this.runtime,
    );
  }

  static async start(seed: number): Promise<Relayed> {
    const identity = await mintNode(
      new SeededRandom(seed).bytes(32),
      { powBits: POW_BITS, clock: systemClock },
      never,
    );
    const runtime = {
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      counters: new Counters(),
    };
    const listen = { ip: "127.0.0.1", port: 0 };
    const transport = await openQuic({ identity, listen }, runtime, never);
    return new Relayed(identity, transport);
  }

  /** Connects to a peer through a line, at another port than the relay's if told so. */
  async dial(
    line: RelayLine,
    to: Relayed,
    address = line.address,
  ): Promise<Session> {
    const { transport } = this;
    return await this.lines.dial(
      { ...line, address },
      to.record,
      transport,
      never,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peers[Symbol.asyncDispose]();
    await this.transport[Symbol.asyncDispose]();
  }

  #answer(from: NodeRecord, request: Request): Reply {
    if (request.type === "relay_close") {
      const reply = this.lines.heardEnd(from, request);
      if (reply !== undefined) return reply;
    }
    if (request.type === "get_fragment") {
      const bulk = bulkOf(letter(request.length));
      return { response: { type: "fragment", bulk: bulk.bytes }, bulk };
    }
    throw new TesserasError("refused", `Cannot answer ${request.type}`);
  }
}

/** A relay in a process of its own. */
async function startRelay(stack: AsyncDisposableStack) {
  const folder = stack.use(await temporaryFolder());
  const program = stack.use(Program.start(
    "services/relay/main.ts",
    [
      `--data-dir=${folder.path}`,
      "--listen=127.0.0.1:0",
      "--metrics-addr=127.0.0.1:0",
      "--bootstrap=",
    ],
    env,
  ));
  const listening = await program.event("daemon.listening");
  const health = await program.event("health.listening");
  await program.event("daemon ready");
  return {
    program,
    address: parseAddress(String(listening.address)),
    base: `http://${health.address}`,
  };
}

async function metric(base: string, name: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** Two peers of one line. */
async function pairAt(
  stack: AsyncDisposableStack,
  relay: Address,
  seed: number,
) {
  const a = stack.use(await Relayed.start(seed));
  const b = stack.use(await Relayed.start(seed + 1));
  const record = await a.peers.firstContact(relay, never);
  const lineA = await a.lines.request(record, b.record.id, never);
  const meeting = a.lines.rendezvousOf(lineA);
  const lineB = await b.lines.follow(meeting, a.record.id, never);
  return { a, b, lineA, lineB, record };
}

async function fetchLetter(
  from: Relayed,
  { connection }: Session,
  length: number,
): Promise<Uint8Array> {
  const plan = letter(32);
  const request = { type: "get_fragment", plan, index: 0, offset: 0, length };
  const { bulk } = await ask(
    { connection, request: request as never },
    from.runtime,
    never,
  );
  return await collectBulk(bulk!, never);
}

/** Carries packets on to an address and back, and keeps a copy of each. */
class Tap implements Disposable {
  readonly address: Address;
  readonly seen: Uint8Array[] = [];
  readonly #socket: Deno.DatagramConn;

  constructor(to: Address) {
    const bind = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
    this.#socket = Deno.listenDatagram(bind);
    this.address = {
      ip: "127.0.0.1",
      port: (this.#socket.addr as Deno.NetAddr).port,
    };
    this.#carry(to);
  }

  async #carry(to: Address): Promise<void> {
    const relay: Deno.NetAddr = {
      transport: "udp",
      hostname: to.ip,
      port: to.port,
    };
    let home: Deno.Addr = relay;
    for await (const [packet, from] of this.#socket) {
      this.seen.push(packet.slice());
      const isFromRelay = (from as Deno.NetAddr).port === to.port;
      if (!isFromRelay) home = from;
      await this.#socket.send(packet, isFromRelay ? home : relay);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  return bytes.some((_, at) =>
    equal(bytes.subarray(at, at + part.length), part)
  );
}

Deno.test("two peers talk through a relay alone: every byte arrives, it sees ciphertext, strangers are refused", async () => {
  await using stack = new AsyncDisposableStack();
  const { address, base, program } = await startRelay(stack);
  const { a, b, lineA, lineB } = await pairAt(stack, address, 10);
  assertTrue(lineA.address.port !== lineB.address.port);
  // All that a says to the relay's port passes here, as it does in the relay.
  using tap = new Tap(lineA.address);
  const [toB, toA] = await Promise.all([
    a.dial(lineA, b, tap.address),
    b.dial(lineB, a),
  ]);
  const bytes = 200 * KIB;
  const [got, given] = await Promise.all([
    fetchLetter(a, toB, bytes),
    fetchLetter(b, toA, bytes),
  ]);
  assertTrue(equal(got, letter(bytes)) && equal(given, letter(bytes)));
  assertTrue(tap.seen.length > 100, `${tap.seen.length} packets`);
  assertTrue(contains(letter(99), SECRET), "the search finds it at all");
  assertTrue(!tap.seen.some((packet) => contains(packet, SECRET)));
  await until(
    async () =>
      await metric(base, "tesseras_relay_bytes_forwarded_total") > 2 * bytes,
    "what was forwarded is told",
  );
  assertEquals(await metric(base, "tesseras_relay_sessions_active"), 1);
  // Another machine's packets to both ports come to nothing.
  const stranger = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.2",
    port: 0,
  });
  for (const { address: { ip: hostname, port } } of [lineA, lineB]) {
    await stranger.send(tap.seen[0]!, { transport: "udp", hostname, port });
  }
  await until(
    async () => await metric(base, "tesseras_relay_stranger_total") >= 2,
    "strangers are counted",
  );
  stranger.close();
  assertEquals((await fetchLetter(a, toB, KIB)).length, KIB);
  // Whoever answers behind the relay must be who was meant.
  const wrong = a.lines.dial(
    { ...lineA, address: tap.address },
    { ...b.record, publicKey: a.record.publicKey },
    a.transport,
    never,
  );
  await assertRejectsCode(wrong, "forged");
  for (const { connection } of [toA, toB]) connection.close(CLOSE.done, "done");
  await a.lines.close(lineA, "closed", never);
  await until(() => b.ends.length > 0, "the other is told");
  assertEquals(b.ends.map(({ why }) => why), ["closed"]);
  assertEquals(await metric(base, "tesseras_relay_sessions_active"), 0);
  program.signal("SIGTERM");
  const { code, stderr } = await program.ended();
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("a relay told to stop tells both peers of five live sessions, and ends when they have moved", async () => {
  await using stack = new AsyncDisposableStack();
  const { address, base, program } = await startRelay(stack);
  const pairs = [];
  for (let i = 0; i < 5; i++) {
    const pair = await pairAt(stack, address, 20 + 2 * i);
    const { a, b, lineA, lineB } = pair;
    const [toB] = await Promise.all([a.dial(lineA, b), b.dial(lineB, a)]);
    assertEquals((await fetchLetter(a, toB, KIB)).length, KIB);
    pairs.push({ ...pair, toB });
  }
  assertEquals(await metric(base, "tesseras_relay_sessions_active"), 5);
  program.signal("SIGTERM");
  const all = pairs.flatMap(({ a, b }) => [a, b]);
  await until(() => all.every(({ ends }) => ends.length > 0), "all are told");
  for (const { ends } of all) {
    assertEquals(ends.map(({ why }) => why), ["draining"]);
    assertTrue(ends[0]!.graceMs > 0);
  }
  // What was begun goes on for the grace, and nobody new is let in.
  const { a, toB, record } = pairs[0]!;
  assertEquals((await fetchLetter(a, toB, KIB)).length, KIB);
  assertEquals(await (await fetch(`${base}/readyz`)).text(), "not ready\n");
  const late = a.lines.request(record, all[9]!.record.id, never);
  await assertRejectsCode(late, "overloaded");
  await Promise.all(
    pairs.map(({ a, lineA }) => a.lines.close(lineA, "closed", never)),
  );
  const { code, stdout, stderr } = await program.ended();
  assertEquals([code, stderr], [0, ""]);
  assertTrue(/"relay\.drained".*"sessions":5,"left":0/.test(stdout), stdout);
});

Deno.test("a relay told to stop ends in order though its peers stay", async () => {
  await using stack = new AsyncDisposableStack();
  const { address, program } = await startRelay(stack);
  const { a, b, lineA, lineB } = await pairAt(stack, address, 40);
  const [toB] = await Promise.all([a.dial(lineA, b), b.dial(lineB, a)]);
  assertEquals((await fetchLetter(a, toB, KIB)).length, KIB);
  program.signal("SIGTERM");
  const { code, stdout, stderr } = await program.ended();
  assertEquals([code, stderr], [0, ""]);
  assertTrue(/"relay\.drained".*"sessions":1,"left":1/.test(stdout), stdout);
});
