/**
 * One suite for both data paths, over real sockets on loopback: 127.0.0.1 and 127.0.0.2 are two machines. Takes some seconds: each
 * test of the kernel's starts a thread.
 */
import { Counters, silentLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import type { SessionTerms } from "@tesseras/nat";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import { openDatagrams } from "./datagrams.ts";
import {
  checkPorts,
  type ForwardedPair,
  type Forwarder,
  type ForwarderOptions,
  portsToTry,
} from "./forwarder.ts";
import { openKernel } from "./kernel.ts";
import { openForwarder } from "./open.ts";
import {
  idOf,
  longPacket,
  OPENING_BYTES,
  shortPacket,
} from "./packets_for_tests.ts";

const ONE_IP = "127.0.0.1";
const OTHER_IP = "127.0.0.2";
const TERMS: SessionTerms = {
  bytesPerSecond: 1_048_576,
  burstBytes: 65_536,
  lastsMs: Infinity,
  idleMs: 60_000,
  joinMs: 30_000,
};
const never = new AbortController().signal;

type Open = (options: Partial<ForwarderOptions>) => Promise<Forwarder>;

function suite(name: string, open: Open, ignore: boolean): void {
  const test = (claim: string, fn: () => Promise<void>): void =>
    Deno.test({ name: `${name}: ${claim}`, fn, ignore });

  test("forwards both ways, and what came before the other peer too", async () => {
    await using forwarder = await open({});
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await pair.relock(1, OTHER_IP);
    await using one = new Peer(ONE_IP, pair.ports[0]);
    await using other = new Peer(OTHER_IP, pair.ports[1]);
    await one.send(longPacket(idOf(9), idOf(1)));
    await other.say(longPacket(idOf(9), idOf(2)), one);
    assertEquals(await other.heard(), longPacket(idOf(9), idOf(1)));
    await one.say(shortPacket(idOf(2)), other);
    await other.say(shortPacket(idOf(1), 1_452), one);
    await until(() => pair.tally.forwardedPackets === 4);
    assertEquals(pair.tally.forwardedBytes, 2 * OPENING_BYTES + 100 + 1_452);
  });

  test("drops and counts what strangers send, and goes on", async () => {
    await using forwarder = await open({});
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await using met = await Met.through(pair);
    const { one, other } = met;
    await using neighbour = new Peer(ONE_IP, pair.ports[0]);
    await using third = new Peer("127.0.0.3", pair.ports[0]);
    for (const stranger of [neighbour, third]) {
      await stranger.send(longPacket(idOf(9), idOf(3)));
      await stranger.send(shortPacket(idOf(2), 99));
    }
    await third.send(new Uint8Array(0));
    await third.send(new Uint8Array(9_000));
    await one.say(shortPacket(idOf(2)), other);
    await other.say(shortPacket(idOf(1)), one);
    await until(() => pair.tally.strangerPackets === 6);
    assertEquals(pair.tally.forwardedPackets, 4);
  });

  test("drops what is over the rate", async () => {
    await using forwarder = await open({});
    const terms = { ...TERMS, bytesPerSecond: 1, burstBytes: 5_000 };
    const pair = await forwarder.open({ ip: ONE_IP, terms }, never);
    await using met = await Met.through(pair);
    for (let n = 0; n < 10; n++) {
      await met.one.send(shortPacket(idOf(2), 1_000));
    }
    await until(() => pair.tally.ratePackets === 7);
    await pair.lift(TERMS);
    await met.one.say(shortPacket(idOf(2), 1_001), met.other, 4);
  });

  test("follows a peer to the address it proved, and leaves the old one", async () => {
    await using forwarder = await open({});
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await using met = await Met.through(pair);
    await using moved = new Peer("127.0.0.4", pair.ports[0]);
    await moved.send(shortPacket(idOf(2), 50));
    await until(() => pair.tally.strangerPackets === 1);
    await pair.relock(0, "127.0.0.4");
    await until(async () => {
      await moved.send(shortPacket(idOf(2), 51));
      return met.other.heardCount > 1;
    });
    await met.other.say(shortPacket(idOf(1), 52), moved);
    await met.one.send(shortPacket(idOf(2), 53));
    await until(() => pair.tally.strangerPackets >= 2);
  });

  test("ends by itself when idle, and frees its ports", async () => {
    await using forwarder = await open({});
    const terms = { ...TERMS, idleMs: 100 };
    const pair = await forwarder.open({ ip: ONE_IP, terms }, never);
    await pair.relock(1, OTHER_IP);
    assertEquals(forwarder.pairCount, 1);
    assertEquals(await pair.ended, "idle");
    assertEquals(forwarder.pairCount, 0);
    for (const port of pair.ports) await canBind(port);
  });

  test("closes one pair and leaves the others alone", async () => {
    await using forwarder = await open({});
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    const staying = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await using met = await Met.through(staying);
    pair.close();
    pair.close();
    assertEquals(await pair.ended, "closed");
    for (const port of pair.ports) await canBind(port);
    await pair.relock(0, OTHER_IP);
    await met.one.say(shortPacket(idOf(2)), met.other);
  });

  test("opens no more pairs than it may, nor where no port is free", async () => {
    await using forwarder = await open({ pairsMax: 2, ports: await range(3) });
    const request = { ip: ONE_IP, terms: TERMS };
    const first = await forwarder.open(request, never);
    await assertRejectsCode(forwarder.open(request, never), "overloaded");
    first.close();
    await first.ended;
    const second = await forwarder.open(request, never);
    assertTrue(new Set([...first.ports, ...second.ports]).size <= 3);
    await using spare = await open({ pairsMax: 1 });
    await spare.open(request, never);
    await assertRejectsCode(spare.open(request, never), "overloaded", /1 are/);
  });

  test("begins only on an IP of this machine", async () => {
    await assertRejectsCode(open({ ip: "192.0.2.1" }), "unusable", /192/);
  });

  test("serves a peer of each family", async () => {
    await using forwarder = await open({ ip: "::" });
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await using met = await Met.through(pair, "::1");
    await met.one.say(shortPacket(idOf(2)), met.other);
    await met.other.say(shortPacket(idOf(1)), met.one);
  });

  test("closes everything when it is disposed, and opens nothing then", async () => {
    const forwarder = await open({});
    const pair = await forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await forwarder[Symbol.asyncDispose]();
    assertEquals(await pair.ended, "closed");
    for (const port of pair.ports) await canBind(port);
    const again = forwarder.open({ ip: ONE_IP, terms: TERMS }, never);
    await assertRejectsCode(again, "cancelled");
  });
}

suite(
  "datagrams",
  // deno-lint-ignore require-await -- the port's other side waits
  async (options) => openDatagrams(settings(options), runtime()),
  false,
);
suite(
  "kernel",
  (options) => openKernel(settings(options), runtime(), never),
  Deno.build.os !== "linux",
);

Deno.test({
  name: "kernel: says so where calling the system's library is not allowed",
  permissions: { ffi: false, net: true, read: true },
  async fn() {
    const opening = openKernel(settings({}), runtime(), never);
    await assertRejectsCode(opening, "unusable", /in batches/);
    await using forwarder = await openForwarder(
      settings({}),
      runtime(),
      never,
    );
    assertEquals(forwarder.kind, "datagrams");
  },
});

Deno.test("the better data path is taken, and a bad IP is refused by either", async () => {
  await using forwarder = await openForwarder(settings({}), runtime(), never);
  const isLinux = Deno.build.os === "linux";
  assertEquals(forwarder.kind, isLinux ? "kernel" : "datagrams");
  const elsewhere = settings({ ip: "192.0.2.1" });
  await assertRejectsCode(
    openForwarder(elsewhere, runtime(), never),
    "unusable",
    /192/,
  );
});

Deno.test("ports are drawn from their range, and a range without room is refused", () => {
  const drawn = portsToTry({ from: 1_000, to: 1_003 }, systemRandom);
  assertEquals(drawn.toSorted(), [1_000, 1_001, 1_002, 1_003]);
  const many = portsToTry({ from: 1_000, to: 60_000 }, systemRandom);
  assertEquals(many.length, 64);
  assertTrue(many.every((port) => port >= 1_000 && port <= 60_000));
  for (const [from, to] of [[5, 5], [0, 9], [9, 5], [1, 70_000], [1.5, 9]]) {
    const ports = { from: from!, to: to! };
    assertThrowsCode(() => checkPorts(ports), "unusable");
  }
});

function settings(options: Partial<ForwarderOptions>): ForwarderOptions {
  const ports = { from: 0, to: 0 };
  return { ip: "0.0.0.0", ports, pairsMax: 50, ...options };
}

function runtime() {
  return {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
}

/** A machine that talks to a relay's port. */
class Peer implements AsyncDisposable {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #heard: Uint8Array[] = [];
  readonly #listening: Promise<void>;
  heardCount = 0;

  constructor(ip: string, port: number) {
    this.#socket = Deno.listenDatagram({
      transport: "udp",
      hostname: ip,
      port: 0,
    });
    const hostname = ip.includes(":") ? "::1" : "127.0.0.1";
    this.#to = { transport: "udp", hostname, port };
    this.#listening = this.#listen();
  }

  async send(packet: Uint8Array): Promise<void> {
    await this.#socket.send(packet, this.#to);
  }

  /** Sends, and waits until the other has heard exactly that, as its `after`th packet from now. */
  async say(packet: Uint8Array, to: Peer, after = 1): Promise<void> {
    await this.send(packet);
    for (let n = 1; n < after; n++) await to.heard();
    assertEquals(await to.heard(), packet);
  }

  /** The next packet that has not been looked at. */
  async heard(): Promise<Uint8Array> {
    await until(() => this.#heard.length > 0);
    return this.#heard.shift()!;
  }

  async #listen(): Promise<void> {
    for await (const [packet] of this.#socket) {
      this.heardCount++;
      this.#heard.push(packet);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#listening;
  }
}

/** Two peers that have opened a connection: side 0 is called 1, side 1 is called 2. */
class Met implements AsyncDisposable {
  readonly one: Peer;
  readonly other: Peer;

  private constructor(one: Peer, other: Peer) {
    this.one = one;
    this.other = other;
  }

  static async through(
    pair: ForwardedPair,
    otherIp = OTHER_IP,
  ): Promise<Met> {
    await pair.relock(1, otherIp);
    const one = new Peer(ONE_IP, pair.ports[0]);
    const other = new Peer(otherIp, pair.ports[1]);
    await one.send(longPacket(idOf(9), idOf(1)));
    await other.say(longPacket(idOf(1), idOf(2)), one);
    await other.heard();
    return new Met(one, other);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.one[Symbol.asyncDispose]();
    await this.other[Symbol.asyncDispose]();
  }
}

/** Waits with long patience: loopback loses nothing, and a busy machine is slow. */
async function until(
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  using patience = systemClock.deadline(30_000, never);
  while (!await isSo()) await systemClock.sleep(2, patience.signal);
}

async function canBind(port: number): Promise<void> {
  await until(() => {
    const socket = bindAny(port);
    socket?.close();
    return socket !== undefined;
  });
}

/** So many ports in a row that were free a moment ago. */
async function range(count: number) {
  for (;;) {
    const probe = bindAny(0);
    const from = portOf(probe!);
    const rest = Array.from(
      { length: count - 1 },
      (_, n) => from + n + 1 <= 65_535 ? bindAny(from + n + 1) : undefined,
    );
    const isFree = rest.every((socket) => socket !== undefined);
    for (const socket of [probe, ...rest]) socket?.close();
    if (isFree) return { from, to: from + count - 1 };
    await systemClock.sleep(1, never);
  }
}

function bindAny(port: number): Deno.DatagramConn | undefined {
  try {
    const hostname = "0.0.0.0";
    return Deno.listenDatagram({ transport: "udp", hostname, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

function portOf({ addr }: Deno.DatagramConn): number {
  return addr.transport === "udp" ? addr.port : 0;
}
