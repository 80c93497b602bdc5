/** Timers of a virtual clock, the next one first. */

/** One timer. */
export type Timer = {
  /** Of its setting: of two due at one instant the one set first fires first. */
  readonly order: number;
  /** `undefined` once it fired or was cancelled, so that a long alarm keeps nothing alive. */
  callback: (() => void) | undefined;
};

/** Children of a place: more make the way down shorter, and neighbours in memory are cheap to look at. */
const WIDTH = 4;

/**
 * A heap of timers by when they are due, then by order. The times lie in an array of their own: most comparisons need nothing
 * else, and a simulation of ten thousand nodes compares them hundreds of millions of times.
 */
export class TimerHeap {
  readonly #dueMs: number[] = [];
  readonly #timers: Timer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  /** When the next is due; `Infinity` when there is none. */
  get nextMs(): number {
    return this.#dueMs[0] ?? Infinity;
  }

  push(timer: Timer, dueMs: number): void {
    this.#dueMs.push(dueMs);
    this.#timers.push(timer);
    this.#rise(this.#timers.length - 1, timer, dueMs);
  }

  /** Takes out the next; `undefined` when there is none. */
  pop(): Timer | undefined {
    const [next] = this.#timers;
    const last = this.#timers.pop();
    const dueMs = this.#dueMs.pop();
    if (last === undefined || dueMs === undefined) return undefined;
    if (this.#timers.length > 0) this.#sink(0, last, dueMs);
    return next;
  }

  /** Drops those that were cancelled. */
  sweep(): void {
    let kept = 0;
    for (let at = 0; at < this.#timers.length; at++) {
      const timer = this.#timers[at]!;
      if (timer.callback === undefined) continue;
      this.#timers[kept] = timer;
      this.#dueMs[kept] = this.#dueMs[at]!;
      kept++;
    }
    this.#timers.length = kept;
    this.#dueMs.length = kept;
    // From the last place with a child upwards, every subtree becomes a heap.
    for (let at = Math.floor((kept - 2) / WIDTH); at >= 0; at--) {
      this.#sink(at, this.#timers[at]!, this.#dueMs[at]!);
    }
  }

  /** Puts a timer at a free place, or nearer to the top. */
  #rise(free: number, timer: Timer, dueMs: number): void {
    let at = free;
    while (at > 0) {
      const parent = Math.floor((at - 1) / WIDTH);
      if (!this.#follows(parent, timer, dueMs)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#timers[at] = timer;
    this.#dueMs[at] = dueMs;
  }

  /** Puts a timer at a free place, or farther from the top. */
  #sink(free: number, timer: Timer, dueMs: number): void {
    let at = free;
    for (;;) {
      const least = this.#leastChild(at);
      if (least < 0 || this.#follows(least, timer, dueMs)) break;
      this.#move(least, at);
      at = least;
    }
    this.#timers[at] = timer;
    this.#dueMs[at] = dueMs;
  }

  #leastChild(parent: number): number {
    const first = WIDTH * parent + 1;
    const end = Math.min(first + WIDTH, this.#timers.length);
    if (first >= end) return -1;
    let least = first;
    for (let at = first + 1; at < end; at++) {
      if (this.#follows(least, this.#timers[at]!, this.#dueMs[at]!)) least = at;
    }
    return least;
  }

  /** Whether whoever is at a place fires after the one given. */
  #follows(at: number, timer: Timer, dueMs: number): boolean {
    const thereMs = this.#dueMs[at]!;
    if (thereMs !== dueMs) return thereMs > dueMs;
    return this.#timers[at]!.order > timer.order;
  }

  #move(from: number, to: number): void {
    this.#timers[to] = this.#timers[from]!;
    this.#dueMs[to] = this.#dueMs[from]!;
  }
}
