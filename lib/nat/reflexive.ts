/** What a node looks like from outside, learned from what its peers report: no server is asked, and no peer is believed alone. */
import { type Address, formatAddress, subnetOf } from "@tesseras/core";
import {
  REFLEXIVE_REPORTERS_MIN,
  REFLEXIVE_REPORTS_MAX,
  REFLEXIVE_SUBNETS_MIN,
} from "@tesseras/core/limits";
import type { NatKind } from "./kind.ts";
import { type Family, familyOf, isPlausible, type Realm } from "./plausible.ts";

/** One peer's word on where our packets come from. */
export type Report = {
  /** The peer's id as text. */
  readonly reporter: string;
  /** The connection it speaks on; the report dies with it. Compared by identity. */
  readonly connection: object;
  /** Where the peer is: who is in one subnet counts for one. */
  readonly from: Address;
  /** Where it says that we are. */
  readonly observed: Address;
};

/** What became of a report. */
export type ReportVerdict =
  | "taken"
  /** Nobody can have that address, or not in the family the report came over. */
  | "implausible"
  /** As many peers as are listened to have spoken, and they are not gone. */
  | "full";

/** What the reports of one family say together. */
export type Outlook = {
  /** By the reports alone: `public` is known only by comparing with one's own addresses, see {@link kindOf}. */
  readonly mapping: "cone" | "symmetric" | "unknown";
  /** Enough peers in enough subnets agree: fit for the node record. */
  readonly confirmed: Address | undefined;
  /** Two in different subnets agree: fit for trying a punch. The same as `confirmed` where there is one. */
  readonly likely: Address | undefined;
  readonly reporterCount: number;
  readonly subnetCount: number;
};

/** Those who say the same. */
type Camp = {
  readonly address: Address;
  readonly subnets: Set<string>;
  reporterCount: number;
};

/**
 * The reports of every peer with a connection, the latest of each, IPv4 and IPv6 apart.
 *
 * A liar gains little: it has one voice, all liars of one subnet count as one subnet, and an address needs more than half of all
 * subnets heard to be believed. Who has more subnets than all honest peers of a node can name its address, and so make others knock at
 * a wrong door; it cannot make a connection go to somebody else, because those are pinned.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * const reports = new ReflexiveReports("internet");
 * const observed = { ip: "93.184.216.34", port: 40000 };
 * for (const ip of ["5.1.1.1", "5.1.1.2", "9.1.1.1"]) {
 *   reports.take({ reporter: ip, connection: {}, from: { ip, port: 4433 }, observed });
 * }
 * assertEquals(reports.outlook(4).confirmed, observed);
 * ```
 */
export class ReflexiveReports {
  readonly #realm: Realm;
  readonly #byReporter: { readonly [F in Family]: Map<string, Report> } = {
    4: new Map(),
    6: new Map(),
  };

  constructor(realm: Realm) {
    this.#realm = realm;
  }

  /** Weighs a report. The latest of a peer replaces the one before, over whichever connection it comes. */
  take(report: Report): ReportVerdict {
    const { observed, from, reporter } = report;
    const family = familyOf(observed);
    if (familyOf(from) !== family || !isPlausible(observed, this.#realm)) {
      return "implausible";
    }
    const reports = this.#byReporter[family];
    if (!reports.has(reporter) && reports.size >= REFLEXIVE_REPORTS_MAX) {
      return "full";
    }
    reports.set(reporter, report);
    return "taken";
  }

  /** Forgets what was said over a connection that is over: a NAT may have given its mapping to somebody else since. */
  ended(connection: object): void {
    for (const reports of Object.values(this.#byReporter)) {
      for (const [reporter, report] of reports) {
        if (report.connection === connection) reports.delete(reporter);
      }
    }
  }

  /** Forgets everything: our own address changed, so nothing said before is about it. */
  clear(): void {
    for (const reports of Object.values(this.#byReporter)) reports.clear();
  }

  /** What is known of our address in a family. */
  outlook(family: Family): Outlook {
    const reports = [...this.#byReporter[family].values()];
    const camps = campsOf(reports);
    const subnetCount = new Set(reports.map(({ from }) => subnetOf(from.ip)))
      .size;
    const counts = { reporterCount: reports.length, subnetCount };
    const best = camps[0];
    if (best === undefined) {
      return {
        mapping: "unknown",
        confirmed: undefined,
        likely: undefined,
        ...counts,
      };
    }
    const isAgreed = best.subnets.size >= REFLEXIVE_SUBNETS_MIN &&
      2 * best.subnets.size > subnetCount;
    const isConfirmed = isAgreed &&
      best.reporterCount >= REFLEXIVE_REPORTERS_MIN;
    return {
      mapping: isAgreed ? "cone" : disagrees(best, counts),
      confirmed: isConfirmed ? best.address : undefined,
      likely: isAgreed ? best.address : undefined,
      ...counts,
    };
  }
}

/**
 * A node's NAT kind, from what peers say and what it knows itself.
 *
 * @param own where its socket is bound, interface by interface
 * @param strangerSubnetCount subnets from which peers reached it that it had never sent a packet to
 */
export function kindOf(
  outlook: Outlook,
  own: readonly Address[],
  strangerSubnetCount: number,
): NatKind {
  const { likely, mapping } = outlook;
  if (likely === undefined) return mapping;
  const seen = formatAddress(likely);
  if (own.some((address) => formatAddress(address) === seen)) return "public";
  // A router that forwards the port, or lets everybody in: whoever knows the address can dial it.
  return strangerSubnetCount >= REFLEXIVE_SUBNETS_MIN ? "public" : mapping;
}

/** Who says the same, those with the most subnets first, then the most reporters; a tie goes by the address, so that it is no accident. */
function campsOf(reports: readonly Report[]): readonly Camp[] {
  const camps = new Map<string, Camp>();
  for (const { observed, from } of reports) {
    const key = formatAddress(observed);
    const camp = camps.get(key) ??
      { address: observed, subnets: new Set<string>(), reporterCount: 0 };
    camp.subnets.add(subnetOf(from.ip));
    camp.reporterCount++;
    camps.set(key, camp);
  }
  return [...camps].sort(([a, one], [b, other]) =>
    other.subnets.size - one.subnets.size ||
    other.reporterCount - one.reporterCount || (a < b ? -1 : 1)
  ).map(([, camp]) => camp);
}

/** Where enough have spoken and most contradict one another, each sees a port of its own. A few who agree leave it open: they may sit in one subnet. */
function disagrees(
  best: Camp,
  { reporterCount, subnetCount }: {
    readonly reporterCount: number;
    readonly subnetCount: number;
  },
): "symmetric" | "unknown" {
  return reporterCount >= REFLEXIVE_REPORTERS_MIN &&
      subnetCount >= REFLEXIVE_SUBNETS_MIN &&
      2 * best.subnets.size <= subnetCount &&
      2 * best.reporterCount <= reporterCount
    ? "symmetric"
    : "unknown";
}
