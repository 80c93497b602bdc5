/**
 * Asking everybody to forget: a tombstone of ours goes to every known holder, again to those who were away, and to those who
 * turn up later, until it runs out. What comes of it is written down; copies that others made cannot be recalled.
 */
import {
  codeOf,
  equal,
  keyOf,
  mapBounded,
  messageOf,
  type NodeId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { CLOCK_SKEW_MS } from "@tesseras/core/limits";
import type {
  CoverageRow,
  State,
  TombstoneKey,
  TombstoneRow,
} from "@tesseras/state";
import { checkTombstoneFresh } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";
import { findProviders } from "./providers.ts";

/** What happens while holders are told. */
export type ForgetEvent =
  | { readonly type: "holders"; readonly holderCount: number }
  | { readonly type: "confirmed"; readonly holder: NodeId }
  | {
    readonly type: "unconfirmed";
    readonly holder: NodeId;
    readonly reason: string;
  };

/** What a {@link Forgetter} works with. */
export type ForgetterParts = {
  readonly node: Node;
  readonly state: Pick<State, "care">;
};

/** Holders told at once. */
const TOLD_PARALLEL = 4;
/** How long one holder may take, with a look for where it is: it verifies two signatures and syncs its database. */
const ANSWER_MS = 30_000;
/** How long all of them may take together: liars may name many who are not there. */
const ROUND_MS = 5 * 60_000;
/** Holders of one tombstone that are remembered, 1 KB each: liars may name more, and those noted at publishing come first. */
const HOLDERS_MAX = 2_000;
/** How often it is looked what is due. */
const LOOK_MS = 60_000;
/** The first pause before those are told again who were not reached; it doubles. */
const PAUSE_MS = 5 * 60_000;
/** The longest, and the one after a round in which everybody confirmed: repairers that did not know may have placed fragments since. */
const PAUSE_MAX_MS = 24 * 3_600_000;

/** What came of asking a holder. */
type Said =
  | { readonly peer: NodeRecord; readonly reason: undefined }
  | {
    readonly reason: string;
    /** Whether the holder itself said so. */
    readonly isAnswer: boolean;
  };

/** Tells holders of our tombstones. */
export class Forgetter {
  readonly #parts: ForgetterParts;
  /** When each tombstone is due again, monotonic, and rounds in a row that left somebody out; unknown after a start, and so due. */
  readonly #due = new Map<string, { atMs: number; failureCount: number }>();

  constructor(parts: ForgetterParts) {
    this.#parts = parts;
  }

  /**
   * Tells every holder that has not confirmed: those written down, and those a lookup finds.
   *
   * @returns how far it has come
   * @throws `missing` for a tombstone that is not ours, `refused` when its time is up, and as the state
   */
  async tell(
    key: TombstoneKey,
    onEvent: (event: ForgetEvent) => void,
    signal: AbortSignal,
  ): Promise<readonly CoverageRow[]> {
    const { node, state } = this.#parts;
    // From here on, so that the rounds leave it to us meanwhile.
    this.#schedule(key, undefined);
    const tombstone = await state.care.tombstone(key, signal);
    if (tombstone === undefined || !tombstone.isOurs) {
      throw new TesserasError(
        "missing",
        `Cannot ask holders to forget ${
          toHex(key.tesseraId)
        }: there is no tombstone of ours`,
      );
    }
    checkTombstoneFresh(tombstone, node.runtime.clock.nowMs());
    await this.#forgetHere(tombstone, signal);
    const waiting = await this.#waiting(tombstone, signal);
    onEvent({ type: "holders", holderCount: waiting.length });
    await this.#tellAll(tombstone, waiting, onEvent, signal);
    const coverage = await state.care.coverage(key, signal);
    this.#schedule(key, coverage);
    return coverage;
  }

  /** Those who are left when the time is up are told in the next round. */
  async #tellAll(
    tombstone: TombstoneRow,
    waiting: readonly CoverageRow[],
    onEvent: (event: ForgetEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#parts.node.runtime;
    using deadline = clock.deadline(ROUND_MS, signal);
    try {
      await mapBounded(
        waiting,
        TOLD_PARALLEL,
        async (row, laneSignal) =>
          onEvent(await this.#tellOne(tombstone, row, laneSignal)),
        deadline.signal,
      );
    } catch (error) {
      if (signal.aborted || codeOf(error) !== "timeout") throw error;
    }
  }

  /** Tells again whoever is due, and forgets tombstones that ran out, until the signal aborts. */
  async runForever(signal: AbortSignal): Promise<void> {
    const { clock, counters, log } = this.#parts.node.runtime;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      try {
        await this.#round(signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        // A database that is busy now is not busy for ever.
        counters.add("tombstone.round_failed");
        log.warn("tombstone.round_failed", { reason: messageOf(error) });
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { node, state } = this.#parts;
    const { clock } = node.runtime;
    await state.care.expireTombstones(clock.nowMs(), signal);
    const rows = await state.care.ownTombstones(signal);
    const names = new Set(rows.map(nameOf));
    for (const name of this.#due.keys()) {
      if (!names.has(name)) this.#due.delete(name);
    }
    for (const row of rows) {
      const due = this.#due.get(nameOf(row));
      if (due !== undefined && clock.monotonicMs() < due.atMs) continue;
      await this.tell(row, () => {}, signal);
    }
  }

  /** Pauses double while somebody has not confirmed. @param coverage `undefined` when nothing is known yet */
  #schedule(
    key: TombstoneKey,
    coverage: readonly CoverageRow[] | undefined,
  ): void {
    const { clock, random } = this.#parts.node.runtime;
    const name = nameOf(key);
    const isDone = coverage?.every(isConfirmed) ?? false;
    const failureCount = this.#due.get(name)?.failureCount ?? 0;
    const pauseMs = isDone
      ? PAUSE_MAX_MS
      : Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(failureCount, 16));
    this.#due.set(name, {
      // A tenth sooner or later, so that many who wait for one holder do not come together.
      atMs: clock.monotonicMs() + 0.9 * pauseMs +
        random.below(Math.floor(pauseMs / 5)),
      failureCount: isDone
        ? 0
        : failureCount + (coverage === undefined ? 0 : 1),
    });
  }

  /** We may be one of the holders. */
  async #forgetHere(
    { bytes }: TombstoneRow,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const request = { type: "forget", tombstone: bytes } as const;
      await this.#parts.node.askSelf(request, signal);
    } catch (error) {
      const code = codeOf(error);
      // No role of ours keeps anything, or what we keep is somebody else's.
      if (code !== "refused" && code !== "forged") throw error;
    }
  }

  /** Those to tell now, all of them written down. */
  async #waiting(
    key: TombstoneKey,
    signal: AbortSignal,
  ): Promise<readonly CoverageRow[]> {
    const { node, state } = this.#parts;
    const known = new Map<string, CoverageRow>();
    for (const row of await state.care.coverage(key, signal)) {
      known.set(keyOf(row.holder), row);
    }
    const back = new Set<string>();
    const changed = new Map<string, CoverageRow>();
    const { tesseraId, creator } = key;
    for (const found of await findProviders(node, tesseraId, signal)) {
      const { id, bytes } = found.holder;
      const name = keyOf(id);
      if (equal(id, node.id)) continue;
      const before = known.get(name);
      if (before === undefined && known.size >= HOLDERS_MAX) continue;
      // Since it forgot, somebody who did not know has brought it a fragment.
      const confirmedAtMs = before?.confirmedAtMs ?? Infinity;
      if (found.record.sequence > confirmedAtMs + CLOCK_SKEW_MS) back.add(name);
      const row = {
        tesseraId,
        creator,
        holder: id,
        toldAtMs: before?.toldAtMs,
        confirmedAtMs: before?.confirmedAtMs,
        record: bytes,
      };
      known.set(name, row);
      changed.set(name, row);
    }
    await state.care.putCoverage([...changed.values()], signal);
    return [...known].filter(([name, row]) =>
      !isConfirmed(row) || back.has(name)
    ).map(([, row]) => row);
  }

  async #tellOne(
    { bytes }: TombstoneRow,
    row: CoverageRow,
    signal: AbortSignal,
  ): Promise<ForgetEvent> {
    const { node, state } = this.#parts;
    const { clock, counters } = node.runtime;
    const { holder } = row;
    const said = await this.#ask(row, bytes, signal);
    const atMs = clock.nowMs();
    if (said.reason === undefined) {
      counters.add("tombstone.confirmed");
      const confirmed = { toldAtMs: atMs, confirmedAtMs: atMs };
      await state.care.putCoverage([{
        ...row,
        record: said.peer.bytes,
        ...confirmed,
      }], signal);
      return { type: "confirmed", holder };
    }
    counters.add("tombstone.unheard");
    if (said.isAnswer) {
      await state.care.putCoverage([{ ...row, toldAtMs: atMs }], signal);
    }
    return { type: "unconfirmed", holder, reason: said.reason };
  }

  async #ask(
    row: CoverageRow,
    tombstone: Uint8Array,
    signal: AbortSignal,
  ): Promise<Said> {
    const { node } = this.#parts;
    const { holder, record } = row;
    try {
      using deadline = node.runtime.clock.deadline(ANSWER_MS, signal);
      const known = node.table.get(holder) ?? node.readRecords([record])[0];
      const said = known && await this.#say(known, tombstone, deadline.signal);
      if (said !== undefined) return said;
      const found = await this.#find(holder, deadline.signal);
      const isNews = found.sequence > (known?.sequence ?? 0);
      const again = isNews &&
        await this.#say(found, tombstone, deadline.signal);
      return again || { reason: UNREACHED, isAnswer: false };
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted || code === undefined) throw error;
      // Our own limits refuse, too; whoever answered is still connected.
      const isAnswer = code !== "unreachable" && code !== "timeout" &&
        node.peers.remoteOf(holder) !== undefined;
      return { reason: messageOf(error), isAnswer };
    }
  }

  /** @returns `undefined` when nobody is there. @throws what else goes wrong */
  async #say(
    peer: NodeRecord,
    tombstone: Uint8Array,
    signal: AbortSignal,
  ): Promise<Said | undefined> {
    try {
      const request = { type: "forget", tombstone } as const;
      await this.#parts.node.ask(peer, request, {}, signal);
      return { peer, reason: undefined };
    } catch (error) {
      if (signal.aborted || codeOf(error) !== "unreachable") throw error;
      return undefined;
    }
  }

  /** Where a holder is now: what was written down may be long out of time. @throws `unreachable` */
  async #find(holder: NodeId, signal: AbortSignal): Promise<NodeRecord> {
    const { node } = this.#parts;
    const { closest } = await findNodes(node, holder, { count: 1 }, signal);
    const found = closest.find(({ id }) => equal(id, holder));
    if (found !== undefined) return found;
    throw new TesserasError("unreachable", UNREACHED);
  }
}

/** What is said of a holder that is nowhere. */
const UNREACHED = "Cannot reach it: nobody answers where it was last seen";

function isConfirmed({ confirmedAtMs }: CoverageRow): boolean {
  return confirmedAtMs !== undefined;
}

function nameOf({ tesseraId, creator }: TombstoneKey): string {
  return `${keyOf(tesseraId)} ${keyOf(creator)}`;
}
