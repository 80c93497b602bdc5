/** One node's end of a network of messages: its sessions, its dials, and its questions under way. */
import {
  type Address,
  assert,
  codeOf,
  equal,
  type ErrorCode,
  formatAddress,
  keyOf,
  type NodeId,
  orAbort,
  type Runtime,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  CONNECTION_IDLE_MS,
  DIAL_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
} from "@tesseras/core/limits";
import {
  type Answer,
  answerCost,
  type AskOptions,
  DialPauses,
  type Meter,
  type PeerNet,
  type PeerNetParts,
  type Reply,
  type SessionStatus,
  workOf,
} from "@tesseras/net";
import { errorAnswerOf, type NodeRecord, type Request } from "@tesseras/wire";
import {
  ACCEPT_BYTES,
  CHALLENGE_BYTES,
  CLOSE_BYTES,
  DIAL_BYTES,
} from "./message_bytes.ts";
import { awaitAnswer, gated, refusal, selfError } from "./message_answers.ts";
import { begin, End, end, idleOf } from "./message_session.ts";
import { type Host, seenAs } from "./host.ts";
import type { MessageNet } from "./message_net.ts";

type MessagePeersParts = {
  readonly host: Host;
  readonly net: MessageNet;
  readonly parts: PeerNetParts;
  readonly runtime: Runtime;
};

/** How often idle sessions are looked for. */
const REAP_MS = CONNECTION_IDLE_MS / 4;
/** How long a peer may leave every request without an answer before its session is given up. */
const SILENCE_MAX_MS = DIAL_TIMEOUT_MS;

/** The sessions of one node on a {@link MessageNet}. */
export class MessagePeers implements PeerNet {
  /** The host's printed address. */
  readonly name: string;
  readonly failed: Promise<unknown> = new Promise(() => {});
  readonly #host: Host;
  readonly #net: MessageNet;
  readonly #parts: PeerNetParts;
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  readonly #ends = new Map<string, End>();
  readonly #dials = new Map<string, Promise<End>>();
  readonly #pauses: DialPauses;
  #reapedMs: number;
  #isDown = false;

  constructor(made: MessagePeersParts, signal: AbortSignal) {
    this.#host = made.host;
    this.#net = made.net;
    this.#parts = made.parts;
    this.#runtime = made.runtime;
    this.#signal = signal;
    this.name = formatAddress(made.host.address);
    this.#pauses = new DialPauses(made.runtime);
    this.#reapedMs = made.net.clock.monotonicMs();
  }

  /** Our own record as of now. */
  record(): NodeRecord {
    return this.#parts.self.record();
  }

  async ask<R extends Request>(
    peer: NodeRecord,
    request: R,
    options: AskOptions,
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    throwIfAborted(signal);
    assert(options.bulk === undefined, "messages carry no bulk here");
    this.reap();
    const over = this.#ends.get(keyOf(peer.id)) ??
      await orAbort(this.#dial(peer), signal);
    this.#runtime.counters.add("rpc.asked");
    try {
      const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
      const answer = await this.#exchange(over, request, timeoutMs, signal);
      this.#pauses.answered(peer);
      return answer;
    } catch (error) {
      this.#runtime.counters.add("rpc.failed");
      throw error;
    }
  }

  async firstContact(
    address: Address,
    signal: AbortSignal,
  ): Promise<NodeRecord> {
    const host = await orAbort(this.#handshake(address, undefined), signal);
    const record = host.record();
    if (equal(record.id, this.#parts.self.identity.id)) throw selfError();
    return record;
  }

  sessions(): readonly SessionStatus[] {
    this.reap();
    const nowMs = this.#net.clock.monotonicMs();
    return Array.from(this.#ends.values(), (one) => ({
      id: one.peer.id,
      remote: one.remote,
      dialled: one.dialled,
      way: "direct",
      busyCount: one.busyCount,
      ageMs: nowMs - one.openedMs,
    }));
  }

  remoteOf(id: NodeId): Address | undefined {
    return this.#ends.get(keyOf(id))?.remote;
  }

  /** Vanishes without a word: sessions stay open at the other ends. */
  crash(): void {
    this.#isDown = true;
    this.#net.remove(this);
    this.#ends.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isDown) {
      for (const one of [...this.#ends.values()]) this.#close(one, "goodbye");
    }
    this.crash();
    return Promise.resolve();
  }

  #exchange<R extends Request>(
    over: End,
    request: R,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    throwIfAborted(signal);
    const { clock } = this.#net;
    const askedMs = clock.monotonicMs();
    begin(over, askedMs);
    const send = (heard: (response: Reply["response"]) => void): void =>
      this.#post(
        over,
        request,
        (host) =>
          host.#serve(over.other, request, (response) => {
            over.heardMs = clock.monotonicMs();
            over.silentSinceMs = undefined;
            heard(response);
          }),
      );
    const ended = (why: ErrorCode | undefined): void => {
      end(over, clock.monotonicMs());
      if (why === "timeout") this.#noteSilence(over, askedMs);
    };
    return awaitAnswer({ clock, request, timeoutMs, send, ended }, signal);
  }

  /** Sends a message over a session; a host that was restarted or closed its end since knows nothing of it. */
  #post(
    over: End,
    message: Request | Reply["response"],
    deliver: (host: MessagePeers) => void,
  ): void {
    const other = over.other.owner;
    this.#net.traffic.messageCount++;
    this.#net.send({
      from: this,
      to: other.name,
      what: message.type,
      bytes: this.#net.lengths.of(message),
    }, (host) => {
      const isOpen = !over.isClosed && !over.other.isClosed;
      if (host === other && isOpen) deliver(host);
    });
  }

  #serve(
    over: End,
    request: Request,
    answer: (response: Reply["response"]) => void,
  ): void {
    begin(over, this.#net.clock.monotonicMs());
    this.#replyTo(over, request).then((reply) => {
      const response = this.#host.isGated ? gated(reply) : reply.response;
      end(over, this.#net.clock.monotonicMs());
      if (this.#isDown) return;
      const bytes = this.#net.lengths.of(response);
      this.#meterOf(over).answered(answerCost(bytes, 0));
      this.#post(over, response, () => answer(response));
    });
  }

  async #replyTo(over: End, request: Request): Promise<Reply> {
    const meter = this.#meterOf(over);
    if (!meter.request()) return refusal("Too many requests");
    if (!meter.work(workOf(request))) return refusal("Too much work");
    try {
      const { handler } = this.#parts;
      return await handler(over.peer, request, undefined, this.#signal);
    } catch (error) {
      if (codeOf(error) === undefined) this.#net.failures.push(error);
      return { response: errorAnswerOf(error) };
    }
  }

  #meterOf(over: End): Meter {
    return over.meter ??= this.#host.admission.meter(
      over.peer.id,
      () => over.remote,
    );
  }

  /** One dial for all who want the same peer. */
  #dial(peer: NodeRecord): Promise<End> {
    const key = keyOf(peer.id);
    const running = this.#dials.get(key);
    if (running !== undefined) return running;
    const dial = this.#dialAll(peer).finally(() => this.#dials.delete(key));
    this.#dials.set(key, dial);
    // Who waits hears of a failure; when the last one has left, nobody needs to.
    dial.catch(() => {});
    return dial;
  }

  async #dialAll(peer: NodeRecord): Promise<End> {
    if (peer.addresses.length === 0) {
      throw new TesserasError("unreachable", "Cannot dial: no address");
    }
    this.#pauses.check(peer);
    let failure: unknown;
    for (const address of peer.addresses) {
      try {
        const host = await this.#handshake(address, peer);
        return this.#meet(host, address);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        failure = error;
      }
    }
    this.#runtime.counters.add("peers.dial_failed");
    this.#pauses.failed(peer);
    throw failure;
  }

  /**
   * One round trip: the challenge comes with the connection, and the proof travels with the first request.
   *
   * @param expected whose key must answer there; anybody's when `undefined`
   */
  #handshake(
    address: Address,
    expected: NodeRecord | undefined,
  ): Promise<MessagePeers> {
    const { clock, traffic } = this.#net;
    const to = formatAddress(address);
    return new Promise((resolve, reject) => {
      const fail = (code: "unreachable" | "forged" | "refused"): void =>
        reject(new TesserasError(code, `Cannot dial ${to}: ${code}`));
      const stop = clock.after(DIAL_TIMEOUT_MS, () => fail("unreachable"));
      const dial = { from: this, to, what: "dial", bytes: DIAL_BYTES };
      this.#net.send(dial, (host) => {
        if (host.#host.nat !== "public") return;
        traffic.handshakeCount++;
        const isLetIn = host.#host.admission.admit(this.#host.address);
        host.#welcome(this, (isMet) => {
          stop();
          if (!isLetIn || !isMet) return fail("refused");
          const wanted = expected?.publicKey;
          const has = host.#parts.self.identity.publicKey;
          if (wanted === undefined || equal(wanted, has)) resolve(host);
          else fail("forged");
        });
      });
    });
  }

  /** The answerer's half: its flight, with the challenge. */
  #welcome(dialer: MessagePeers, done: (isMet: boolean) => void): void {
    const bytes = ACCEPT_BYTES + CHALLENGE_BYTES + this.record().bytes.length;
    const tripMs = this.#net.delayMs({
      from: this,
      to: dialer.name,
      what: "accept",
      bytes,
    });
    if (tripMs === undefined) return;
    this.#net.clock.after(tripMs, () => {
      if (dialer.#isDown) return;
      done(!this.#isDown);
    });
  }

  /** Opens a session with a host that answered, and tells both. */
  #meet(host: MessagePeers, address: Address): End {
    if (host === this) throw selfError();
    const remote = seenAs(this.#host, this.#net.random);
    const place = host.#host.admission.enter(remote);
    if (place === undefined) {
      throw new TesserasError("refused", "Cannot dial: no room there");
    }
    const nowMs = this.#net.clock.monotonicMs();
    const ours = new End(this, nowMs, {
      peer: host.record(),
      remote: address,
      dialled: true,
      place: undefined,
    });
    const theirs = new End(host, nowMs, {
      peer: this.record(),
      remote,
      dialled: false,
      place,
    });
    ours.pair(theirs);
    this.#adopt(ours);
    host.#adopt(theirs);
    this.#runtime.counters.add("peers.dialled");
    this.#parts.onSession({ peer: ours.peer, observed: remote, dialled: true });
    const bytes = CHALLENGE_BYTES + theirs.peer.bytes.length;
    this.#net.send(
      { from: this, to: host.name, what: "proof", bytes },
      (there) => {
        if (there !== host) return;
        host.#parts.onSession({
          peer: theirs.peer,
          observed: undefined,
          dialled: false,
        });
      },
    );
    return ours;
  }

  #adopt(one: End): void {
    this.reap();
    this.#ends.get(one.key)?.leave();
    this.#ends.set(one.key, one);
  }

  /** Closes what has been idle for long, as the session pool of a real node would. */
  reap(): void {
    const nowMs = this.#net.clock.monotonicMs();
    if (nowMs - this.#reapedMs < REAP_MS) return;
    this.#reapedMs = nowMs;
    const dialable = this.record().addresses.length > 0;
    for (const one of idleOf(this.#ends.values(), { nowMs, dialable })) {
      this.#close(one);
    }
  }

  #noteSilence(over: End, askedMs: number): void {
    if (over.heardMs > askedMs) return;
    over.silentSinceMs ??= askedMs;
    const silentMs = this.#net.clock.monotonicMs() - over.silentSinceMs;
    if (over.busyCount === 0 && silentMs >= SILENCE_MAX_MS) this.#close(over);
  }

  /** Sends the packet that closes a connection. The other end learns of it from that, or from silence. */
  #close(one: End, what: "close" | "goodbye" = "close"): void {
    const { owner: peer } = one.other;
    this.#forget(one);
    const bytes = CLOSE_BYTES;
    this.#net.send({ from: this, to: peer.name, what, bytes }, (host) => {
      if (host !== peer) return;
      peer.#forget(one.other);
      if (what === "goodbye") peer.#parts.onLeave(one.other.peer.id);
    });
  }

  #forget(one: End): void {
    one.isClosed = true;
    one.leave();
    if (this.#ends.get(one.key) === one) this.#ends.delete(one.key);
  }
}
