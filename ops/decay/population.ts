/** Holders: where they are, when they are there, and when they are gone for good. */
import { type NodeId, nodeId, type SeededRandom } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";
import { perYearOfMonthly } from "@tesseras/preservation";
import type { Calendar } from "./calendar.ts";
import { DAY_MS, type Options, YEAR_MS } from "./options.ts";

/** How long others see the records of a holder that is silent (docs/PROTOCOL.md, provider records live a day). */
const RECORDS_MS = DAY_MS;

/** One machine. Asked about moments that never go back. */
export class Member {
  readonly id: NodeId;
  readonly subnet: string;
  /** Nothing that decides here. */
  readonly capabilities = 0;
  readonly wideNetwork: number;
  isGone = false;
  readonly #options: Options;
  readonly #random: SeededRandom;
  readonly #sleeps: boolean;
  readonly #phaseMs: number;
  /** The absence under way or next. */
  #leavesMs: number;
  #returnsMs: number;
  #longReturnMs = -Infinity;

  constructor(options: Options, random: SeededRandom, nowMs: number) {
    this.#options = options;
    this.#random = random;
    this.id = nodeId(random.bytes(NODE_ID_BYTES));
    this.wideNetwork = random.below(options.wideNetworks);
    this.subnet = `10.${this.wideNetwork}.${
      random.below(options.subnetsInEach)
    }.0/24`;
    this.#sleeps = random.below(1_000_000) <
      options.habits.nightShare * 1_000_000;
    this.#phaseMs = random.below(DAY_MS);
    this.#leavesMs = nowMs;
    this.#returnsMs = nowMs;
    this.#planAbsence(nowMs);
  }

  /** Whether it answers. */
  isThere(nowMs: number): boolean {
    return !this.isGone && this.nextThereMs(nowMs) === nowMs;
  }

  /** When it answers next, should it live so long. */
  nextThereMs(nowMs: number): number {
    this.#pass(nowMs);
    let atMs = nowMs;
    if (atMs >= this.#leavesMs) atMs = this.#returnsMs;
    return this.#wakesMs(atMs);
  }

  /** When it came back from its latest absence that was longer than silence is forgiven; `-Infinity` when there was none. */
  returnedMs(nowMs: number): number {
    this.#pass(nowMs);
    return this.#longReturnMs;
  }

  /** Whether newcomers still find its records. */
  isAnnounced(nowMs: number): boolean {
    this.#pass(nowMs);
    return !this.isGone && nowMs - this.#leavesMs < RECORDS_MS;
  }

  #pass(nowMs: number): void {
    while (nowMs >= this.#returnsMs) {
      const { calmGraceMs } = this.#options.patience;
      const isLong = this.#returnsMs - this.#leavesMs > calmGraceMs;
      if (isLong) this.#longReturnMs = this.#returnsMs;
      this.#planAbsence(this.#returnsMs);
    }
  }

  #planAbsence(fromMs: number): void {
    const { betweenAbsencesMs, absenceMs } = this.#options.habits;
    this.#leavesMs = fromMs + exponential(this.#random, betweenAbsencesMs);
    this.#returnsMs = this.#leavesMs + exponential(this.#random, absenceMs);
  }

  #wakesMs(atMs: number): number {
    const { nightMs } = this.#options.habits;
    if (!this.#sleeps) return atMs;
    const hour = (atMs + this.#phaseMs) % DAY_MS;
    return hour < nightMs ? atMs + nightMs - hour : atMs;
  }
}

/** All machines. Whoever is lost is replaced, so that their number stays. */
export class Population {
  readonly members = new Set<Member>();
  goneCount = 0;
  readonly #options: Options;
  readonly #random: SeededRandom;
  readonly #calendar: Calendar;
  readonly #mourn: (member: Member) => void;

  /** @param mourn told of everybody who is lost */
  constructor(
    options: Options,
    { random, calendar, mourn }: {
      readonly random: SeededRandom;
      readonly calendar: Calendar;
      readonly mourn: (member: Member) => void;
    },
  ) {
    this.#options = options;
    this.#random = random;
    this.#calendar = calendar;
    this.#mourn = mourn;
    for (let i = 0; i < options.holders; i++) this.#arrive();
  }

  /** Kills everybody in the wide network with most machines; replacements come within two months. Returns how many it were. */
  strike(): number {
    const networks = Map.groupBy(this.members, (member) => member.wideNetwork);
    const largest = [...networks.values()]
      .reduce((a, b) => b.length > a.length ? b : a);
    for (const member of largest) {
      this.#die(member, this.#random.uint32() / 2 ** 32 * 60 * DAY_MS);
    }
    return largest.length;
  }

  #arrive(): void {
    const { nowMs } = this.#calendar;
    const member = new Member(this.#options, this.#random.fork(), nowMs);
    this.members.add(member);
    const meanMs = YEAR_MS / perYearOfMonthly(this.#options.monthlyLoss);
    this.#calendar.at(
      nowMs + exponential(this.#random, meanMs),
      () => this.#die(member, 0),
    );
  }

  #die(member: Member, vacantMs: number): void {
    if (member.isGone) return;
    member.isGone = true;
    this.members.delete(member);
    this.goneCount++;
    this.#mourn(member);
    this.#calendar.at(this.#calendar.nowMs + vacantMs, () => this.#arrive());
  }
}

/** A time that knows no age: exponential with that mean. */
export function exponential(random: SeededRandom, meanMs: number): number {
  if (meanMs === 0) return 0;
  return -Math.log1p(-(random.uint32() + 0.5) / 2 ** 32) * meanMs;
}
