/**
 * One holder that looks after one tessera: what it knows, when it looks, and when it repairs. Everything it decides is decided by
 * `lib/preservation`, and where new fragments go by `lib/kad`, with the functions a node uses.
 */
import type { SeededRandom } from "@tesseras/core";
import { place } from "@tesseras/kad";
import {
  actAtMs,
  type Health,
  isTurn,
  judge,
  lookAtMs,
  looksIn,
  observe,
  type PlanView,
  roundAt,
  type Standing,
  surplusOf,
  type Turn,
  TURN_DEFAULTS,
  turnOf,
  turnPlace,
} from "@tesseras/preservation";
import type { Calendar } from "./calendar.ts";
import type { Copy, Kept } from "./kept.ts";
import { DAY_MS, type Options } from "./options.ts";
import type { Member } from "./population.ts";

/** What is counted while the world turns. */
export type Tally = {
  lookCount: number;
  repairCount: number;
  /** Fragments made and given to a new holder. */
  madeCount: number;
  /** Those of them that somebody else had made meanwhile. */
  doubleCount: number;
  readBytes: number;
  writtenBytes: number;
  /** Bytes on holders that were lost for good. */
  lostBytes: number;
  /** Fragments that a holder let go of, because another keeps the same. */
  releasedCount: number;
  /** Those of them that nobody had any more: there must be none. */
  releasedLastCount: number;
};

/** What an observer lives in. */
export type Surroundings = {
  readonly options: Options;
  readonly calendar: Calendar;
  readonly random: SeededRandom;
  readonly members: ReadonlySet<Member>;
  readonly tally: Tally;
  /** Lets somebody keep a fragment from now on. */
  readonly give: (kept: Kept, index: number, member: Member) => Copy;
  /** Tells that somebody keeps nothing of a tessera any more, and looks after it no longer. */
  readonly leave: (kept: Kept, member: Member) => void;
};

/** How long an observer remembers who is silent, after which it would be a newcomer to it. */
const REMEMBERED_MS = 30 * DAY_MS;

/** Looks after one tessera from one of its holders. */
export class Observer {
  readonly #self: Member;
  readonly #kept: Kept;
  readonly #world: Surroundings;
  readonly #known = new Map<Copy, Standing>();
  readonly #watchedSinceMs: number;
  #needSinceMs: number | undefined;
  #isActing = false;
  #isRetrying = false;
  #hasLeft = false;
  #place = 0;

  constructor(self: Member, kept: Kept, world: Surroundings) {
    this.#self = self;
    this.#kept = kept;
    this.#world = world;
    const { nowMs } = world.calendar;
    this.#watchedSinceMs = nowMs;
    this.#planLook(roundAt(kept.key, nowMs, world.options.pace) + 1);
  }

  get #isOver(): boolean {
    return this.#self.isGone || this.#kept.isLost || this.#hasLeft;
  }

  #planLook(round: number): void {
    const { options: { pace }, random, calendar } = this.#world;
    const atMs = lookAtMs(this.#kept.key, round, { random, pace });
    calendar.at(atMs, () => this.#look(round));
  }

  #look(round: number): void {
    if (this.#isOver) return;
    const { calendar } = this.#world;
    const thereMs = this.#self.nextThereMs(calendar.nowMs);
    if (thereMs > calendar.nowMs) {
      calendar.at(thereMs, () => this.#look(round));
      return;
    }
    if (looksIn(round, this.#place)) {
      this.#consider(true);
      this.#letGo();
    }
    if (this.#hasLeft) return;
    this.#planLook(
      Math.max(
        round,
        roundAt(this.#kept.key, calendar.nowMs, this.#world.options.pace),
      ) + 1,
    );
  }

  /** Asks, judges, and plans what follows from it. */
  #consider(everybody: boolean): Health {
    const { nowMs } = this.#world.calendar;
    this.#ask(everybody);
    const health = this.#judge();
    if (everybody) {
      const live = health.live.map(({ id }) => id);
      this.#place = turnPlace(this.#kept.key, this.#self.id, live).place;
    }
    if (health.state === "needsReplication") {
      this.#needSinceMs ??= nowMs;
      this.#planTurn(health, nowMs);
    } else this.#needSinceMs = undefined;
    this.#planRetry();
    return health;
  }

  #ask(everybody: boolean): void {
    const { calendar: { nowMs }, tally, options: { patience } } = this.#world;
    if (everybody) {
      tally.lookCount++;
      this.#learn(nowMs);
    }
    for (const [copy, before] of this.#known) {
      if (!everybody && before.is !== "unproved") continue;
      const isThere = copy.member.isThere(nowMs);
      const isKept = this.#kept.copies.has(copy);
      // It says that it let go of it, and is counted on no more.
      if (isThere && !isKept) {
        this.#known.delete(copy);
        continue;
      }
      const seen = isThere ? "proved" : "unanswered";
      const standing = observe(before, seen, nowMs, patience);
      const isOld = standing.is === "unproved" &&
        nowMs - standing.sinceMs > REMEMBERED_MS;
      if (isOld) this.#known.delete(copy);
      else this.#known.set(copy, standing);
    }
  }

  /** Finds the records of holders it did not know. */
  #learn(nowMs: number): void {
    for (const copy of this.#kept.copies) {
      if (this.#known.has(copy) || !copy.member.isAnnounced(nowMs)) continue;
      this.#known.set(copy, { is: "reported", atMs: nowMs });
    }
  }

  #judge(): Health {
    const { calendar: { nowMs }, options: { patience } } = this.#world;
    return judge(this.#view(), nowMs, { patience });
  }

  #view(): PlanView {
    const { dataCount, parityCount } = this.#kept.tier;
    const keepings = Array.from(
      this.#known,
      ([{ index, holder }, standing]) => ({ index, holder, standing }),
    );
    const watchedSinceMs = this.#watchedSinceMs;
    return { dataCount, parityCount, keepings, watchedSinceMs };
  }

  /** Lets go of a fragment that is kept better by somebody else, who was asked at this very moment. */
  #letGo(): void {
    const { calendar: { nowMs }, options: { patience }, tally } = this.#world;
    const self = this.#self;
    const own = this.#kept.copies.values()
      .filter(({ member }) => member === self).toArray();
    // Nearly always there is nothing to judge.
    const isTwice = this.#known.keys().some(({ index, member }) =>
      member !== self && own.some((mine) => mine.index === index)
    );
    if (!isTwice) return;
    const { key } = this.#kept;
    const returnedMs = self.returnedMs(nowMs);
    const replaceable = new Set(
      own.filter(({ placedAtMs }) => placedAtMs < returnedMs)
        .map(({ index }) => index),
    );
    const view = { ...this.#view(), key, self: self.id, replaceable };
    const surplus = surplusOf(view, nowMs, { patience });
    const copy = own.find(({ index }) => index === surplus?.index);
    if (copy === undefined) return;
    tally.releasedCount++;
    if (!this.#kept.release(copy, nowMs)) tally.releasedLastCount++;
    this.#known.delete(copy);
    if (own.length > 1) return;
    this.#hasLeft = true;
    this.#world.leave(this.#kept, self);
  }

  /** Whoever is silent is asked again at other hours of the day. */
  #planRetry(): void {
    if (this.#isRetrying) return;
    const { calendar, options: { patience, retryMs } } = this.#world;
    const isWaiting = this.#known.values().some((standing) =>
      standing.is === "unproved" &&
      calendar.nowMs - standing.sinceMs <= patience.graceMs
    );
    if (!isWaiting) return;
    this.#isRetrying = true;
    calendar.at(calendar.nowMs + retryMs, () => {
      this.#isRetrying = false;
      if (this.#isOver) return;
      if (this.#self.isThere(calendar.nowMs)) this.#retry();
      else this.#planRetry();
    });
  }

  /** Asks the silent. What is silent for less than any grace changes no judgement, and need not be judged. */
  #retry(): void {
    const { calendar: { nowMs }, options: { patience } } = this.#world;
    const isOld = this.#known.values().some((standing) =>
      standing.is === "unproved" &&
      nowMs - standing.sinceMs >= patience.alarmGraceMs
    );
    if (isOld || this.#needSinceMs !== undefined) this.#consider(false);
    else {
      this.#ask(false);
      this.#planRetry();
    }
  }

  #turn(health: Health, fromMs: number): Turn {
    return turnOf(
      {
        key: this.#kept.key,
        self: this.#self.id,
        live: health.live.map(({ id }) => id),
        packBytes: this.#kept.tier.packBytes,
        needSinceMs: this.#needSinceMs ?? fromMs,
        nowMs: fromMs,
      },
      TURN_DEFAULTS,
      this.#world.options.pace,
    );
  }

  #planTurn(health: Health, fromMs: number): void {
    if (this.#isActing) return;
    this.#isActing = true;
    const turn = this.#turn(health, fromMs);
    const { calendar, random } = this.#world;
    calendar.at(actAtMs(turn, random), () => this.#act());
  }

  /** Our turn has come: looks again, and makes what is still missing. */
  #act(): void {
    this.#isActing = false;
    if (this.#isOver) return;
    const { calendar } = this.#world;
    const { nowMs } = calendar;
    if (!this.#self.isThere(nowMs)) return;
    // Nothing is planned by looking: what is missing is made here and now.
    this.#isActing = true;
    const health = this.#consider(true);
    this.#isActing = false;
    if (health.state !== "needsReplication") return;
    const turn = this.#turn(health, nowMs);
    if (isTurn(turn, nowMs) && health.canRebuild && this.#repair(health)) {
      return;
    }
    this.#planTurn(health, isTurn(turn, nowMs) ? turn.endsMs : nowMs);
  }

  /** Rebuilds and sends. Returns whether there was anybody to send to. */
  #repair(health: Health): boolean {
    const { calendar, tally } = this.#world;
    const beganMs = calendar.nowMs;
    const targets = this.#targets(health);
    if (targets.length === 0) return false;
    const { shardBytes, tier } = this.#kept;
    const readBytes = shardBytes * (tier.dataCount - this.#ownCount());
    const writtenBytes = shardBytes * targets.length;
    tally.readBytes += readBytes;
    tally.writtenBytes += writtenBytes;
    const tookMs = (readBytes + writtenBytes) / TURN_DEFAULTS.bytesPerSecond *
      1_000;
    this.#isActing = true;
    calendar.at(beganMs + tookMs, () => {
      this.#isActing = false;
      this.#finish(targets, beganMs);
    });
    return true;
  }

  #finish(
    targets: readonly [number, Member][],
    beganMs: number,
  ): void {
    if (this.#isOver) return;
    const { calendar: { nowMs }, tally, give } = this.#world;
    tally.repairCount++;
    for (const [index, member] of targets) {
      if (!member.isThere(nowMs)) continue;
      const isDouble = this.#kept.copies.values().some((copy) =>
        copy.index === index && copy.placedAtMs > beganMs
      );
      if (isDouble) tally.doubleCount++;
      tally.madeCount++;
      const copy = give(this.#kept, index, member);
      this.#known.set(copy, observe(undefined, "stored", nowMs));
    }
    this.#consider(false);
  }

  /** New holders for what is to be made, among those that can be found now. */
  #targets(health: Health): [number, Member][] {
    const { members, calendar: { nowMs } } = this.#world;
    const there = members.values().filter((member) => member.isThere(nowMs))
      .map((contact) => ({ contact })).toArray();
    const held = new Set(health.live.map(({ id }) => id));
    const holders = this.#known.keys().map(({ member }) => member)
      .filter(({ id }) => held.has(id)).map((contact) => ({ contact }));
    const { assignments } = place(health.replicate, there, {
      key: this.#kept.key,
      perPeerMax: 1,
      holders: new Map(holders.map((it) => [it.contact, it])).values()
        .toArray(),
    });
    return [...assignments];
  }

  /** Fragments that need not be read from others; any whole one is enough for a copy. */
  #ownCount(): number {
    let count = 0;
    for (const { member } of this.#kept.copies) {
      if (member === this.#self) count++;
    }
    return Math.min(count, this.#kept.tier.dataCount);
  }
}
