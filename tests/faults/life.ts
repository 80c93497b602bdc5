/**
 * One run of a process, from its start to its death, as its disk sees it. Every operation on the state and the blobs passes through
 * {@link Life.operate}, where it is numbered; at a given number the process dies or the operation fails. Once it is dead nothing it
 * still does takes effect.
 */
import {
  type Clock,
  type Hash,
  orAbort,
  type Random,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";

/** Where an operation goes, and whether it changes anything. */
export type Operation = {
  readonly name: string;
  readonly of: "state" | "blobs";
  readonly writes: boolean;
  /** The blob that is worked with, where there is one. */
  readonly blob?: Hash;
};

/**
 * What befalls one operation. The process dies `before` it takes effect, or `after` it did and before it answers; the disk is
 * `full`; it is `unreadable`; it is `busy`; it took effect, but says that it is busy (`unanswered`).
 */
export const FAULTS = [
  "before",
  "after",
  "full",
  "unreadable",
  "busy",
  "unanswered",
] as const;

/** See {@link FAULTS}. */
export type Fault = typeof FAULTS[number];

/** A fault, and the number of the operation it befalls. */
export type Cut = { readonly at: number; readonly fault: Fault };

/** Says what befalls an operation of that number; `undefined` for nothing. */
export type Fate = (at: number, operation: Operation) => Fault | undefined;

/** Virtual milliseconds until what is written is durable: long enough for others to come in between. */
const SYNC_MS = 2;

/** Never aborts: whoever commits for others is not cancelled by one of them. */
export const uncancelled = new AbortController().signal;

/** Which faults can befall an operation. Who only reads finds the disk neither full nor changed. */
export function faultsOf({ of, writes }: Operation): readonly Fault[] {
  if (writes) return ["before", "after", "full", "busy", "unanswered"];
  // Dying before or after reading is the same for the disk.
  return of === "blobs" ? ["before", "unreadable", "busy"] : ["before", "busy"];
}

/** The fate that is one cut. */
export function fateOf(cut: Cut | undefined): Fate {
  return (at) => at === cut?.at ? cut.fault : undefined;
}

/** What a {@link Life} is made of. */
export type LifeParts = {
  readonly clock: Clock;
  readonly random: Random;
  /** Called once, when the process dies: takes it off the network. */
  readonly onDeath: () => void;
  /** Called when a fault was met that is not death. */
  readonly onFault: (operation: Operation, fault: Fault) => void;
};

/** A write that waits for its group. */
type Waiting = {
  readonly apply: () => Promise<unknown>;
  readonly answer: PromiseWithResolvers<unknown>;
  readonly signal: AbortSignal;
};

/** See the beginning of this file. */
export class Life {
  /** What was done since {@link arm}, in order. */
  readonly operations: Operation[] = [];
  readonly #parts: LifeParts;
  readonly #death = new AbortController();
  /** What is on its way to the disk, each as a whole; on death the lot decides about each. */
  readonly #underway = new Set<() => void>();
  #fate: Fate | undefined;
  #waiting: Waiting[] = [];
  #isCommitting = false;

  constructor(parts: LifeParts) {
    this.#parts = parts;
  }

  /** Whether the process has died. */
  get isDead(): boolean {
    return this.#death.signal.aborted;
  }

  /** Numbers operations from here on, and has befall them what is told. */
  arm(fate: Fate): void {
    this.operations.length = 0;
    this.#fate = fate;
  }

  /** Numbers no more, and lets everything go well. */
  disarm(): void {
    this.#fate = undefined;
  }

  /** The process dies: what is under way persists or not, and nothing else happens. */
  die(): void {
    if (this.isDead) return;
    this.#death.abort(dead());
    for (const apply of this.#underway) {
      if (this.#parts.random.below(2) === 0) apply();
    }
    this.#underway.clear();
    this.#parts.onDeath();
  }

  /** Does one operation, or what befalls it. */
  async operate<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
    this.#requireLife();
    const fault = this.#faultOf(operation);
    if (fault === "before") return this.#end();
    if (fault !== undefined && fault !== "after" && fault !== "unanswered") {
      this.#parts.onFault(operation, fault);
      throw errorOf(operation, fault);
    }
    const result = await work();
    this.#requireLife();
    if (fault === "after") return this.#end();
    if (fault === "unanswered") {
      this.#parts.onFault(operation, fault);
      throw errorOf(operation, fault);
    }
    return result;
  }

  /** Waits as long as a disk takes. @throws `cancelled` when the process dies meanwhile */
  async pause(): Promise<void> {
    await this.#parts.clock.sleep(SYNC_MS, this.#death.signal);
    this.#requireLife();
  }

  /** Makes one thing durable, apart from all others: a blob that gets its name, or loses it. */
  async durably<T>(apply: () => Promise<T>): Promise<T> {
    const lot = (): void => ignore(apply());
    this.#underway.add(lot);
    await this.pause();
    this.#underway.delete(lot);
    return await apply();
  }

  /** Commits a write to the database, with those that wait together: in one death they persist together or not at all. */
  async commit<T>(apply: () => Promise<T>, signal: AbortSignal): Promise<T> {
    throwIfAborted(signal);
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.push({ apply, answer, signal });
    if (!this.#isCommitting) ignore(this.#commitAll());
    return await orAbort(answer.promise, signal) as T;
  }

  async #commitAll(): Promise<void> {
    this.#isCommitting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0)
        .filter(({ signal }) => !signal.aborted);
      const lot = (): void => group.forEach(({ apply }) => ignore(apply()));
      this.#underway.add(lot);
      try {
        await this.pause();
      } catch (error) {
        for (const { answer } of [...group, ...this.#waiting]) {
          answer.reject(error);
        }
        return;
      }
      this.#underway.delete(lot);
      for (const { apply, answer } of group) {
        await apply().then(answer.resolve, answer.reject);
      }
    }
    this.#isCommitting = false;
  }

  #faultOf(operation: Operation): Fault | undefined {
    if (this.#fate === undefined) return undefined;
    const at = this.operations.push(operation) - 1;
    return this.#fate(at, operation);
  }

  #end(): never {
    this.die();
    throw dead();
  }

  #requireLife(): void {
    if (this.isDead) throw dead();
  }
}

function dead(): TesserasError {
  return new TesserasError("cancelled", "The process was killed");
}

function errorOf({ name, of }: Operation, fault: Fault): TesserasError {
  if (fault === "full") {
    return new TesserasError("diskFull", `Cannot ${name}: no space is left`);
  }
  // A database that cannot be asked now, and a disk that cannot give back what it took.
  return fault === "unreadable"
    ? new TesserasError("corrupt", `Cannot ${name}: the disk failed to read`)
    : new TesserasError(
      of === "state" ? "overloaded" : "unusable",
      `Cannot ${name}: not now`,
    );
}

/** What the dead do no longer matters to anybody; what they are told is not an error. */
function ignore(promise: Promise<unknown>): void {
  promise.catch(() => {});
}
