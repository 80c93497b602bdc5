// Real packets on loopback. About 8 s in all: silence and goodbyes take real time here.
import {
  type Clock,
  clockOf,
  Counters,
  mapBounded,
  RecordingLog,
  type Runtime,
} from "@tesseras/core";
import { DIALS_MAX, HALF_OPEN_MAX } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import {
  transportContract,
  type TransportLab,
} from "@tesseras/testing/transport";
import { nodeFromSeed, type NodeSigner } from "@tesseras/crypto";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { firstContactTrust } from "./certificate.ts";
import { openQuic, type QuicOptions } from "./quic.ts";
import { CLOSED_LOST, type Transport } from "./transport.ts";
import { UdpLine } from "./udp_line_for_tests.ts";

const never = new AbortController().signal;
const LOOPBACK = { ip: "127.0.0.1", port: 0 };
const ANNA = identityOf(1);
const BERT = identityOf(2);
const toBert = { publicKey: BERT.publicKey };

function identityOf(byte: number): NodeSigner {
  return nodeFromSeed(new Uint8Array(32).fill(byte), 0n, 0);
}

function runtimeOf(clock = systemClock): Runtime {
  return {
    clock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
}

/** The system's clock with every wait so many times as long. */
function pacedClock(factor: number): Clock {
  return clockOf({
    nowMs: systemClock.nowMs,
    monotonicMs: systemClock.monotonicMs,
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms * factor);
      return () => clearTimeout(timer);
    },
  });
}

function open(
  options: Partial<QuicOptions>,
  runtime = runtimeOf(),
): Promise<Transport> {
  const all = { identity: ANNA, listen: LOOPBACK, ...options };
  return openQuic(all, runtime, never);
}

transportContract("QUIC", (): TransportLab => {
  const runtime = runtimeOf();
  return {
    clock: systemClock,
    open: (identity, { admit, impatient, network } = {}) =>
      open(
        { identity, admit, network, dialTimeoutMs: impatient ? 500 : 20_000 },
        runtime,
      ),
    // Port 9 is "discard": nothing on a test machine answers there.
    nobody: { ip: "127.0.0.1", port: 9 },
    run: (body) => body,
  };
});

Deno.test("QUIC: a client of another protocol ends alone, and is counted", async () => {
  const runtime = runtimeOf();
  await using bert = await open({ identity: BERT }, runtime);
  const { serverName, anchorPem } = firstContactTrust();
  const stranger = Deno.connectQuic<false>({
    hostname: "127.0.0.1",
    port: bert.local.port,
    alpnProtocols: ["h3"],
    serverName,
    caCerts: [anchorPem],
  });
  const refused = await stranger.then(() => undefined, (error) => error);
  assertTrue(/known protocol/.test(String(refused)), String(refused));
  assertEquals(runtime.counters.get("quic.other_network"), 1);
  await assertAnswers(bert);
});

Deno.test("QUIC: packets that mean nothing are dropped", async () => {
  await using bert = await open({ identity: BERT });
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  try {
    for (let count = 0; count < 300; count++) {
      const packet = systemRandom.bytes(1 + systemRandom.below(1_400));
      // Half of them look like the start of a QUIC version 1 handshake (RFC 9000, 17.2).
      if (count % 2 === 0) {
        packet.set([0xc3, 0, 0, 0, 1].slice(0, packet.length));
      }
      await socket.send(packet, {
        transport: "udp",
        hostname: "127.0.0.1",
        port: bert.local.port,
      });
    }
  } finally {
    socket.close();
  }
  await assertAnswers(bert);
});

Deno.test("QUIC: 200 dials at once all connect", async () => {
  await using anna = await open({});
  await using bert = await open({ identity: BERT });
  const accepting = (async () => {
    for (let count = 0; count < 200; count++) await bert.accept(never);
  })();
  const numbers = Array.from({ length: 200 }, (_, index) => index);
  await mapBounded(
    numbers,
    numbers.length,
    () => anna.dial(bert.local, toBert, never),
    never,
  );
  await accepting;
});

Deno.test("QUIC: counts who was refused, who broke off and who connected", async () => {
  const runtime = runtimeOf();
  let letIn = false;
  await using anna = await open({});
  await using bert = await open(
    { identity: BERT, admit: () => letIn },
    runtime,
  );
  await assertRejectsCode(anna.dial(bert.local, toBert, never), "refused");
  letIn = true;
  const wrong = { publicKey: ANNA.publicKey };
  await assertRejectsCode(anna.dial(bert.local, wrong, never), "forged");
  await anna.dial(bert.local, toBert, never);
  await bert.accept(never);
  const { counters } = runtime;
  assertEquals(counters.get("quic.admission_refused"), 1);
  assertEquals(counters.get("quic.handshake_failed"), 1);
  assertEquals(counters.get("quic.accepted"), 1);
});

Deno.test("QUIC: both ends count that they are of different networks", async () => {
  const [atAnna, atBert] = [runtimeOf(), runtimeOf()];
  await using anna = await open({ network: "garden" }, atAnna);
  await using bert = await open({ identity: BERT }, atBert);
  await assertRejectsCode(anna.dial(bert.local, toBert, never), "refused");
  const seen = [atAnna, atBert].map(({ counters }) => [
    counters.get("quic.dialled_other_network"),
    counters.get("quic.other_network"),
  ]);
  assertEquals(seen, [[1, 0], [0, 1]]);
  assertEquals(atBert.counters.get("quic.bad_client"), 0);
});

Deno.test("QUIC: gives up a handshake that its dialer never goes on with", async () => {
  // Five seconds of patience end in a quarter of one.
  const runtime = runtimeOf(pacedClock(1 / 20));
  await using bert = await open({ identity: BERT }, runtime);
  await using line = new UdpLine(bert.local);
  line.forwardLeft = 1;
  await using anna = await open({});
  // The dialer has all it needs after one packet; the answerer waits for the second.
  await anna.dial(line.address, toBert, never);
  using soon = systemClock.deadline(5_000, never);
  while (runtime.counters.get("quic.handshake_timeout") === 0) {
    await systemClock.sleep(10, soon.signal);
  }
  assertEquals(runtime.counters.get("quic.accepted"), 0);
});

Deno.test("QUIC: an address that has not been proven is sent thrice what came from it, and no more than one packet beyond, whatever is said in greeting", async () => {
  const packetBytesMax = 1_500;
  const heard = await Promise.all([0, 400, 100_000].map(heardUnproven));
  for (const { cameBytes, sentBytes } of heard) {
    const saw = `${sentBytes} bytes for ${cameBytes}`;
    assertTrue(cameBytes >= 1_200, saw);
    assertTrue(sentBytes <= 3 * cameBytes + packetBytesMax, saw);
  }
});

/** What an answerer sends to a dialer that says nothing after its first packet, when it greets with so many bytes. */
async function heardUnproven(greetingBytes: number) {
  // Two seconds: long enough for what got no answer to be sent again.
  const runtime = runtimeOf(pacedClock(0.4));
  await using bert = await open({ identity: BERT }, runtime);
  let greeting: Promise<unknown> | undefined;
  bert.greetWith((connection) => {
    const say = async () => {
      const stream = await connection.open(never);
      await stream.write(new Uint8Array(greetingBytes), never);
    };
    greeting = say().catch((error) => error);
  });
  await using line = new UdpLine(bert.local);
  line.forwardLeft = 1;
  await using anna = await open({});
  await anna.dial(line.address, toBert, never).catch(() => {});
  using patience = systemClock.deadline(20_000, never);
  while (runtime.counters.get("quic.handshake_timeout") === 0) {
    await systemClock.sleep(10, patience.signal);
  }
  await greeting;
  return { cameBytes: line.forwardedBytes, sentBytes: line.answeredBytes };
}

Deno.test("QUIC: refuses more handshakes at once than it has places", async () => {
  // Patience for fifty seconds: no handshake is given up while the others begin, however busy the machine is.
  const runtime = runtimeOf(pacedClock(10));
  await using bert = await open({ identity: BERT }, runtime);
  await using line = new UdpLine(bert.local);
  line.answering = false;
  await using anna = await open({ dialTimeoutMs: 15 });
  let dialledCount = 0;
  using patience = systemClock.deadline(30_000, never);
  const refusedCount = () => runtime.counters.get("quic.half_open_refused");
  await mapBounded(Array(DIALS_MAX).keys(), DIALS_MAX, async () => {
    while (refusedCount() === 0) {
      const dial = anna.dial(line.address, toBert, patience.signal);
      await assertRejectsCode(dial, "unreachable");
      dialledCount++;
    }
  }, never);
  assertTrue(dialledCount >= HALF_OPEN_MAX, `after ${dialledCount} dials`);
  assertEquals(runtime.counters.get("quic.accepted"), 0);
});

Deno.test("QUIC: a peer that falls silent is lost, and whatever waits for it fails", async () => {
  const idleTimeoutMs = 900;
  const keepAliveMs = 100;
  await using bert = await open({ identity: BERT, idleTimeoutMs });
  await using anna = await open({ idleTimeoutMs, keepAliveMs });
  await using line = new UdpLine(bert.local);
  const near = await anna.dial(line.address, toBert, never);
  const far = await bert.accept(never);
  const stream = await near.open(never);
  await stream.write(Uint8Array.of(1), never);
  // Kept alive past its idle time while the line holds.
  await systemClock.sleep(1.5 * idleTimeoutMs, never);
  const served = await far!.accept(never);
  assertEquals(await served!.read(never), Uint8Array.of(1));
  line.passing = false;
  await assertRejectsCode(stream.read(never), "unreachable");
  assertEquals((await near.closed).code, CLOSED_LOST);
  assertEquals((await far!.closed).code, CLOSED_LOST);
});

Deno.test("QUIC: one endpoint on [::] serves both families, and shows addresses in the form we compare", async () => {
  await using bert = await open({
    identity: BERT,
    listen: { ip: "::", port: 0 },
  });
  await using anna = await open({ listen: { ip: "::", port: 0 } });
  for (const ip of ["127.0.0.1", "::1"]) {
    const address = { ip, port: bert.local.port };
    const near = await anna.dial(address, toBert, never);
    const far = await bert.accept(never);
    assertEquals(near.remote, address);
    assertEquals(far!.remote, { ip, port: anna.local.port });
  }
});

Deno.test("QUIC: says what is wrong with an address it cannot use", async () => {
  await using bert = await open({ identity: BERT });
  await assertRejectsCode(
    open({ listen: bert.local }),
    "inUse",
    /Cannot listen/,
  );
  const elsewhere = { ip: "192.0.2.1", port: 0 };
  await assertRejectsCode(open({ listen: elsewhere }), "unusable");
  const named = { ip: "localhost", port: bert.local.port };
  await assertRejectsCode(bert.dial(named, toBert, never), "unreachable");
  const portless = { ip: "127.0.0.1", port: 0 };
  await assertRejectsCode(bert.dial(portless, toBert, never), "unreachable");
  const otherFamily = { ip: "::1", port: 1 };
  await assertRejectsCode(bert.dial(otherFamily, toBert, never), "unreachable");
  const short = { publicKey: new Uint8Array(31) };
  await assertRejectsCode(bert.dial(bert.local, short, never), "malformed");
});

Deno.test("QUIC: refuses to start where certificates go unchecked", async () => {
  const script = `
    import { Counters, silentLog } from "@tesseras/core";
    import { systemClock as clock, systemRandom as random } from "@tesseras/core/system";
    import { nodeFromSeed } from "@tesseras/crypto";
    import { openQuic } from "@tesseras/net/quic";
    const identity = nodeFromSeed(new Uint8Array(32), 0n, 0);
    const listen = { ip: "127.0.0.1", port: 0 };
    const runtime = { clock, random, log: silentLog, counters: new Counters() };
    const signal = new AbortController().signal;
    await openQuic({ identity, listen }, runtime, signal).then(
      () => console.log("started"),
      (error) => console.log(error.code, error.message),
    );
    Deno.exit();
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
      "--no-lock",
      "--unsafely-ignore-certificate-errors",
      script,
    ],
    stderr: "null",
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertTrue(/^unusable Cannot start: .*wrong key/.test(said), said);
});

/** A fresh dialer still gets through. */
async function assertAnswers(bert: Transport): Promise<void> {
  await using anna = await open({});
  await anna.dial(bert.local, toBert, never);
  assertTrue(await bert.accept(never));
}
