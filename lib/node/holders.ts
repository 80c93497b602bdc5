/** What is known of the holders of a plan during one look, from what was written down before to what is written down after. */
import { keyOf, type NodeId } from "@tesseras/core";
import {
  type Keeping,
  observe,
  type Patience,
  presenceOf,
  SAMPLING_DEFAULTS,
  type Standing,
} from "@tesseras/preservation";
import type {
  AuditRow,
  PlacementMark,
  PlacementRow,
  State,
} from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import type { Attestation } from "./attest.ts";
import { type AuditResult, observationOf } from "./audit.ts";
import type { Node } from "./node.ts";
import { placedAt } from "./placed.ts";
import { newestOf, type Provider } from "./pointers.ts";
import { latestOf } from "./uplink.ts";

/** What a holder answered. */
export type Asked = {
  readonly known: Known;
  readonly word: Attestation;
  /** How its audits ended, by index. */
  readonly audited?: ReadonlyMap<number, AuditResult>;
};

type Parts = {
  readonly node: Node;
  readonly state: State;
  readonly plan: Plan;
  readonly patience: Patience;
};

/** How many times as many holders as fragments are asked: whoever makes many up must not keep us busy for ever. */
const HOLDERS_TIMES = 3;
/** How much longer than the longest grace somebody silent is remembered, in whose place nobody has come. */
const REMEMBERED_TIMES = 4;

/** One holder. */
export class Known {
  readonly record: NodeRecord;
  readonly rows = new Map<number, PlacementRow>();
  readonly standings = new Map<number, Standing>();
  claim: Provider | undefined;

  constructor(record: NodeRecord) {
    this.record = record;
  }

  /**
   * How many audits it owes before its word counts: none after it proved the fragment once and has answered since; a week's
   * number after it was lost, for then a part of it may be there; never enough after a wrong proof.
   */
  auditsOwed(index: number): number {
    const standing = this.standings.get(index);
    switch (standing?.is) {
      case "attested":
        return 0;
      case "unproved":
        return standing.neverProved || standing.evasionCount > 0 ? 1 : 0;
      case "lost":
        return standing.why === "failedAudit"
          ? 0
          : SAMPLING_DEFAULTS.auditCount;
      default:
        return 1;
    }
  }
}

/** The holders of one plan, ourselves left out. */
export class Holders {
  readonly #parts: Parts;
  readonly #known = new Map<string, Known>();

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads what was written down. @throws as the state */
  static async read(parts: Parts, signal: AbortSignal): Promise<Holders> {
    const { node, state, plan } = parts;
    const failed = new Map(
      (await state.care.audits(plan.hash, signal))
        .filter(({ outcome }) => outcome === "failed")
        .map((row) => [nameOf(row), row]),
    );
    const holders = new Holders(parts);
    const rows = await state.care.placements(plan.hash, signal);
    const byHolder = Map.groupBy(rows, ({ holder }) => keyOf(holder));
    byHolder.delete(keyOf(node.id));
    for (const [key, ofHolder] of byHolder) {
      const record = placedAt(node, ofHolder);
      if (record === undefined) continue;
      const known = new Known(record);
      for (const row of ofHolder) {
        if (row.index >= plan.fragments.length) continue;
        known.rows.set(row.index, row);
        known.standings.set(
          row.index,
          standingOf(row, failed.get(nameOf(row))),
        );
      }
      holders.#known.set(key, known);
    }
    return holders;
  }

  /** Takes notice of a record that somebody keeps something. */
  claimed(claim: Provider): void {
    const key = keyOf(claim.holder.id);
    const before = this.#known.get(key);
    const max = HOLDERS_TIMES * this.#parts.plan.fragments.length;
    if (before === undefined && this.toAsk(false).length >= max) {
      return this.#parts.node.runtime.counters.add("care.holders_left");
    }
    // Where it is now, not where it was when it was written down.
    const known = new Known(latestOf(claim.holder, before?.record));
    before?.rows.forEach((row, index) => known.rows.set(index, row));
    before?.standings.forEach((one, index) => known.standings.set(index, one));
    known.claim = before?.claim === undefined
      ? claim
      : newestOf(before.claim, claim);
    this.#known.set(key, known);
  }

  /** Whom to ask: everybody who may keep something, or only those who have been silent. */
  toAsk(onlySilent: boolean): readonly Known[] {
    return [...this.#known.values()].filter(({ standings, claim }) => {
      const all = [...standings.values()];
      return onlySilent
        ? all.some(({ is }) => is === "unproved")
        : claim !== undefined || all.some(({ is }) => is !== "lost");
    });
  }

  /** The record of a holder that is known. */
  recordOf(id: NodeId): NodeRecord | undefined {
    return this.#known.get(keyOf(id))?.record;
  }

  /** Keys of those who could not prove something lately, or ever: nothing more is given to them. */
  doubtful(): ReadonlySet<string> {
    const isDoubtful = (standing: Standing): boolean =>
      standing.is === "unproved" ||
      standing.is === "lost" && standing.why === "failedAudit";
    const keys = [...this.#known]
      .filter(([, { standings }]) => [...standings.values()].some(isDoubtful))
      .map(([key]) => key);
    return new Set(keys);
  }

  /** What all of them keep, as far as it is known. */
  keepings(): readonly Keeping[] {
    const { node } = this.#parts;
    return [...this.#known.values()].flatMap(({ record, standings }) => {
      const holder = { id: record.id, subnet: node.asMet(record).subnet };
      return [...standings].map(([index, standing]) => ({
        index,
        holder,
        standing,
      }));
    });
  }

  /** Since when the first has been silent of those who may still be back within the usual grace. */
  silentSinceMs(nowMs: number): number | undefined {
    const since = [...this.#known.values()]
      .flatMap(({ standings }) => [...standings.values()])
      .flatMap((one) => one.is === "unproved" ? one.sinceMs : [])
      .filter((ms) => nowMs - ms <= this.#parts.patience.graceMs);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** Writes down what those who were asked said, and what has come of those who were not. @throws as the state */
  async note(
    asked: readonly Asked[],
    nowMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { care } = this.#parts.state;
    const rows: PlacementRow[] = [];
    const audits: AuditRow[] = [];
    for (const one of asked) {
      rows.push(...this.#observed(one, nowMs));
      audits.push(...this.#auditOf(one, nowMs));
    }
    if (rows.length > 0) await care.putPlacements(rows, signal);
    if (audits.length > 0) await care.putAudits(audits, signal);
    const marks = this.#replaced(nowMs);
    if (marks.length > 0) await care.markPlacements(marks, signal);
  }

  /** Changes the standings of one holder, and gives the rows that say so. */
  #observed(
    { known, word, audited }: Asked,
    nowMs: number,
  ): readonly PlacementRow[] {
    const { plan, patience, node } = this.#parts;
    const rows: PlacementRow[] = [];
    const named = word.answer === "keeps" ? word.indices : [];
    const claimed = known.claim?.record.indices ?? [];
    for (const index of new Set([...known.rows.keys(), ...named, ...claimed])) {
      if (index >= plan.fragments.length) continue;
      const before = known.standings.get(index);
      const seen = observationOf(index, word, audited?.get(index));
      // Nothing is lost that nobody here counted on.
      if (
        seen === "saidLost" && (before === undefined || before.is === "lost")
      ) {
        continue;
      }
      const after = observe(before, seen, nowMs, patience);
      if (after === before) continue;
      if (after.is === "lost" && before?.is !== "reported") {
        node.runtime.counters.add("care.losses");
      }
      known.standings.set(index, after);
      rows.push(this.#rowOf({ known, index, standing: after }));
    }
    return rows;
  }

  #rowOf({ known, index, standing }: {
    readonly known: Known;
    readonly index: number;
    readonly standing: Standing;
  }): PlacementRow {
    const { plan } = this.#parts;
    const { record, claim } = known;
    // One that only its record speaks for gave its word when it signed that.
    const wordMs = claim?.record.sequence ?? record.sequence;
    const { silence: _over, provedSinceMs, ...row }: PlacementRow = known.rows
      .get(index) ?? {
      planHash: plan.hash,
      index,
      holder: record.id,
      record: record.bytes,
      bytes: 0,
      ackedAtMs: wordMs,
      lastSeenMs: wordMs,
      lostAtMs: undefined,
    };
    switch (standing.is) {
      case "attested":
        return {
          ...row,
          record: record.bytes,
          bytes: plan.shardBytes,
          ackedAtMs: standing.atMs,
          lastSeenMs: standing.atMs,
          lostAtMs: undefined,
          provedSinceMs: standing.sinceMs ?? standing.atMs,
        };
      case "unproved": {
        const { is: _is, neverProved, ...silence } = standing;
        return neverProved || provedSinceMs === undefined
          ? { ...row, silence }
          : { ...row, silence, provedSinceMs };
      }
      case "lost":
        return { ...row, lostAtMs: standing.atMs };
      case "reported":
        return { ...row, bytes: 0, lostAtMs: undefined };
    }
  }

  #auditOf({ known, audited }: Asked, atMs: number): readonly AuditRow[] {
    const { hash: planHash } = this.#parts.plan;
    const holder = known.record.id;
    return [...audited ?? []].flatMap(([index, result]) => {
      // A failed one stays what is known, until the whole fragment is stored again.
      const standing = known.standings.get(index);
      const isOver = standing?.is === "lost" &&
        standing.why === "failedAudit" && result.outcome !== "failed";
      return isOver ? [] : [{ planHash, index, holder, atMs, ...result }];
    });
  }

  /** Those who have been silent for so long, and are replaced or never proved anything, are counted on no more; others only much later. */
  #replaced(nowMs: number): readonly PlacementMark[] {
    const { plan, patience } = this.#parts;
    const graceMs = patience.calmGraceMs;
    const proved = new Set<number>();
    for (const { standings } of this.#known.values()) {
      for (const [index, { is }] of standings) {
        if (is === "attested") proved.add(index);
      }
    }
    const marks: PlacementMark[] = [];
    for (const { record, standings } of this.#known.values()) {
      for (const [index, standing] of standings) {
        if (standing.is !== "unproved") continue;
        const presence = presenceOf(standing, nowMs, { graceMs, patience });
        const isOld = nowMs - standing.sinceMs > REMEMBERED_TIMES * graceMs;
        const isOver = proved.has(index) || isOld || standing.neverProved;
        if (presence !== "gone" || !isOver) continue;
        standings.set(index, { is: "lost", why: "said", atMs: nowMs });
        const holder = record.id;
        marks.push({ planHash: plan.hash, index, holder, lostAtMs: nowMs });
      }
    }
    return marks;
  }
}

function nameOf(
  { index, holder }: { readonly index: number; readonly holder: NodeId },
): string {
  return `${index} ${keyOf(holder)}`;
}

/** What a row says about a fragment at a holder. */
function standingOf(row: PlacementRow, failed: AuditRow | undefined): Standing {
  const { lostAtMs, silence, lastSeenMs, ackedAtMs, provedSinceMs } = row;
  if (lostAtMs !== undefined) {
    const isProven = failed !== undefined && ackedAtMs <= failed.atMs;
    const why = isProven ? "failedAudit" : "said";
    return { is: "lost", why, atMs: lostAtMs };
  }
  if (silence !== undefined) {
    const never = provedSinceMs === undefined
      ? { neverProved: true } as const
      : {};
    return { is: "unproved", ...silence, ...never };
  }
  return provedSinceMs === undefined
    ? { is: "reported", atMs: lastSeenMs }
    : { is: "attested", atMs: lastSeenMs, sinceMs: provedSinceMs };
}
