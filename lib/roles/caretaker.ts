/**
 * Looks after every tessera of which this node keeps or has published something: sees who keeps it, waits its turn where something
 * is missing, and makes it anew. All it knows is written down, so that a restart changes nothing but the hour.
 */
import {
  codeOf,
  type Hash,
  keyOf,
  keyOfTessera,
  mapBounded,
  messageOf,
  type NodeId,
  Tasks,
  toHex,
} from "@tesseras/core";
import {
  type Depth,
  isForgotten,
  notePresence,
  PRESENCE_MS,
  type Regard,
  regard,
  type RegardParts,
  release,
  repair,
  type RepairParts,
} from "@tesseras/node";
import {
  actAtMs,
  isTurn,
  lookAtMs,
  looksIn,
  repairOrder,
  roundAt,
  turnOf,
} from "@tesseras/preservation";
import { detailOf, type WatchRow } from "@tesseras/state";
import { type Plan, readPlan } from "@tesseras/tessera";
import { type Job, jobOf } from "./repair_job.ts";
import type { Tempo } from "./tempo.ts";
import { Wards } from "./wards.ts";

/** What a caretaker works with. */
export type CaretakerParts =
  & Omit<RegardParts, "patience">
  & RepairParts
  & {
    readonly tempo: Tempo;
    /** Repairs at once. */
    readonly parallel?: number;
  };

/** Tesseras looked at at once: each waits for messages most of the time, and for the dead up to seconds. */
const LOOKS_PARALLEL = 4;
/** Repairs that wait for one another: up to 200 KB each, and beyond what a node can do in one turn. */
const JOBS_MAX = 64;
/** Due ones read at once. */
const DUE_MAX = 64;

/** Cares for tesseras, until it is stopped. */
export class Caretaker {
  readonly #parts: CaretakerParts;
  readonly #regardParts: RegardParts;
  readonly #wards: Wards;
  /** Repairs whose turn has come, in no order. */
  readonly #jobs = new Map<string, Job>();
  /** Under repair now. */
  readonly #repairing = new Set<string>();

  constructor(parts: CaretakerParts) {
    this.#parts = parts;
    this.#wards = new Wards(parts);
    this.#regardParts = { ...parts, patience: parts.tempo.patience };
  }

  /** Looks and repairs until the signal aborts. @throws what no retry can help */
  async runForever(signal: AbortSignal): Promise<void> {
    const { tempo: { tickMs, walkMs }, parallel = 1 } = this.#parts;
    await using tasks = new Tasks(signal);
    const every = (ms: number, work: (signal: AbortSignal) => Promise<void>) =>
      tasks.spawn((taskSignal) => this.#every(ms, work, taskSignal));
    every(PRESENCE_MS, (taskSignal) => this.#notePresence(taskSignal));
    every(walkMs, (taskSignal) => this.#wards.walk(taskSignal));
    every(tickMs, (taskSignal) => this.#look(taskSignal));
    for (let lane = 0; lane < parallel; lane++) {
      every(tickMs, (taskSignal) => this.#work(taskSignal));
    }
    await tasks.settled();
  }

  async #every(
    ms: number,
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, counters, log } = this.#parts.node.runtime;
    for (;;) {
      try {
        await work(signal);
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        counters.add("care.failed");
        log.warn("care.failed", { reason: messageOf(error) });
      }
      await clock.sleep(ms, signal);
    }
  }

  #notePresence(signal: AbortSignal): Promise<void> {
    const { node, state, tempo: { patience } } = this.#parts;
    const { clock } = node.runtime;
    return notePresence(state, clock, patience.calmGraceMs, signal);
  }

  /** Looks at what is due. */
  async #look(signal: AbortSignal): Promise<void> {
    const { node, state } = this.#parts;
    const nowMs = node.runtime.clock.nowMs();
    const isBusy = ({ planHash }: WatchRow): boolean =>
      this.#jobs.has(keyOf(planHash)) || this.#repairing.has(keyOf(planHash));
    const limit = DUE_MAX + this.#jobs.size + this.#repairing.size;
    const due = await state.care.dueWatches(nowMs, limit, signal);
    await mapBounded(
      due.filter((row) => !isBusy(row)),
      LOOKS_PARALLEL,
      (row, laneSignal) => this.#attend(row, laneSignal),
      signal,
    );
  }

  /** Looks at one plan and decides. One that cannot be looked at now does not hold up the others. */
  async #attend(due: WatchRow, signal: AbortSignal): Promise<void> {
    const { node, state, tempo: { pace, retryMs } } = this.#parts;
    const { clock, counters, log } = node.runtime;
    // What an older version wrote down does not say it: a newcomer from now on.
    const row = { watchedSinceMs: clock.nowMs(), ...due };
    try {
      const plan = await this.#planOf(row.planHash, signal);
      if (plan === undefined) return;
      if (await isForgotten(this.#parts, plan, signal)) {
        const dueAtMs = clock.nowMs() + pace.intervalMs;
        const rest = { ...row, state: "idle", dueAtMs } as const;
        return await state.care.putWatch(rest, signal);
      }
      const ward = this.#wards.of(plan.hash);
      const round = roundAt(
        keyOfTessera(plan.tesseraId),
        clock.nowMs(),
        pace,
      );
      const isRound = ward.round !== round && looksIn(round, ward.place);
      const isWorse = row.state !== "idle" ||
        (await state.care.struck(plan.hash, signal)).length > 0;
      const depth: Depth = isRound ? "whole" : isWorse ? "again" : "silent";
      const seen = await regard(this.#regardParts, plan, depth, signal);
      if (isRound && !seen.isCutOff) ward.round = round;
      if (depth !== "silent") ward.place = seen.place;
      await this.#decide(row, seen, signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("care.failed");
      log.warn("care.failed", { reason: messageOf(error) });
      const detail = detailOf(messageOf(error));
      const dueAtMs = clock.nowMs() + retryMs;
      await state.care.putWatch({ ...row, dueAtMs, detail }, signal);
    }
  }

  async #planOf(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<Plan | undefined> {
    // Its signatures were verified before it was kept.
    const row = await this.#parts.state.plan(planHash, signal);
    return row && readPlan(row.bytes);
  }

  /** What follows from a look. */
  async #decide(
    row: WatchRow,
    seen: Regard,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, tempo } = this.#parts;
    const { health, atMs } = seen;
    if (seen.isCutOff) {
      const dueAtMs = atMs + tempo.retryMs;
      return await state.care.putWatch({ ...row, dueAtMs }, signal);
    }
    const isOurs = await this.#tellPublication(seen, signal);
    const isRotten = seen.rotten.length > 0 && health.state !== "lostForGood";
    if (health.state !== "needsReplication" && !isRotten) {
      const { plan, spare } = seen;
      if (spare) await release(this.#parts, plan, spare, signal);
      return await this.#rest(row, seen, signal);
    }
    return await this.#wait(row, { seen, isOurs }, signal);
  }

  /** Something is to be made: now, or when our turn comes. */
  async #wait(
    row: WatchRow,
    { seen, isOurs }: { readonly seen: Regard; readonly isOurs: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { node, state, tempo } = this.#parts;
    const { random } = node.runtime;
    const { health, atMs, plan } = seen;
    const isNew = row.state === "idle";
    const sinceMs = isNew ? atMs : row.sinceMs;
    const turn = this.#turn(seen, sinceMs, atMs);
    if (isNew) this.#tellNeed(seen, turn.place);
    const isOurTurn = !isNew && isTurn(turn, atMs);
    const mayMake = health.canRebuild || isOurs;
    const mayPlace = isOurTurn && mayMake;
    // What is rotten here is ours alone to heal, and waits for nobody.
    const isWork = mayPlace || mayMake && seen.rotten.length > 0;
    const next = isOurTurn && !isWork
      ? this.#turn(seen, sinceMs, turn.endsMs)
      : turn;
    const waiting: WatchRow = {
      ...row,
      state: "waiting",
      sinceMs,
      dueAtMs: actAtMs(next, random, tempo.turns),
    };
    await state.care.putWatch(waiting, signal);
    if (!isWork) return;
    const job = { seen, row: waiting, turn, isOurs, mayPlace };
    this.#jobs.set(keyOf(plan.hash), await jobOf(this.#parts, job, signal));
    if (this.#jobs.size > JOBS_MAX) await this.#putOff(signal);
  }

  /** Leaves what comes last to whoever has the next turn. */
  async #putOff(signal: AbortSignal): Promise<void> {
    const last = repairOrder([...this.#jobs.values()]).at(-1)!;
    this.#jobs.delete(keyOf(last.row.planHash));
    this.#parts.node.runtime.counters.add("repair.put_off");
    const dueAtMs = last.turn.endsMs;
    await this.#parts.state.care.putWatch({ ...last.row, dueAtMs }, signal);
  }

  #tellNeed({ plan, health }: Regard, place: number): void {
    this.#parts.node.runtime.log.info("tessera.needs_repair", {
      tessera: toHex(plan.tesseraId),
      missing: health.replicate.length,
      rotten: health.refetch.length,
      spare: health.census.spareCount,
      place,
    });
  }

  /** Our turn at a moment, or the next. */
  #turn({ plan, live }: Regard, needSinceMs: number, nowMs: number) {
    const { node, tempo: { turns, pace } } = this.#parts;
    return turnOf(
      {
        key: keyOfTessera(plan.tesseraId),
        self: node.id,
        live: live.map(({ id }) => id),
        packBytes: plan.packBytes,
        needSinceMs,
        nowMs,
      },
      turns,
      pace,
    );
  }

  /** Nothing is to be done before the next look. */
  async #rest(
    row: WatchRow,
    seen: Regard,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, tempo: { retryMs, tickMs } } = this.#parts;
    const { health, atMs, plan, silentSinceMs } = seen;
    const lookMs = this.#nextLookMs(keyOfTessera(plan.tesseraId), seen);
    // What somebody's question found meanwhile is no matter of tomorrow.
    const rotten = await state.care.struck(plan.hash, signal);
    const soonMs = rotten.length > 0
      ? tickMs
      : silentSinceMs === undefined
      ? Infinity
      : retryMs;
    const dueAtMs = Math.min(lookMs, atMs + soonMs);
    const isLost = health.state === "lostForGood";
    if (isLost && row.detail === "") this.#tellLoss(seen);
    const detail = isLost
      ? `${health.census.hopedCount} fragments are left of ${plan.dataCount} that are needed`
      : "";
    await state.care.putWatch({
      ...row,
      dueAtMs,
      state: "idle",
      sinceMs: row.state === "idle" ? row.sinceMs : atMs,
      attempts: 0,
      detail,
    }, signal);
  }

  #tellLoss({ plan, health }: Regard): void {
    const { counters, log } = this.#parts.node.runtime;
    counters.add("care.lost");
    log.error("tessera.lost", {
      tessera: toHex(plan.tesseraId),
      left: health.census.hopedCount,
      needed: plan.dataCount,
    });
  }

  #nextLookMs(key: NodeId, { atMs, place }: Regard): number {
    const { node, tempo: { pace } } = this.#parts;
    let round = roundAt(key, atMs, pace) + 1;
    while (!looksIn(round, place)) round++;
    return lookAtMs(key, round, { random: node.runtime.random, pace });
  }

  /** Tells how our own publication is. @returns whether it is ours, and its bytes are here */
  async #tellPublication(
    { plan, health, atMs }: Regard,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { state } = this.#parts;
    const row = await state.publication(plan.tesseraId, signal);
    if (row === undefined || keyOf(row.planHash) !== keyOf(plan.hash)) {
      return false;
    }
    if (row.state === "publishing") return true;
    const isLost = health.state === "lostForGood";
    const now = isLost
      ? "publishing"
      : health.state === "healthy"
      ? "healthy"
      : "replicated";
    if (now !== row.state) {
      await state.putPublication(
        { ...row, state: now, updatedAtMs: atMs },
        signal,
      );
    }
    return true;
  }

  /** Repairs what comes first of all whose turn it is. */
  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const [job] = repairOrder([...this.#jobs.values()]);
      if (job === undefined) return;
      const key = keyOf(job.row.planHash);
      this.#jobs.delete(key);
      this.#repairing.add(key);
      try {
        await this.#repair(job, signal);
      } finally {
        this.#repairing.delete(key);
      }
    }
  }

  async #repair(job: Job, signal: AbortSignal): Promise<void> {
    const { node, state, tempo } = this.#parts;
    const { clock, counters, log, random } = node.runtime;
    const { row, seen, turn } = job;
    const { plan } = seen;
    // It waited for others so long that somebody else has the turn: looked at again, and ours next time.
    const isLate = clock.nowMs() >= turn.endsMs && seen.rotten.length === 0;
    if (isLate) return;
    await state.care.putWatch({ ...row, state: "repairing" }, signal);
    let failure = "";
    try {
      await repair(this.#parts, job.seen, signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("repair.failed");
      failure = messageOf(error);
      const tessera = toHex(plan.tesseraId);
      log.warn("repair.failed", { tessera, reason: failure });
    }
    const after = await regard(this.#regardParts, plan, "silent", signal);
    if (after.health.state !== "needsReplication" && failure === "") {
      await this.#tellPublication(after, signal);
      return await this.#rest(row, after, signal);
    }
    // One try a turn: somebody else may see what we do not.
    const fromMs = Math.max(clock.nowMs(), turn.endsMs);
    const next = this.#turn(after, row.sinceMs, fromMs);
    await state.care.putWatch({
      ...row,
      state: "waiting",
      dueAtMs: actAtMs(next, random, tempo.turns),
      attempts: failure === "" ? 0 : row.attempts + 1,
      detail: detailOf(failure),
    }, signal);
  }
}
