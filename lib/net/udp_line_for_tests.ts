/** A UDP line between two QUIC endpoints that a test can cut, for what only silence brings out. */
import type { Address } from "@tesseras/core";

/** Forwards packets both ways until told otherwise. */
export class UdpLine implements AsyncDisposable {
  /** Whether packets pass now. */
  passing = true;
  /** Whether the target's packets get back to the dialer. */
  answering = true;
  /** Packets that still pass towards the target; the rest are dropped. */
  forwardLeft = Infinity;
  /** Bytes that have passed towards the target. */
  forwardedBytes = 0;
  /** Bytes that the target has sent, whether they got back to the dialer or not. */
  answeredBytes = 0;
  readonly #target: Deno.NetAddr;
  readonly #front = listen();
  readonly #back = listen();
  readonly #running: Promise<unknown>;
  #dialer: Deno.Addr | undefined;

  constructor(target: Address) {
    this.#target = {
      transport: "udp",
      hostname: target.ip,
      port: target.port,
    };
    this.#running = Promise.all([this.#forward(), this.#backward()]);
  }

  /** Where to dial instead of the target. */
  get address(): Address {
    const { hostname, port } = this.#front.addr as Deno.NetAddr;
    return { ip: hostname, port };
  }

  async #forward(): Promise<void> {
    for await (const [packet, from] of this.#front) {
      this.#dialer = from;
      if (!this.passing || this.forwardLeft <= 0) continue;
      this.forwardLeft--;
      this.forwardedBytes += packet.length;
      await this.#back.send(packet, this.#target);
    }
  }

  async #backward(): Promise<void> {
    for await (const [packet] of this.#back) {
      this.answeredBytes += packet.length;
      if (this.passing && this.answering && this.#dialer) {
        await this.#front.send(packet, this.#dialer);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.close();
    this.#back.close();
    await this.#running;
  }
}

function listen(): Deno.DatagramConn {
  return Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
}
