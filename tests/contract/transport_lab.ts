/** What the claims about transports stand on: a small network, two ends of a connection, and bytes that show what happened to them. */
import { type Address, type Clock, concat } from "@tesseras/core";
import { nodeFromSeed, type NodeSigner } from "@tesseras/crypto";
import type { Admit, Connection, Stream, Transport } from "@tesseras/net";
import { assertEquals, assertTrue } from "@tesseras/testing";

/** One small network of the kind under test. */
export type TransportLab = {
  readonly clock: Clock;
  /** Opens a transport at an address of its own. */
  readonly open: (
    identity: NodeSigner,
    options?: LabOptions,
  ) => Promise<Transport>;
  /** An address that swallows packets. */
  readonly nobody: Address;
  /** Brings a test to its end; a virtual clock moves here. */
  readonly run: (body: Promise<void>) => Promise<void>;
};

/** How one transport differs from the others. */
export type LabOptions = {
  readonly admit?: Admit;
  /** The network it belongs to; the public one unless given. */
  readonly network?: string;
  /** Gives a dial up soon where that takes real time. Under load even a good dial may be that slow, so others must not. */
  readonly impatient?: boolean;
};

/** Proves one claim. */
export type Claim = (lab: TransportLab) => Promise<void>;

/** Never aborts. */
export const never = new AbortController().signal;
/** The dialer, the answerer and a stranger. */
export const [ANNA, BERT, CLIO] = [1, 2, 3].map((byte) =>
  nodeFromSeed(new Uint8Array(32).fill(byte), 0n, 0)
) as [NodeSigner, NodeSigner, NodeSigner];

/** Two transports and a connection between them. */
export class Pair implements AsyncDisposable {
  private constructor(
    readonly anna: Transport,
    readonly bert: Transport,
    /** The dialer's end. */
    readonly near: Connection,
    /** The answerer's end. */
    readonly far: Connection,
  ) {}

  static async open(lab: TransportLab): Promise<Pair> {
    const anna = await lab.open(ANNA);
    const bert = await lab.open(BERT);
    const [near, far] = await Promise.all([
      anna.dial(bert.local, { publicKey: BERT.publicKey }, never),
      bert.accept(never),
    ]);
    assertTrue(far);
    return new Pair(anna, bert, near, far);
  }

  /** A stream that the dialer opened, at both ends; its first byte, 33, has been read. */
  async stream(): Promise<{ near: Stream; far: Stream }> {
    const near = await this.near.open(never);
    await near.write(Uint8Array.of(33), never);
    const far = await this.far.accept(never);
    assertTrue(far);
    assertEquals(await readExactly(far, 1), Uint8Array.of(33));
    return { near, far };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.anna[Symbol.asyncDispose](),
      this.bert[Symbol.asyncDispose](),
    ]);
  }
}

/** One stream there and back, opened by `from`. */
export async function echoOnce(
  from: Connection,
  to: Connection,
): Promise<void> {
  const stream = await from.open(never);
  await stream.write(Uint8Array.of(1, 2, 3), never);
  await stream.finish(never);
  const far = await to.accept(never);
  assertTrue(far);
  await far.write(await readAll(far), never);
  await far.finish(never);
  assertEquals(await readAll(stream), Uint8Array.of(1, 2, 3));
}

/** Everything up to the end, copied. */
export async function readAll(stream: Stream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await stream.read(never);
    if (part === undefined) return concat(parts);
    parts.push(part.slice());
  }
}

/** So many bytes, copied; more must not come with them. */
export async function readExactly(
  stream: Stream,
  count: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let left = count; left > 0;) {
    const part = await stream.read(never);
    assertTrue(part && part.length <= left, "exactly so many bytes come");
    left -= part.length;
    parts.push(part.slice());
  }
  return concat(parts);
}

/** Bytes in which a lost, doubled or moved piece shows. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at * 31 + (at >> 8);
  return bytes;
}
