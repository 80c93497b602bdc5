/** Attacks by those who have not proven who they are. */
import { codeOf, parseAddress } from "@tesseras/core";
import { WIRE_VERSION } from "@tesseras/core/limits";
import { systemRandom } from "@tesseras/core/system";
import { type Connection, dialHello } from "@tesseras/net";
import { pinnedTrust } from "@tesseras/net/certificate";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { encodeFrame, type Message, proofBytes } from "@tesseras/wire";
import type { Attack, Field } from "./attack.ts";
import { cheapIdentity, openOutsider } from "./outsider.ts";
import {
  answerOn,
  challengeOn,
  connect,
  framed,
  frameOf,
} from "./raw_session.ts";

/** Above what one address may hold, and few enough for a second. */
const FLOOD = 150;
const PACKETS = 400;

/** In the order they are tried. */
export const ATTACKS_BEFORE_HELLO: readonly Attack[] = [
  { name: "packets that mean nothing", counter: undefined, run: garbage },
  {
    name: "a client of another protocol",
    counter: "quic.other_network",
    run: wrongAlpn,
  },
  {
    name: "a dialer that wants another key",
    counter: "quic.handshake_failed",
    run: wrongPin,
  },
  {
    name: "a hello of bytes that are no message",
    counter: "hello.malformed",
    run: garbageHello,
  },
  {
    name: "an answer to the challenge that is no proof",
    counter: "hello.malformed",
    run: requestInsteadOfProof,
  },
  { name: "a replayed proof", counter: "hello.forged_proof", run: replay },
  {
    name: "an identity with too little work",
    counter: "hello.weak_work",
    run: weakWork,
  },
  {
    name: "more connections than one address may hold",
    counter: "admission.address_full",
    run: flood,
  },
];

/** Takes its time: run beside the others. */
export const SILENT_DIALER: Attack = {
  name: "a client that never says hello",
  counter: "hello.timeout",
  run: silence,
};

async function garbage({ process }: Field): Promise<void> {
  const to = parseAddress(process.address);
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  try {
    for (let count = 0; count < PACKETS; count++) {
      const packet = systemRandom.bytes(1 + systemRandom.below(1_400));
      // Half of them look like the start of a QUIC version 1 handshake (RFC 9000, 17.2).
      if (count % 2 === 0) {
        packet.set([0xc3, 0, 0, 0, 1].slice(0, packet.length));
      }
      await socket.send(packet, {
        transport: "udp",
        hostname: to.ip,
        port: to.port,
      });
    }
  } finally {
    socket.close();
  }
}

async function wrongAlpn({ process, victim }: Field): Promise<void> {
  const { ip: hostname, port } = parseAddress(process.address);
  const { serverName, anchorPem } = pinnedTrust(victim.publicKey);
  const dial = Deno.connectQuic<false>({
    hostname,
    port,
    alpnProtocols: ["h3"],
    serverName,
    caCerts: [anchorPem],
  });
  const refused = await dial.then(() => undefined, (error) => error);
  assertTrue(/known protocol/.test(String(refused)), String(refused));
}

async function wrongPin({ enemy, victim, signal }: Field): Promise<void> {
  const { publicKey } = enemy.self.identity;
  await assertFails(
    "forged",
    enemy.transport.dial(victim.addresses[0]!, { publicKey }, signal),
  );
}

async function garbageHello(field: Field): Promise<void> {
  const bytes = framed(Uint8Array.of(0xc1, 0xff, 0x00));
  await assertTurnedAway(field, () => bytes);
}

async function requestInsteadOfProof(field: Field): Promise<void> {
  await assertTurnedAway(field, () => frameOf({ type: "ping" }));
}

/** A proof that was good once, on the connection it was made for. */
async function replay(field: Field): Promise<void> {
  const { enemy, victim, signal } = field;
  const { identity, record } = enemy.self;
  const good = await connect(enemy, victim, signal);
  const { stream, envelope } = await challengeOn(good, signal);
  assertTrue(envelope.body.type === "challenge");
  const { nonce } = envelope.body;
  const proof: Message = {
    type: "proof",
    record: record().bytes,
    signature: identity.sign(proofBytes(nonce, victim.id, identity.id)),
  };
  const { id } = envelope;
  await stream.write(encodeFrame({ v: WIRE_VERSION, id, body: proof }), signal);
  await stream.finish(signal);
  assertEquals(await pingOver(good, signal), "pong");
  good.close(0, "");
  await assertTurnedAway(
    field,
    (id) => encodeFrame({ v: WIRE_VERSION, id, body: proof }),
  );
}

async function weakWork({ victim, signal }: Field): Promise<void> {
  const identity = await cheapIdentity(signal);
  await using cheap = await openOutsider("127.0.0.4", identity, signal);
  const connection = await connect(cheap, victim, signal);
  const { runtime, self } = cheap;
  await dialHello(connection, { self, runtime, pinned: victim }, signal);
  assertEquals((await connection.closed).code, 2);
}

/** While they are all held, another address gets in. */
async function flood({ enemy, victim, signal }: Field): Promise<void> {
  const held: Connection[] = [];
  const dials = Array.from({ length: FLOOD }, async () => {
    try {
      held.push(await connect(enemy, victim, signal));
    } catch (error) {
      assertEquals(codeOf(error), "refused");
    }
  });
  await Promise.all(dials);
  assertTrue(held.length < FLOOD, `${held.length} were let in`);
  const { identity } = enemy.self;
  await using other = await openOutsider("127.0.0.5", identity, signal);
  await other.ping(victim, signal);
  for (const connection of held) connection.close(0, "");
}

/** Neither proves itself nor goes away, and asks in the meantime. */
async function silence({ enemy, victim, signal }: Field): Promise<void> {
  const connection = await connect(enemy, victim, signal);
  // Kept open: giving the stream up would be a first contact's polite end.
  const { stream } = await challengeOn(connection, signal);
  const unanswered = pingOver(connection, signal).then(
    (answer) => answer,
    (error) => codeOf(error),
  );
  assertEquals((await connection.closed).code, 2);
  assertTrue(["nothing", "unreachable"].includes(String(await unanswered)));
  stream.abandon();
}

/** Answers the challenge with these bytes, and expects to be sent away. */
async function assertTurnedAway(
  { enemy, victim, signal }: Field,
  bytesFor: (id: number) => Uint8Array,
): Promise<void> {
  const connection = await connect(enemy, victim, signal);
  const { stream, envelope } = await challengeOn(connection, signal);
  await stream.write(bytesFor(envelope.id), signal);
  await stream.finish(signal);
  assertEquals((await connection.closed).code, 2);
}

async function pingOver(
  connection: Connection,
  signal: AbortSignal,
): Promise<string> {
  const stream = await connection.open(signal);
  await stream.write(frameOf({ type: "ping" }), signal);
  await stream.finish(signal);
  try {
    return await answerOn(stream, signal);
  } finally {
    stream.abandon();
  }
}

async function assertFails(
  code: string,
  promise: Promise<unknown>,
): Promise<void> {
  const failed = await promise.then(() => "nothing", codeOf);
  assertEquals(failed, code);
}
