/** Meeting over a relay: the part of who chooses one and brings a peer there, and of who comes. */
import {
  abortError,
  type Address,
  codeOf,
  equal,
  formatAddress,
  keyOf,
  messageOf,
  type NodeId,
  orAbort,
  type Runtime,
  type Tasks,
  TesserasError,
} from "@tesseras/core";
import {
  DIAL_TIMEOUT_MS,
  QUERY_TIMEOUT_MS,
  RELAYS_ASKED_MAX,
} from "@tesseras/core/limits";
import { chooseRelays, type Realm, type RelayCandidate } from "@tesseras/nat";
import type { NodeRecord, RelayEnd, Rendezvous } from "@tesseras/wire";
import type { Session } from "./hello.ts";
import type { RelayLine, RelayLines } from "./relay_lines.ts";
import type { Transport } from "./transport.ts";
import { isDialable } from "./way.ts";

/** What meeting over relays needs. */
export type RelayRungParts = {
  readonly lines: RelayLines;
  readonly transport: Transport;
  readonly runtime: Runtime;
  readonly tasks: Tasks;
  readonly realm: Realm;
  /** Relays by their records, as far as this node knows any. */
  readonly relays: () => readonly NodeRecord[];
  /** A round trip to a peer, where it was measured. */
  readonly rttMsOf: (id: NodeId) => number | undefined;
  /** The open sessions that run through this port of a relay. */
  readonly sessionsAt: (address: Address) => readonly Session[];
  /** Whether a session with a peer runs over no relay. */
  readonly isDirect: (id: NodeId) => boolean;
  /** Takes in a session we dialled. */
  readonly adopt: (session: Session) => void;
};

/** Brings a peer to a rendezvous: resolves when it has agreed. */
export type Invite = (
  rendezvous: Rendezvous,
  signal: AbortSignal,
) => Promise<unknown>;

/** Who is met. */
type Pinned = Pick<NodeRecord, "id" | "publicKey">;

/** Meets peers over relays. */
export class RelayRung {
  readonly #parts: RelayRungParts;
  /** Dials under way by the port they go to: of one side there is one at a time. */
  readonly #dials = new Map<string, Promise<Session>>();

  constructor(parts: RelayRungParts) {
    this.#parts = parts;
  }

  /** The relays to ask for a session with a peer, the best first; none that is draining, or over which it does not answer. */
  relaysFor(peer: NodeId): readonly NodeRecord[] {
    const { lines, realm, relays, rttMsOf, runtime, sessionsAt } = this.#parts;
    const nowMs = runtime.clock.nowMs();
    const known = new Map<string, NodeRecord>();
    const candidates: RelayCandidate[] = [];
    for (const record of relays()) {
      const { id, relay, subnet } = record;
      if (relay === undefined || equal(id, peer)) continue;
      if (record.expiresAtMs <= nowMs || !isDialable(record, realm)) continue;
      const { freeSlots, kilobytesPerSecond } = relay;
      const rttMs = rttMsOf(id);
      known.set(keyOf(id), record);
      candidates.push({
        id: keyOf(id),
        subnet: subnet ?? keyOf(id),
        rttMs,
        freeSlots,
        kilobytesPerSecond,
      });
    }
    // Whoever looks for another way while a session stands there has reason to.
    const left = lines.to(peer).filter(({ address, isEnding }) =>
      isEnding || sessionsAt(address).length > 0
    );
    const avoid = new Set(left.map(({ relay }) => keyOf(relay.id)));
    const wish = { avoid, countMax: RELAYS_ASKED_MAX };
    return chooseRelays(candidates, wish, runtime.random)
      .map(({ id }) => known.get(id)!);
  }

  /**
   * A session with a peer through the first of these relays at which both meet.
   *
   * @throws `unreachable` when there is none
   */
  async meet(
    peer: Pinned,
    { relays, invite }: {
      readonly relays: readonly NodeRecord[];
      readonly invite: Invite;
    },
    signal: AbortSignal,
  ): Promise<Session> {
    let last: unknown;
    for (const relay of relays) {
      try {
        return await this.#meetAt(relay, { peer, invite }, signal);
      } catch (error) {
        if (codeOf(error) === undefined || signal.aborted) throw error;
        last = error;
      }
    }
    throw new TesserasError(
      "unreachable",
      `Cannot meet ${keyOf(peer.id)} over a relay: ${messageOf(last)}`,
      { cause: last },
    );
  }

  /** Comes to a rendezvous: asks its relay, and dials, for which nobody waits. @throws as `RelayLines.follow` */
  async follow(
    rendezvous: Rendezvous,
    asker: Pinned,
    signal: AbortSignal,
  ): Promise<void> {
    const { lines, runtime } = this.#parts;
    const line = await lines.follow(rendezvous, asker.id, signal);
    runtime.counters.add("relayed.followed");
    this.#dial(line, asker);
  }

  /** A relayed session is over: gives its line back unless another session runs there. */
  ended({ peer, connection }: Session): void {
    const at = formatAddress(connection.remote);
    const line = this.#parts.lines.to(peer.id)
      .find(({ address }) => formatAddress(address) === at);
    if (line !== undefined) this.#giveUp(line);
  }

  async #meetAt(
    relay: NodeRecord,
    { peer, invite }: { readonly peer: Pinned; readonly invite: Invite },
    signal: AbortSignal,
  ): Promise<Session> {
    const { lines, runtime } = this.#parts;
    runtime.counters.add("relayed.asked");
    const line = await lines.request(relay, peer.id, signal);
    try {
      await invite(lines.rendezvousOf(line), signal);
    } catch (error) {
      this.#giveUp(line);
      throw error;
    }
    return await orAbort(this.#dial(line, peer), signal);
  }

  /** Dials our own port of a line: that packet is what lets the peer's through. Goes on whoever stops to wait. */
  #dial(line: RelayLine, peer: Pinned): Promise<Session> {
    const { adopt, lines, runtime, sessionsAt, tasks, transport } = this.#parts;
    const at = formatAddress(line.address);
    const under = this.#dials.get(at);
    if (under !== undefined) return under;
    const ours = sessionsAt(line.address).find(({ dialled }) => dialled);
    if (ours !== undefined) return Promise.resolve(ours);
    const { promise, resolve, reject } = Promise.withResolvers<Session>();
    // Who was invited waits for nothing.
    promise.catch(() => {});
    this.#dials.set(at, promise);
    const began = tasks.spawn(async (signal) => {
      try {
        using deadline = runtime.clock.deadline(DIAL_TIMEOUT_MS, signal);
        const dialled = lines.dial(line, peer, transport, deadline.signal);
        const session = await dialled;
        runtime.counters.add("relayed.met");
        adopt(session);
        resolve(session);
      } catch (error) {
        reject(error);
        if (codeOf(error) === undefined) throw error;
        runtime.counters.add("relayed.failed");
      } finally {
        this.#dials.delete(at);
        this.#giveUp(line);
      }
    });
    if (!began) {
      this.#dials.delete(at);
      reject(abortError(tasks.signal));
    }
    return promise;
  }

  /** Tells the relay that a line is of no use, unless it is. */
  #giveUp(line: RelayLine): void {
    const { isDirect, lines, runtime, sessionsAt, tasks } = this.#parts;
    if (!lines.has(line.address)) return;
    if (this.#dials.has(formatAddress(line.address))) return;
    if (sessionsAt(line.address).length > 0) return;
    const why: RelayEnd = isDirect(line.peer) ? "direct" : "closed";
    tasks.spawn(async (signal) => {
      try {
        using deadline = runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
        await lines.close(line, why, deadline.signal);
      } catch (error) {
        // The other peer may have closed it first.
        if (codeOf(error) === undefined) throw error;
      }
    });
  }
}
