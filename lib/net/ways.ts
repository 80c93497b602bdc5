/** The ways of one node to peers that nobody can dial, put together: meetings, lines over relays, and the ladder that tries them. */
import {
  type Address,
  codeOf,
  compare,
  formatAddress,
  keyOf,
  type NodeId,
  type Runtime,
  type Tasks,
  TesserasError,
} from "@tesseras/core";
import type { NodeRecord } from "@tesseras/wire";
import { Climber } from "./climb.ts";
import type { DialParts } from "./dials.ts";
import type { Session } from "./hello.ts";
import { type MeetingParts, Meetings } from "./meetings.ts";
import type { PeerNet } from "./peer_net.ts";
import type { PeersParts } from "./peers_parts.ts";
import type { Live, SessionPool } from "./pool.ts";
import { type RelayLineEnd, RelayLines } from "./relay_lines.ts";
import { RelayRung } from "./relay_rung.ts";
import type { Handler } from "./serve.ts";
import type { Standing } from "./standing.ts";
import { isDialable, type Way } from "./way.ts";

/** What ways are made of. */
export type WaysParts = PeersParts & {
  readonly standing: Standing;
  readonly runtime: Runtime;
  readonly tasks: Tasks;
  readonly pool: SessionPool;
  readonly peers: Pick<PeerNet, "ask" | "remoteOf">;
  readonly askOver: MeetingParts["askOver"];
  /** Takes in a session we dialled. */
  readonly adopt: (session: Session) => void;
  /** Throws when no dial may begin. */
  readonly makeRoom: () => void;
  /** Opens one more session with a peer. */
  readonly dial: (peer: NodeRecord, signal: AbortSignal) => Promise<unknown>;
  /** Closes a session whose line is over. */
  readonly close: (live: Live) => void;
};

/** The ways of one node. */
export class Ways {
  readonly #parts: WaysParts;
  readonly #lines: RelayLines;
  readonly #relayed: RelayRung;
  readonly #meetings: Meetings;
  readonly #climber: Climber;

  constructor(parts: WaysParts) {
    this.#parts = parts;
    const { pool, runtime, standing } = parts;
    const { realm } = standing;
    const ask: PeerNet["ask"] = async (relay, request, options, signal) => {
      requireRelayInPublic(relay, standing);
      return await parts.peers.ask(relay, request, options, signal);
    };
    const remoteOf = (id: NodeId) => parts.peers.remoteOf(id);
    this.#lines = new RelayLines({
      self: parts.self,
      peers: { ask, remoteOf },
      onEnd: (end) => this.#lineEnded(end),
    }, runtime);
    this.#relayed = new RelayRung({
      ...parts,
      lines: this.#lines,
      realm,
      relays: parts.relays ?? (() => []),
      rttMsOf: (id) => pool.best(id)?.silence.quickestMs,
      sessionsAt: (address) =>
        this.#livesAt(address).map(({ session }) => session),
      isDirect: (id) => pool.directSince(id, -Infinity) !== undefined,
    });
    this.#meetings = new Meetings({
      ...parts,
      live: (id) => pool.best(id),
      sessionSince: (id, sinceMs) => pool.directSince(id, sinceMs),
      follow: (rendezvous, asker, signal) =>
        this.#relayed.follow(rendezvous, asker, signal),
    });
    this.#climber = new Climber({
      standing,
      meetings: this.#meetings,
      relayed: this.#relayed,
      clock: runtime.clock,
      sessions: () => pool.all(),
      adopt: parts.adopt,
      namedBy: parts.namedBy ?? (() => []),
      onRung: parts.onRung,
    });
  }

  /** Finds a way to a peer. */
  readonly open: NonNullable<DialParts["open"]> = (peer, dial, signal) =>
    this.#climber.open(peer, dial, signal);

  /** Answers what belongs to meetings and to our lines, and leaves everything else to this handler. */
  before(handler: Handler): Handler {
    const rest: Handler = async (from, request, bulk, signal) => {
      if (request.type === "relay_close" && this.#lines.all().length > 0) {
        const reply = this.#lines.heardEnd(from, request);
        if (reply !== undefined) {
          this.#parts.runtime.counters.add(`request.${request.type}`);
          return reply;
        }
      }
      return await handler(from, request, bulk, signal);
    };
    return this.#meetings.before(rest);
  }

  /** A session has begun. */
  arrived(): void {
    this.#meetings.arrived();
  }

  /** A session is over. */
  ended(session: Session): void {
    if (session.way === "relayed") this.#relayed.ended(session);
  }

  /** Whether a line stands on this peer: our connection to it is to stay open. */
  standsOn(id: NodeId): boolean {
    return this.#lines.standsOn(id);
  }

  /** How a peer that dialled us has come. */
  wayOf({ peer, connection }: Session): Way {
    if (this.#lines.has(connection.remote)) return "relayed";
    if (this.#meetings.isUnderWay(peer.id)) return "punched";
    // Of two that knock, one has its session before the other's proof arrives.
    const { way } = this.#parts.pool.best(peer.id)?.session ?? {};
    return way === "punched" ? "punched" : "direct";
  }

  #livesAt(address: Address): readonly Live[] {
    const at = formatAddress(address);
    return [...this.#parts.pool.all()].filter(({ session }) =>
      session.way === "relayed" &&
      formatAddress(session.connection.remote) === at
    );
  }

  /** A relay ends a line: what runs there is closed, or, while packets still pass, moves to another relay. */
  #lineEnded({ line, graceMs }: RelayLineEnd): void {
    const { close, dial, pool, self, tasks } = this.#parts;
    const lives = this.#livesAt(line.address);
    if (graceMs === 0) return lives.forEach(close);
    const best = pool.best(line.peer);
    // One of the two is enough, and both know which.
    const isOurs = compare(self.identity.id, line.peer) < 0;
    if (!isOurs || best === undefined || !lives.includes(best)) return;
    tasks.spawn(async (signal) => {
      try {
        await dial(best.record, signal);
      } catch (error) {
        // Whoever asks next tries again.
        if (codeOf(error) === undefined) throw error;
      }
    });
  }
}

/** A rendezvous could name a relay that has to be met itself, and so on without end. */
function requireRelayInPublic(relay: NodeRecord, { realm }: Standing): void {
  if (isDialable(relay, realm)) return;
  throw new TesserasError(
    "refused",
    `Cannot be relayed by ${keyOf(relay.id)}: nobody can dial it`,
  );
}
