/** The sockets of one pair, and the moving of packets between them in batches. Part of an adapter. */
import type { Address } from "@tesseras/core";
import { otherSide, type SessionTerms, type Side } from "@tesseras/nat";
import { BATCH, type Batch, type Name } from "./kernel_batch.ts";
import { addressIn, type BoundSocket, type Libc } from "./kernel_libc.ts";
import { type Arrival, Pair, type Tally } from "./pair.ts";

/** Batches taken from one socket in a row: then the others have their turn. */
const ROUNDS_MAX = 4;

/** What came last from a port's own peer: the address and how the kernel writes it. */
type Peer = { readonly name: Name; readonly address: Address };

/** Two bound sockets. */
export class Lines {
  readonly pair: Pair;
  readonly #libc: Libc;
  readonly #sockets: readonly [BoundSocket, BoundSocket];
  readonly #peers: [Peer | undefined, Peer | undefined] = [
    undefined,
    undefined,
  ];
  /** Used for each packet, so that none is made anew. */
  readonly #arrival: Arrival = {
    side: 0,
    from: { ip: "", port: 0 },
    buffer: new Uint8Array(0),
    bytes: 0,
  };
  #toldCount = 0;

  /** Takes the sockets over. */
  constructor(
    libc: Libc,
    sockets: readonly [BoundSocket, BoundSocket],
    asked: { readonly peerIp: string; readonly terms: SessionTerms },
    nowMs: number,
  ) {
    this.#libc = libc;
    this.#sockets = sockets;
    this.pair = new Pair(asked.peerIp, asked.terms, nowMs);
  }

  get ports(): readonly [number, number] {
    return [this.#sockets[0].port, this.#sockets[1].port];
  }

  /** Moves what has come to the port of a side. */
  move(side: Side, batch: Batch, nowMs: number): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const count = batch.receive(this.#sockets[side].fd);
      for (let n = 0; n < count; n++) {
        if (this.#passes(side, n, batch, nowMs)) batch.pass(n);
      }
      this.#send(otherSide(side), batch);
      this.#release(otherSide(side), batch, nowMs);
      if (count < BATCH) return;
    }
  }

  /** Whether something has come since it was last asked. */
  hasNews(): boolean {
    const count = packetsIn(this.pair.tally);
    const isNew = count !== this.#toldCount;
    this.#toldCount = count;
    return isNew;
  }

  /** Closes both ports. */
  close(): void {
    for (const { fd } of this.#sockets) this.#libc.close(fd);
  }

  #passes(side: Side, n: number, batch: Batch, nowMs: number): boolean {
    const bytes = batch.lengthOf(n);
    const known = this.#peers[side];
    const isKnown = known !== undefined && batch.isFrom(n, known.name);
    const peer = isKnown ? known : peerOf(batch.copyName(n));
    if (bytes < 0 || peer === undefined) {
      this.pair.tally.strangerPackets++;
      return false;
    }
    const arrival = this.#arrival;
    arrival.side = side;
    arrival.from = peer.address;
    arrival.buffer = batch.slot(n);
    arrival.bytes = bytes;
    const passes = this.pair.judge(arrival, nowMs);
    // Kept when the pair takes it for the peer's; a stranger's is forgotten.
    if (!isKnown && this.pair.addressOf(side) === peer.address) {
      this.#peers[side] = peer;
    }
    return passes;
  }

  #send(to: Side, batch: Batch): void {
    const name = this.#peers[to]?.name;
    if (batch.outCount === 0 || name === undefined) return;
    const unsent = batch.send(this.#sockets[to].fd, name);
    this.pair.tally.unsentPackets += unsent;
  }

  /** Sends what one side had sent before the other was there. */
  #release(from: Side, batch: Batch, nowMs: number): void {
    if (!this.pair.isHolding(from)) return;
    for (const packet of this.pair.release(from, nowMs)) batch.put(packet);
    this.#send(otherSide(from), batch);
  }
}

/** Each is counted once, but for those that the kernel did not take. */
function packetsIn(tally: Readonly<Tally>): number {
  return tally.forwardedPackets + tally.strangerPackets + tally.ratePackets +
    tally.alonePackets;
}

function peerOf(name: Name): Peer | undefined {
  const bytes = new Uint8Array(name.buffer, name.byteOffset, name.byteLength);
  const address = addressIn(bytes);
  return address && { name, address };
}
