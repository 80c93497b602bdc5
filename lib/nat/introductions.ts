/** Which introductions a node acts on: fresh ones, each once, few at a time, and never such as aim it at somebody else. */
import { type Address, keyOf, type NodeId, subnetOf } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  INTRODUCTIONS_REMEMBERED_MAX,
  PUNCH_ADDRESSES_MAX,
  PUNCHES_MAX,
  PUNCHES_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import { familyOf, isPlausible, type Realm } from "./plausible.ts";

/** What a signed introduction says, once its signature was checked. */
export type Introduction = {
  /** Who wants to be met, and signed it. */
  readonly from: NodeId;
  /** Who is to meet it. */
  readonly to: NodeId;
  /** Drawn for this one meeting. */
  readonly nonce: Uint8Array;
  /** Unix milliseconds of signing, by the clock of `from`. */
  readonly signedMs: number;
};

/** Why an introduction is not acted on. */
export type Refusal =
  /** It is for somebody else, or from ourselves: who passed it on sent it to the wrong node, or wants us to act for another. */
  | "misdirected"
  /** Signed too long ago, or too far in the future. */
  | "stale"
  /** It came before. */
  | "replayed"
  /** As many as may be are under way, in all or for that subnet. */
  | "full"
  /** None of its addresses is one that its signer was seen at. */
  | "nowhere";

/** Times are Unix milliseconds: the signer's clock and ours may differ by as much as an introduction is fresh. */
export function isFresh(signedMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - signedMs) <= INTRODUCTION_FRESH_MS;
}

/**
 * Introductions met before, for as long as they are fresh. When so many came that one would have to be forgotten, no more are
 * taken: forgetting would let it come again.
 */
export class Replays {
  /** By signer and nonce, when it stops being fresh; oldest arrival first. */
  readonly #untilMs = new Map<string, number>();

  /** How many are remembered. */
  get size(): number {
    return this.#untilMs.size;
  }

  /** Notes an introduction that is fresh. Times in Unix milliseconds. */
  note(
    { from, nonce, signedMs }: Introduction,
    nowMs: number,
  ): "new" | "replayed" | "full" {
    const key = `${keyOf(from)}:${keyOf(nonce)}`;
    if (this.#untilMs.has(key)) return "replayed";
    if (this.#untilMs.size >= INTRODUCTIONS_REMEMBERED_MAX) this.#sweep(nowMs);
    if (this.#untilMs.size >= INTRODUCTIONS_REMEMBERED_MAX) return "full";
    this.#untilMs.set(key, signedMs + INTRODUCTION_FRESH_MS);
    return "new";
  }

  #sweep(nowMs: number): void {
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs < nowMs) this.#untilMs.delete(key);
    }
  }
}

/** Which of the addresses in an introduction may be punched at, and what says so. */
export type Sighting = {
  /** What the peer says of itself, under its signature. */
  readonly claimed: readonly Address[];
  /** The IP address at which whoever introduces it sees it, on a connection where it proved who it is; of either family. */
  readonly seenIp: string;
  /** Our own outer IP address of that family; `undefined` while unknown. */
  readonly ownIp: string | undefined;
  readonly realm: Realm;
};

/**
 * Where a punch may go: only where the peer itself asked for, under its signature, and only at the IP address somebody else sees it at; one
 * port there, for nobody has two. So nobody aims us at a third party alone, and two who conspire get three dials out of us for
 * a signed message each (the caps on punches hold them to that). Private addresses count only for a peer behind our own router; there
 * they are in the same network.
 *
 * An address of the other family cannot be compared with what was seen, and is left out.
 */
export function punchTargets(sighting: Sighting): readonly Address[] {
  const { claimed, seenIp, ownIp, realm } = sighting;
  const family = claimed.slice(0, PUNCH_ADDRESSES_MAX).filter((address) =>
    familyOf(address) === familyOf({ ip: seenIp })
  );
  const outer = family.filter((address) =>
    address.ip === seenIp && isPlausible(address, realm)
  ).slice(0, 1);
  if (seenIp !== ownIp) return outer;
  const inner = family.filter((address) =>
    address.ip !== seenIp && !isLoopback(address.ip) &&
    isPlausible(address, "lab") && !isPlausible(address, "internet")
  );
  return [...outer, ...inner];
}

/** Our own machine has no other node of the peer's. */
function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/** A punch under way. Disposing it gives its place back. */
export type PunchPlace = Disposable;

/** Every punch of one node, those it asked for and those it was asked for. */
export class PunchPlaces {
  readonly #perSubnetMax: number;
  readonly #bySubnet = new Map<string, number>();
  #count = 0;

  /** @param perSubnetMax `Infinity` in a network whose nodes share a subnet by configuration */
  constructor(perSubnetMax = PUNCHES_PER_SUBNET_MAX) {
    this.#perSubnetMax = perSubnetMax;
  }

  /** Punches under way. */
  get count(): number {
    return this.#count;
  }

  /**
   * A place for a punch at these addresses; `undefined` when there is none, or a subnet has its share. Who asks for a punch of others
   * counts with `via`, the introducer, too. One subnet counts once, even if two addresses and the introducer are in it.
   */
  enter(
    targets: readonly Pick<Address, "ip">[],
    via?: Pick<Address, "ip">,
  ): PunchPlace | undefined {
    if (this.#count >= PUNCHES_MAX) return undefined;
    const all = via === undefined ? targets : [...targets, via];
    const subnets = new Set(all.map(({ ip }) => subnetOf(ip)));
    for (const subnet of subnets) {
      const running = this.#bySubnet.get(subnet) ?? 0;
      if (running >= this.#perSubnetMax) return undefined;
    }
    this.#count++;
    for (const subnet of subnets) this.#add(subnet, 1);
    let under = true;
    return {
      [Symbol.dispose]: () => {
        if (!under) return;
        under = false;
        this.#count--;
        for (const subnet of subnets) this.#add(subnet, -1);
      },
    };
  }

  #add(subnet: string, change: 1 | -1): void {
    const running = (this.#bySubnet.get(subnet) ?? 0) + change;
    if (running === 0) this.#bySubnet.delete(subnet);
    else this.#bySubnet.set(subnet, running);
  }
}

/** What may be done with an introduction that was signed by `from`. */
export type IntroductionVerdict =
  | {
    readonly ok: true;
    readonly targets: readonly Address[];
    readonly place: PunchPlace;
  }
  | { readonly ok: false; readonly why: Refusal };

/** The gate before every punch that somebody else asks for. */
export class Introductions {
  readonly #self: NodeId;
  readonly #replays = new Replays();
  readonly #places: PunchPlaces;

  /** @param places shared with the punches this node asks for itself */
  constructor(self: NodeId, places: PunchPlaces) {
    this.#self = self;
    this.#places = places;
  }

  /** Judges an introduction; the caller has checked its signature. `nowMs` is Unix time. Dispose the place when the punch is over. */
  judge(
    introduction: Introduction,
    sighting: Sighting & { readonly via: Pick<Address, "ip"> },
    nowMs: number,
  ): IntroductionVerdict {
    const refuse = (why: Refusal): IntroductionVerdict => ({ ok: false, why });
    const self = keyOf(this.#self);
    const { from, to } = introduction;
    if (keyOf(to) !== self || keyOf(from) === self) {
      return refuse("misdirected");
    }
    if (!isFresh(introduction.signedMs, nowMs)) return refuse("stale");
    const targets = punchTargets(sighting);
    if (targets.length === 0) return refuse("nowhere");
    // A place first: who is turned away for want of one may come again with the same introduction.
    const place = this.#places.enter(targets, sighting.via);
    if (place === undefined) return refuse("full");
    const noted = this.#replays.note(introduction, nowMs);
    if (noted === "new") return { ok: true, targets, place };
    place[Symbol.dispose]();
    return refuse(noted);
  }
}
