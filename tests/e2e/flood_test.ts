/**
 * A flood over real QUIC, all in this process: many identities at several addresses open connections and ask as fast as
 * they can, until every limit has been met. Nothing here is timed; it takes a few seconds.
 */
import {
  type Address,
  codeOf,
  Counters,
  hash,
  type Runtime,
  silentLog,
  tesseraId,
} from "@tesseras/core";
import {
  NODE_RECORD_TTL_MS,
  POINTER_TTL_MS,
  POW_BITS_MIN,
  PROVIDERS_PER_MESSAGE_MAX,
  SEED_BYTES,
} from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode, type NodeSigner } from "@tesseras/crypto";
import {
  Admission,
  ask,
  type Connection,
  dialHello,
  type Transport,
} from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { findProviders, Node } from "@tesseras/node";
import { dhtRole } from "@tesseras/roles";
import { MemoryState } from "@tesseras/state";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type NodeRecord,
  type Request,
  signNodeRecord,
  signProviderRecord,
} from "@tesseras/wire";

const never = new AbortController().signal;
/** Small enough to be met by one slow machine that plays everybody. */
const LIMITS = {
  connectionsMax: 64,
  connectionsPerIpMax: 8,
  addressHandshakesPerSecond: 1,
  requestsPerSecond: 10,
  addressRequestsPerSecond: 20,
  workPerSecond: 4,
  subnetWorkPerSecond: 6,
  identitiesMax: 32,
};
const POINTERS_MAX = 300;
/** How one address floods. */
type Tactic = {
  readonly ip: string;
  readonly identityCount: number;
  /** What each identity does as fast as it can. */
  readonly asks: "find_node" | "store" | "nothing";
};
const TACTICS: readonly Tactic[] = [
  { ip: "127.0.2.1", identityCount: 1, asks: "find_node" },
  { ip: "127.0.3.1", identityCount: 12, asks: "find_node" },
  { ip: "127.0.4.1", identityCount: 1, asks: "store" },
  { ip: "127.0.5.1", identityCount: 4, asks: "store" },
  { ip: "127.0.5.2", identityCount: 4, asks: "store" },
  { ip: "127.0.6.1", identityCount: 2, asks: "nothing" },
];
/** Questions of the honest peer, five a second, after which a limit that was not met never will be. */
const ROUNDS_MAX = 600;
/** The limits that are answered with `overloaded`. */
const OVERLOADED = [
  "admission.request_rate",
  "admission.address_request_rate",
  "admission.work_rate",
  "admission.subnet_work_rate",
];
/** Every limit that stands in this flood's way. */
const SHED = [
  "admission.address_full",
  "admission.address_handshake_rate",
  ...OVERLOADED,
  "pointer.evicted",
];

function runtimeOf(): Runtime {
  return {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
}

function identity(): Promise<NodeSigner> {
  const options = { powBits: POW_BITS_MIN, clock: systemClock };
  return mintNode(systemRandom.bytes(SEED_BYTES), options, never);
}

function recordOf(signer: NodeSigner): NodeRecord {
  const nowMs = systemClock.nowMs();
  return signNodeRecord({
    addresses: [],
    capabilities: 0,
    nat: "public",
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, signer);
}

/** A keeper of pointers on loopback. */
async function openNode(
  ip: string,
  admission: (runtime: Runtime) => Admission,
) {
  const runtime = runtimeOf();
  const signer = await identity();
  const gate = admission(runtime);
  const listen = { ip, port: 0 };
  const transport = await openQuic(
    { identity: signer, listen, admit: gate.admit },
    runtime,
    never,
  );
  const state = new MemoryState();
  const options = { state, pointersMax: POINTERS_MAX };
  const node = Node.open(
    {
      identity: signer,
      transport,
      admission: gate,
      addresses: [transport.local],
      powBits: POW_BITS_MIN,
    },
    (made) => [dhtRole(made, options)],
    runtime,
  );
  return { node, state, admission: gate, address: transport.local };
}

type Victim = Awaited<ReturnType<typeof openNode>>;

/** One who floods from one address. The connections of its identities do not wait for each other. */
class Flooder implements AsyncDisposable {
  overloadedCount = 0;
  /** Answers that were none, and connections that ended after they were let in: nobody may count those as shed. */
  lostCount = 0;
  readonly #transport: Transport;
  readonly #tactic: Tactic;
  readonly #victim: Victim;
  readonly #runtime = runtimeOf();

  private constructor(transport: Transport, tactic: Tactic, victim: Victim) {
    this.#transport = transport;
    this.#tactic = tactic;
    this.#victim = victim;
  }

  static async open(tactic: Tactic, victim: Victim): Promise<Flooder> {
    const listen = { ip: tactic.ip, port: 0 };
    const parts = { identity: await identity(), listen };
    const transport = await openQuic(parts, runtimeOf(), never);
    return new Flooder(transport, tactic, victim);
  }

  /** Floods until told to stop. */
  async run(isOver: () => boolean): Promise<void> {
    const one = async (): Promise<void> => {
      const signer = await identity();
      while (!isOver()) {
        const connection = await this.#enter(signer, this.#victim.address);
        // Turned away: comes back at once, as who floods does.
        if (connection === undefined) continue;
        if (this.#tactic.asks !== "nothing") {
          await this.#askOn(connection, signer, isOver);
        }
        connection.close(0, "over");
      }
    };
    await Promise.all(Array.from({ length: this.#tactic.identityCount }, one));
  }

  async #enter(
    signer: NodeSigner,
    address: Address,
  ): Promise<Connection | undefined> {
    const pinned = this.#victim.node.record();
    let connection: Connection | undefined;
    try {
      const { publicKey } = pinned;
      connection = await this.#transport.dial(address, { publicKey }, never);
      const record = recordOf(signer);
      const self = { identity: signer, record: () => record, powBits: 0 };
      const parts = { self, runtime: this.#runtime, pinned };
      await dialHello(connection, parts, never);
      return connection;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      connection?.close(0, "turned away");
      return undefined;
    }
  }

  async #askOn(
    connection: Connection,
    signer: NodeSigner,
    isOver: () => boolean,
  ): Promise<void> {
    // Questions travel right behind the proof: whether there is a place, the first answer or the end tells.
    let isIn = false;
    const lane = async (): Promise<void> => {
      while (!isOver()) {
        const request = this.#request(signer);
        try {
          await ask({ connection, request }, this.#runtime, never);
        } catch (error) {
          if (codeOf(error) === "overloaded") {
            this.overloadedCount++;
            isIn = true;
            continue;
          }
          if (codeOf(error) === undefined) throw error;
          if (isIn) this.lostCount++;
          return;
        }
        isIn = true;
      }
    };
    await Promise.all([lane(), lane()]);
  }

  #request(signer: NodeSigner): Request {
    if (this.#tactic.asks === "find_node") {
      return { type: "find_node", target: signer.id, want: 0 };
    }
    const nowMs = systemClock.nowMs();
    const holder = recordOf(signer).bytes;
    const entries = Array.from({ length: PROVIDERS_PER_MESSAGE_MAX }, () => ({
      holder,
      record: signProviderRecord({
        tesseraId: tesseraId(systemRandom.bytes(32)),
        planHash: hash(systemRandom.bytes(32)),
        indices: [0],
        sequence: nowMs,
        expiresAtMs: nowMs + POINTER_TTL_MS,
      }, signer).bytes,
    }));
    return { type: "store", entries };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }
}

Deno.test("a flood from many identities is shed and counted, no table outgrows its bound, and an honest peer is served all along", async () => {
  const victim = await openNode(
    "127.0.0.1",
    (runtime) => new Admission(LIMITS, runtime),
  );
  await using node = victim.node;
  const honest = await openNode(
    "127.0.1.1",
    (runtime) => new Admission({}, runtime),
  );
  await using _honest = honest.node;
  const { counters } = node.runtime;
  await using flooders = new AsyncDisposableStack();
  const all: Flooder[] = [];
  for (const tactic of TACTICS) {
    all.push(flooders.use(await Flooder.open(tactic, victim)));
  }

  let isOver = false;
  const flood = Promise.all(all.map((one) => one.run(() => isOver)));
  try {
    const unmet = () => SHED.filter((name) => counters.get(name) === 0);
    const wanted = tesseraId(systemRandom.bytes(32));
    // An honest peer asks as one does, and is never turned away: nothing here is caught.
    for (let count = 0; count < 10 || unmet().length > 0; count++) {
      assertTrue(count < ROUNDS_MAX, `never met: ${unmet().join(", ")}`);
      await honest.node.ping(node.record(), never);
      if (count % 5 === 0) await findProviders(honest.node, wanted, never);
      assertTrue(victim.admission.bucketCount <= 5 * LIMITS.identitiesMax);
      assertTrue(victim.admission.openCount <= LIMITS.connectionsMax);
      assertTrue(node.peers.sessions().length <= LIMITS.connectionsMax + 1);
      assertTrue(await victim.state.pointerCount(never) <= POINTERS_MAX);
      await systemClock.sleep(200, never);
    }
  } finally {
    isOver = true;
    await flood;
  }

  assertEquals(counters.get("rpc.handler_failed"), 0);
  // Each request that was shed was answered and counted, and all those answers went to the flood: none to the honest peer.
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => total + counters.get(name), 0);
  const answered = all.reduce((total, one) => total + one.overloadedCount, 0);
  assertEquals(all.map(({ lostCount }) => lostCount), TACTICS.map(() => 0));
  assertEquals(sum(OVERLOADED), answered);
  assertEquals(counters.get("rpc.refused_overloaded"), answered);
});
