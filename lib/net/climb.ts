/** From a peer's record to a session with it: the ways there are, the cheapest first, others beside those that take their time. */
import {
  type Address,
  type Clock,
  codeOf,
  type ErrorCode,
  keyOf,
  messageOf,
  type NodeId,
  orAbort,
  subnetOf,
  Tasks,
  TesserasError,
} from "@tesseras/core";
import { INTRODUCERS_MAX } from "@tesseras/core/limits";
import { closer } from "@tesseras/kad";
import {
  isPlausible,
  ladder,
  type Prospects,
  type Rung,
  type RungReason,
  type Step,
} from "@tesseras/nat";
import type { NodeRecord, Rendezvous } from "@tesseras/wire";
import type { AgreedPunch } from "./attempts.ts";
import type { Session } from "./hello.ts";
import type { Meetings } from "./meetings.ts";
import type { Live } from "./pool.ts";
import type { Invite, RelayRung } from "./relay_rung.ts";
import { innerOf, type Standing } from "./standing.ts";
import { isDialable } from "./way.ts";

/** Opens a session in one way. */
export type Open = (signal: AbortSignal) => Promise<Session>;

/** What became of one rung, for a person to read. */
export type RungTrace = {
  readonly peer: NodeId;
  readonly rung: Rung;
  readonly reason: RungReason;
  readonly tookMs: number;
  /** `stopped` when another way was found first. */
  readonly outcome: "met" | "stopped" | ErrorCode;
};

/** What climbing needs. */
export type ClimbParts = {
  readonly standing: Standing;
  readonly meetings: Meetings;
  readonly clock: Clock;
  readonly sessions: () => Iterable<Live>;
  /** Takes in a session we dialled; those of punches are taken in already. */
  readonly adopt: (session: Session) => void;
  /** Who named a peer, the latest first. */
  readonly namedBy: (id: NodeId) => readonly NodeId[];
  readonly relayed: RelayRung;
  /** Hears of every rung that ended. Must not throw. */
  readonly onRung?: ((trace: RungTrace) => void) | undefined;
};

/** Finds a way to peers, also to those that nobody can dial. */
export class Climber {
  readonly #parts: ClimbParts;

  constructor(parts: ClimbParts) {
    this.#parts = parts;
  }

  /**
   * A session with a peer. One that can be dialled is dialled and nothing else.
   *
   * @param dial tries the addresses of a record
   * @throws what the last way that failed threw; `unreachable` when there is none
   */
  async open(
    peer: NodeRecord,
    dial: (peer: NodeRecord, signal: AbortSignal) => Promise<Session>,
    signal: AbortSignal,
  ): Promise<Session> {
    const { meetings, relayed, standing } = this.#parts;
    const { addresses } = peer;
    // Where neither has been seen from outside there may be none: private networks are routed, too.
    const isInner = standing.kind === "unknown" && peer.nat === "unknown" &&
      addresses.length > 0;
    if (isInner || isDialable(peer, standing.realm)) {
      return await dial(peer, signal);
    }
    const near = addresses.filter((address) => isNear(address, standing));
    const introducers = this.#introducersOf(peer);
    const relays = relayed.relaysFor(peer.id);
    const steps = ladder(
      this.#prospects(peer, {
        hasAddress: near.length > 0,
        hasIntroducer: introducers.length > 0,
        hasRelay: relays.length > 0,
      }),
    );
    if (steps.length === 0 && addresses.length > 0) {
      return await dial(peer, signal);
    }
    const punch = async (rungSignal: AbortSignal): Promise<Session> => {
      const agreed = await this.#arrange({ peer, introducers }, rungSignal);
      return await meetings.punch(agreed, rungSignal);
    };
    const relay = async (rungSignal: AbortSignal): Promise<Session> => {
      const invite: Invite = (rendezvous, inviteSignal) =>
        this.#arrange({ peer, introducers, rendezvous }, inviteSignal);
      return await relayed.meet(peer, { relays, invite }, rungSignal);
    };
    const direct = async (rungSignal: AbortSignal): Promise<Session> => {
      const session = await dial({ ...peer, addresses: near }, rungSignal);
      // Another way may have led there a moment before.
      this.#parts.adopt(session);
      return session;
    };
    const rungs = { direct, punch, relay };
    return await this.#climb({ peer, steps, rungs }, signal);
  }

  #prospects(
    peer: NodeRecord,
    known: Pick<Prospects, "hasAddress" | "hasIntroducer" | "hasRelay">,
  ): Prospects {
    const { standing } = this.#parts;
    const outer = [standing.likely(4)?.ip, standing.likely(6)?.ip];
    const sameNetwork = peer.addresses.some(({ ip }) => outer.includes(ip));
    return { ...known, sameNetwork, own: standing.kind, peer: peer.nat };
  }

  /** Who may know a peer: whoever named it, then those nearest to it, who keep it in their tables. All have a session with us. */
  #introducersOf({ id }: NodeRecord): readonly Live[] {
    const named = this.#parts.namedBy(id).map(keyOf);
    const nearest = [...this.#parts.sessions()].filter(({ key, session }) =>
      key !== keyOf(id) && session.way !== "relayed"
    ).map((live) => {
      const at = named.indexOf(live.key);
      return { live, rank: at < 0 ? named.length : at };
    }).sort((a, b) =>
      a.rank - b.rank ||
      closer(id, a.live.session.peer.id, b.live.session.peer.id)
    ).map(({ live }) => live);
    const unique = new Map(nearest.map((live) => [live.key, live]));
    return [...unique.values()].slice(0, INTRODUCERS_MAX);
  }

  /** Asks one after the other until somebody has brought the peer to agree. */
  async #arrange(
    { peer, introducers, rendezvous }: {
      readonly peer: NodeRecord;
      readonly introducers: readonly Live[];
      readonly rendezvous?: Rendezvous;
    },
    signal: AbortSignal,
  ): Promise<AgreedPunch> {
    let last: unknown;
    for (const introducer of introducers) {
      try {
        const meeting = { peer, introducer, rendezvous };
        return await this.#parts.meetings.arrange(meeting, signal);
      } catch (error) {
        if (codeOf(error) === undefined || signal.aborted) throw error;
        last = error;
      }
    }
    // What an introducer answers says nothing of the peer: `absent` there is no answer to what the peer will be asked.
    throw new TesserasError(
      "unreachable",
      `Cannot be introduced to ${keyOf(peer.id)}: ${messageOf(last)}`,
      { cause: last },
    );
  }

  async #climb(
    { peer, steps, rungs }: {
      readonly peer: NodeRecord;
      readonly steps: readonly Step[];
      readonly rungs: { readonly [R in Rung]: Open };
    },
    signal: AbortSignal,
  ): Promise<Session> {
    const { clock } = this.#parts;
    await using scope = new Tasks(signal);
    const { promise: met, resolve: meet, reject: breakOff } = Promise
      .withResolvers<Session>();
    const failed: Promise<unknown>[] = [];
    for (const step of steps) {
      const open = rungs[step.rung];
      const before = Promise.all(failed);
      const { promise, resolve: fail } = Promise.withResolvers<unknown>();
      failed.push(promise);
      scope.spawn(async (rungSignal) => {
        if (step.afterMs > 0) {
          await Promise.race([before, clock.sleep(step.afterMs, rungSignal)]);
        }
        try {
          meet(await this.#try({ peer, step, open }, rungSignal));
        } catch (error) {
          if (codeOf(error) === undefined) breakOff(error);
          fail(error);
        }
      });
    }
    const none = Promise.all(failed).then((errors): never => {
      const lie = errors.find((error) => codeOf(error) === "forged");
      throw lie ?? errors.at(-1) ?? new TesserasError(
        "unreachable",
        `Cannot reach ${
          keyOf(peer.id)
        }: it has no address and nobody here knows it`,
      );
    });
    return await orAbort(Promise.race([met, none]), signal);
  }

  async #try(
    { peer, step, open }: {
      readonly peer: NodeRecord;
      readonly step: Step;
      readonly open: Open;
    },
    signal: AbortSignal,
  ): Promise<Session> {
    const { clock, onRung } = this.#parts;
    const beganMs = clock.monotonicMs();
    const tell = (outcome: RungTrace["outcome"]): void =>
      onRung?.({
        peer: peer.id,
        rung: step.rung,
        reason: step.reason,
        tookMs: clock.monotonicMs() - beganMs,
        outcome,
      });
    try {
      const session = await open(signal);
      tell("met");
      return session;
    } catch (error) {
      tell(signal.aborted ? "stopped" : codeOf(error) ?? "unusable");
      throw error;
    }
  }
}

/** Whether an address leads somewhere from here: one of our own network, or one that anybody can use. */
function isNear(address: Address, standing: Standing): boolean {
  if (isPlausible(address, standing.realm)) return true;
  const subnet = subnetOf(address.ip);
  return innerOf(standing).some(({ ip }) => subnetOf(ip) === subnet);
}
