/** A tessera as it really is, whatever anybody knows of it. */
import type { NodeId } from "@tesseras/core";
import type { Holder } from "@tesseras/preservation";
import type { Tier } from "./options.ts";
import type { Member } from "./population.ts";

/** One fragment on one disk. */
export type Copy = {
  readonly index: number;
  readonly member: Member;
  /** The member as the decisions see it. */
  readonly holder: Holder;
  readonly placedAtMs: number;
};

/** A tessera and the disks it lies on. */
export class Kept {
  readonly key: NodeId;
  readonly tier: Tier;
  readonly shardBytes: number;
  readonly copies = new Set<Copy>();
  /** Copies by index. */
  readonly #counts: Uint16Array;
  readonly #bornMs: number;
  #lostMs: number | undefined;
  #distinctCount = 0;
  /** The smallest number of fragments beyond those needed that it ever had. */
  worstSpareCount = Infinity;

  constructor(key: NodeId, tier: Tier, bornMs: number) {
    this.key = key;
    this.tier = tier;
    this.shardBytes = Math.ceil(tier.packBytes / tier.dataCount);
    this.#counts = new Uint16Array(tier.dataCount + tier.parityCount);
    this.#bornMs = bornMs;
  }

  get isLost(): boolean {
    return this.#lostMs !== undefined;
  }

  /** How long it lived, or has lived until now. */
  ageMs(nowMs: number): number {
    return (this.#lostMs ?? nowMs) - this.#bornMs;
  }

  add(index: number, member: Member, nowMs: number): Copy {
    const { id, subnet } = member;
    const copy = { index, member, holder: { id, subnet }, placedAtMs: nowMs };
    this.copies.add(copy);
    if (this.#counts[index]!++ === 0) this.#distinctCount++;
    return copy;
  }

  /** Takes one copy from the disk it lies on. Returns whether another is left. */
  release(copy: Copy, nowMs: number): boolean {
    this.copies.delete(copy);
    if (--this.#counts[copy.index]! > 0) return true;
    this.#distinctCount--;
    this.#note(nowMs);
    return false;
  }

  /** Takes everything away that one member has. Returns how many fragments it were. */
  mourn(member: Member, nowMs: number): number {
    let count = 0;
    for (const copy of this.copies) {
      if (copy.member !== member) continue;
      this.copies.delete(copy);
      count++;
      if (--this.#counts[copy.index]! === 0) this.#distinctCount--;
    }
    this.#note(nowMs);
    return count;
  }

  #note(nowMs: number): void {
    const spareCount = this.#distinctCount - this.tier.dataCount;
    this.worstSpareCount = Math.min(this.worstSpareCount, spareCount);
    if (spareCount < 0) this.#lostMs ??= nowMs;
  }
}
