/** Which provider records a keeper takes: pure judgement of one message against what is there. */
import { assert, keyOf, type NodeId, type TesseraId } from "@tesseras/core";
import {
  PROVIDERS_PER_HOLDER_MAX,
  PROVIDERS_PER_KEY_AND_SUBNET_MAX,
  PROVIDERS_PER_KEY_MAX,
  PROVIDERS_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import type { PointerRow } from "@tesseras/state";

/** Plans of one tessera that one holder may point to: a creator cuts a tessera anew at most now and then. */
const PLANS_PER_HOLDER_MAX = 4;

/**
 * What becomes of a record: kept; known, since somebody else brought the same; older than what is kept; over the bound of its key or
 * holder; or over that of its holder's subnet.
 */
export type Verdict = "kept" | "known" | "stale" | "over_bound" | "over_subnet";

/** How many records a keeper takes. */
export type BoundLimits = {
  readonly perHolderMax: number;
  /** Of the holders of one subnet, in all and of one key. Infinite where subnets say nothing, as in a cluster on one machine. */
  readonly perSubnetMax: number;
  readonly perKeyAndSubnetMax: number;
};

/** What a keeper takes where nothing else is said. */
export const BOUND_DEFAULTS: BoundLimits = {
  perHolderMax: PROVIDERS_PER_HOLDER_MAX,
  perSubnetMax: PROVIDERS_PER_SUBNET_MAX,
  perKeyAndSubnetMax: PROVIDERS_PER_KEY_AND_SUBNET_MAX,
};

/** Whose record it is, as far as bounds go. */
export type Origin = {
  readonly holder: NodeId;
  readonly subnet: string | undefined;
};

/** Records kept by holder and by subnet, so that none fills the table alone. At most one entry of each for every record. */
export class Tally {
  readonly #holders = new Map<string, number>();
  readonly #subnets = new Map<string, number>();

  /** Counts a record more (1) or less (-1). */
  add({ holder, subnet }: Origin, change: 1 | -1): void {
    addTo(this.#holders, keyOf(holder), change);
    if (subnet !== undefined) addTo(this.#subnets, subnet, change);
  }

  /** Records of a holder. */
  ofHolder(holder: NodeId): number {
    return this.#holders.get(keyOf(holder)) ?? 0;
  }

  /** Records of the holders of a subnet. */
  ofSubnet(subnet: string): number {
    return this.#subnets.get(subnet) ?? 0;
  }
}

/** Judges the records of one message against the bounds of each key, holder and subnet. */
export class Bounds {
  /** Those to write. */
  readonly kept: PointerRow[] = [];
  /** What they change in the {@link Tally}, once they are written. */
  readonly changes: { readonly origin: Origin; readonly change: 1 | -1 }[] = [];
  readonly #tally: Tally;
  readonly #limits: BoundLimits;
  /** Those of this message alone. */
  readonly #fresh = new Tally();
  /** By tessera, then by holder and plan. */
  readonly #known = new Map<string, Map<string, Known>>();

  constructor(tally: Tally, limits: BoundLimits) {
    this.#tally = tally;
    this.#limits = limits;
  }

  /** Whether what is kept of a tessera is known. */
  knows(tesseraId: TesseraId): boolean {
    return this.#known.has(keyOf(tesseraId));
  }

  /** Takes in what is kept of a tessera, expired records left out. */
  learn(tesseraId: TesseraId, rows: readonly PointerRow[]): void {
    this.#known.set(
      keyOf(tesseraId),
      new Map(rows.map((row) => [nameOf(row), row])),
    );
  }

  /** Says what becomes of a record; those judged before count. */
  judge(row: PointerRow): Verdict {
    const known = this.#known.get(keyOf(row.tesseraId));
    assert(known !== undefined, "a key is learnt before it is judged by");
    const before = known.get(nameOf(row));
    if (before !== undefined) {
      if (before.sequence > row.sequence) return "stale";
      if (before.sequence === row.sequence) return "known";
    } else if (!this.#hasRoom(known, row)) return "over_bound";
    // Whoever moves to another subnet takes a place there.
    const isThere = before !== undefined && before.subnet === row.subnet;
    if (!isThere && !this.#subnetHasRoom(known, row)) return "over_subnet";
    if (before !== undefined) this.#count(before, -1);
    this.#count(row, 1);
    known.set(nameOf(row), row);
    this.kept.push(row);
    return "kept";
  }

  #hasRoom(known: ReadonlyMap<string, Known>, { holder }: Origin): boolean {
    if (known.size >= PROVIDERS_PER_KEY_MAX) return false;
    const name = keyOf(holder);
    const plans = [...known.keys()].filter((key) => key.startsWith(name));
    if (plans.length >= PLANS_PER_HOLDER_MAX) return false;
    const count = this.#tally.ofHolder(holder) + this.#fresh.ofHolder(holder);
    return count < this.#limits.perHolderMax;
  }

  #subnetHasRoom(
    known: ReadonlyMap<string, Known>,
    { subnet }: Origin,
  ): boolean {
    if (subnet === undefined) return true;
    const { perSubnetMax, perKeyAndSubnetMax } = this.#limits;
    const count = this.#tally.ofSubnet(subnet) + this.#fresh.ofSubnet(subnet);
    if (count >= perSubnetMax) return false;
    let here = 0;
    for (const one of known.values()) if (one.subnet === subnet) here++;
    return here < perKeyAndSubnetMax;
  }

  #count(origin: Origin, change: 1 | -1): void {
    this.#fresh.add(origin, change);
    this.changes.push({ origin, change });
  }
}

type Known = Origin & { readonly sequence: number };

function nameOf(row: PointerRow): string {
  return `${keyOf(row.holder)}/${keyOf(row.planHash)}`;
}

function addTo(
  counts: Map<string, number>,
  name: string,
  change: 1 | -1,
): void {
  const count = (counts.get(name) ?? 0) + change;
  // Zeroes go, or every holder that ever came by would stay in memory; below it a message counts what it takes back.
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
