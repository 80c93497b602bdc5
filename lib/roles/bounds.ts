/** Which provider records a keeper takes: pure judgement of one message against what is there. */
import {
  assert,
  equal,
  keyOf,
  type NodeId,
  type TesseraId,
} from "@tesseras/core";
import {
  FRAGMENTS_MAX,
  PROVIDERS_PER_HOLDER_MAX,
  PROVIDERS_PER_KEY_AND_SUBNET_MAX,
  PROVIDERS_PER_KEY_MAX,
  PROVIDERS_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import { newestOf, type Provider } from "@tesseras/node";
import type { PointerKey, PointerRow } from "@tesseras/state";

/** Plans of one tessera that one holder may point to: a creator cuts a tessera anew at most now and then. */
const PLANS_PER_HOLDER_MAX = 4;
/** Begins the subnet of a record that another than its holder brought. */
const VIA = "via ";

/**
 * What becomes of a record: kept; known, since somebody else brought the same; older than what is kept; over the bound of its key or
 * holder; or over that of the subnet it was brought from.
 */
export type Verdict = "kept" | "known" | "stale" | "over_bound" | "over_subnet";

/** How many records a keeper takes. */
export type BoundLimits = {
  readonly perHolderMax: number;
  /** Brought by the holders of one subnet, and as many by others there. Infinite where subnets say nothing, as in a cluster on one machine. */
  readonly perSubnetMax: number;
  /** Of one key, brought by the holders of one subnet. */
  readonly perKeyAndSubnetMax: number;
  /** Of one key, brought from one subnet by others than their holders: a publisher brings those of every fragment. */
  readonly perKeyAndBearerMax: number;
};

/** What a keeper takes where nothing else is said. */
export const BOUND_DEFAULTS: BoundLimits = {
  perHolderMax: PROVIDERS_PER_HOLDER_MAX,
  perSubnetMax: PROVIDERS_PER_SUBNET_MAX,
  perKeyAndSubnetMax: PROVIDERS_PER_KEY_AND_SUBNET_MAX,
  perKeyAndBearerMax: FRAGMENTS_MAX,
};

/** Whose record it is, as far as bounds go. */
export type Origin = {
  readonly holder: NodeId;
  readonly subnet: string | undefined;
};

/**
 * What a record counts for: the subnet it was brought from, which the connection shows. What the record itself says of addresses
 * could use up the share of anybody's subnet. Who vouches for others has a share apart, so that it is nobody's own who is there.
 */
export function originOf(
  holder: NodeId,
  bearer: { readonly id: NodeId; readonly subnet: string | undefined },
): Origin {
  const { id, subnet } = bearer;
  const isOwn = subnet === undefined || equal(id, holder);
  return { holder, subnet: isOwn ? subnet : VIA + subnet };
}

/** Whether another than its holder brought a record. Such a one goes first where there is no room: its holder can bring it again. */
export function isHearsay({ subnet }: Origin): boolean {
  return subnet?.startsWith(VIA) ?? false;
}

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

  /** Records that count for a subnet. */
  ofSubnet(subnet: string): number {
    return this.#subnets.get(subnet) ?? 0;
  }
}

/** Judges the records of one message against the bounds of each key, holder and subnet. */
export class Bounds {
  /** What they change in the {@link Tally}, once they are written. */
  readonly changes: { readonly origin: Origin; readonly change: 1 | -1 }[] = [];
  readonly #tally: Tally;
  readonly #limits: BoundLimits;
  readonly #kept = new Map<string, PointerRow>();
  readonly #displaced = new Map<string, PointerKey>();
  /** Those of this message alone. */
  readonly #fresh = new Tally();
  /** By tessera, then by holder and plan. */
  readonly #known = new Map<string, Siblings>();
  readonly #read: (row: PointerRow) => Provider | undefined;

  /** @param read what a record that is kept says; `undefined` when it does not hold */
  constructor(
    tally: Tally,
    limits: BoundLimits,
    read: (row: PointerRow) => Provider | undefined,
  ) {
    this.#tally = tally;
    this.#limits = limits;
    this.#read = read;
  }

  /** Those to write. */
  get kept(): readonly PointerRow[] {
    return [...this.#kept.values()];
  }

  /** Those to remove before. */
  get displaced(): readonly PointerKey[] {
    return [...this.#displaced.values()];
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
  judge(provider: Provider, origin: Origin): Verdict {
    const { tesseraId, holder, planHash, sequence } = provider.record;
    const known = this.#known.get(keyOf(tesseraId));
    assert(known !== undefined, "a key is learnt before it is judged by");
    const name = nameOf({ holder, planHash });
    const before = known.get(name);
    if (before === undefined) {
      if (!this.#subnetHasRoom(known, origin)) return "over_subnet";
      if (!this.#holderHasRoom(known, origin)) return "over_bound";
      if (!this.#keyHasRoom(known, origin)) return "over_bound";
      this.#keep(known, rowOf(provider, origin.subnet));
      return "kept";
    }
    if (before.sequence > sequence) return "stale";
    // Who spoke for itself once is not made hearsay by others.
    const subnet = isHearsay(origin) ? before.subnet : origin.subnet;
    const isThere = before.subnet === subnet;
    const row = rowOf(this.#newest(before, provider), subnet);
    if (isThere && isSame(before, row)) return "known";
    // Whoever moves to another subnet takes a place there.
    if (!isThere && !this.#subnetHasRoom(known, row)) return "over_subnet";
    this.#count(before, -1);
    this.#keep(known, row);
    return "kept";
  }

  #newest(before: PointerRow, provider: Provider): Provider {
    const kept = this.#read(before);
    return kept === undefined ? provider : newestOf(kept, provider);
  }

  #keep(known: Siblings, row: PointerRow): void {
    this.#count(row, 1);
    known.set(nameOf(row), row);
    this.#kept.set(pathOf(row), row);
  }

  #holderHasRoom(known: Siblings, { holder }: Origin): boolean {
    const name = keyOf(holder);
    const plans = [...known.keys()].filter((key) => key.startsWith(name));
    if (plans.length >= PLANS_PER_HOLDER_MAX) return false;
    const count = this.#tally.ofHolder(holder) + this.#fresh.ofHolder(holder);
    return count < this.#limits.perHolderMax;
  }

  /** Where a key is full, who speaks for itself takes the place of the oldest hearsay: that can be invented for any holder one likes. */
  #keyHasRoom(known: Siblings, origin: Origin): boolean {
    if (known.size < PROVIDERS_PER_KEY_MAX) return true;
    if (isHearsay(origin)) return false;
    let oldest: PointerRow | undefined;
    for (const row of known.values()) {
      if (!isHearsay(row)) continue;
      if (oldest === undefined || row.sequence < oldest.sequence) oldest = row;
    }
    if (oldest === undefined) return false;
    known.delete(nameOf(oldest));
    this.#kept.delete(pathOf(oldest));
    this.#displaced.set(pathOf(oldest), oldest);
    this.#count(oldest, -1);
    return true;
  }

  #subnetHasRoom(known: Siblings, origin: Origin): boolean {
    const { subnet } = origin;
    if (subnet === undefined) return true;
    const { perSubnetMax, perKeyAndSubnetMax, perKeyAndBearerMax } =
      this.#limits;
    const count = this.#tally.ofSubnet(subnet) + this.#fresh.ofSubnet(subnet);
    if (count >= perSubnetMax) return false;
    let here = 0;
    for (const one of known.values()) if (one.subnet === subnet) here++;
    return here < (isHearsay(origin) ? perKeyAndBearerMax : perKeyAndSubnetMax);
  }

  #count({ holder, subnet }: Origin, change: 1 | -1): void {
    const origin = { holder, subnet };
    this.#fresh.add(origin, change);
    this.changes.push({ origin, change });
  }
}

/** What is kept of one tessera. */
type Siblings = Map<string, PointerRow>;

function rowOf(
  { record, holder }: Provider,
  subnet: string | undefined,
): PointerRow {
  return {
    tesseraId: record.tesseraId,
    holder: record.holder,
    planHash: record.planHash,
    record: record.bytes,
    holderRecord: holder.bytes,
    subnet,
    sequence: record.sequence,
    // The address must be good for as long as the pointer is followed.
    expiresAtMs: Math.min(record.expiresAtMs, holder.expiresAtMs),
  };
}

function isSame(a: PointerRow, b: PointerRow): boolean {
  return equal(a.record, b.record) && equal(a.holderRecord, b.holderRecord);
}

function pathOf(key: PointerKey): string {
  return `${keyOf(key.tesseraId)}/${nameOf(key)}`;
}

function nameOf(
  { holder, planHash }: Pick<PointerKey, "holder" | "planHash">,
): string {
  return `${keyOf(holder)}/${keyOf(planHash)}`;
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
