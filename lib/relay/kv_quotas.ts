/** Quotas that several relays share in a denokv server, or in a file for tests. An adapter. */
import {
  type Clock,
  messageOf,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { RELAY_LEASE_MS } from "@tesseras/core/limits";
import {
  type Lease,
  LEASES_PER_SUBJECT_MAX,
  type SharedQuotas,
} from "./quotas.ts";

/** The first part of every key; a change of what lies under it takes another number. */
const PREFIX = ["tesseras", "relay", 1] as const;
/** How long the store may take for one call: the peer that asks waits for it. */
const ANSWER_MS = 2_000;
/** Tries of one change while other relays change the same. */
const TRIES_MAX = 16;
/** Characters of a lease's name at most. */
const NAME_MAX = 256;

/** Until when each lease of one subject holds, in Unix milliseconds, by its name. */
type Held = Map<string, number>;

/**
 * Opens the store.
 *
 * @param target URL of a denokv server (whose token is in `DENO_KV_ACCESS_TOKEN`), a file, or `:memory:`
 * @throws `unusable` when it cannot be opened, `timeout`, or the signal's error
 */
export async function openKvQuotas(
  target: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<SharedQuotas> {
  throwIfAborted(signal);
  using deadline = clock.deadline(ANSWER_MS, signal);
  try {
    const opening = Deno.openKv(target);
    const kv = await orAbort(opening, deadline.signal, (late) => late.close());
    return new KvQuotas(kv, clock);
  } catch (cause) {
    throwIfAborted(deadline.signal);
    throw new TesserasError(
      "unusable",
      `Cannot open the quotas of relays in ${target}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

class KvQuotas implements SharedQuotas {
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;

  constructor(kv: Deno.Kv, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  take({ name, subjects }: Lease, signal: AbortSignal): Promise<boolean> {
    return this.#change({ name, subjects }, (held, { max }, nowMs) => {
      if (!held.has(name) && held.size >= roomOf(max)) return false;
      held.set(name, nowMs + RELAY_LEASE_MS);
      return true;
    }, signal);
  }

  async release(lease: Lease, signal: AbortSignal): Promise<void> {
    await this.#change(lease, (held) => {
      held.delete(lease.name);
      return true;
    }, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#kv.close();
    return Promise.resolve();
  }

  /** Changes all subjects of a lease or, when `change` says no to one of them, none. */
  async #change(
    { subjects }: Lease,
    change: (
      held: Held,
      subject: Lease["subjects"][number],
      nowMs: number,
    ) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (subjects.length === 0) return true;
    const keys = subjects.map(({ name }) => [...PREFIX, name]);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const found = await this.#asked(
        () => this.#kv.getMany<unknown[]>(keys),
        signal,
      );
      const nowMs = this.#clock.nowMs();
      let step = this.#kv.atomic();
      for (const [at, { value, versionstamp }] of found.entries()) {
        const key = keys[at]!;
        const held = readHeld(value, nowMs);
        if (!change(held, subjects[at]!, nowMs)) return false;
        step = step.check({ key, versionstamp });
        step = held.size === 0
          ? step.delete(key)
          : step.set(key, [...held], { expireIn: RELAY_LEASE_MS });
      }
      const { ok } = await this.#asked(() => step.commit(), signal);
      if (ok) return true;
    }
    throw new TesserasError(
      "unreachable",
      `Cannot change the quotas of relays: others did ${TRIES_MAX} times meanwhile`,
    );
  }

  /** What fails here is the store: a server that is away, a file that is locked. */
  async #asked<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    throwIfAborted(signal);
    using deadline = this.#clock.deadline(ANSWER_MS, signal);
    try {
      return await orAbort(work(), deadline.signal);
    } catch (cause) {
      throwIfAborted(signal);
      throw new TesserasError(
        "unreachable",
        `Cannot use the quotas of relays: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}

function roomOf(max: number): number {
  return Math.min(max, LEASES_PER_SUBJECT_MAX);
}

/**
 * What lies in a shared store may have been written by anybody who has its token, or by a clock that is wrong: a lease that
 * would hold for longer than any may has run out.
 */
function readHeld(value: unknown, nowMs: number): Held {
  const held: Held = new Map();
  if (!Array.isArray(value)) return held;
  for (const pair of value.slice(0, LEASES_PER_SUBJECT_MAX)) {
    if (!Array.isArray(pair)) continue;
    const [name, untilMs]: readonly unknown[] = pair;
    if (typeof name !== "string" || name.length > NAME_MAX) continue;
    if (typeof untilMs !== "number" || !(untilMs > nowMs)) continue;
    if (untilMs > nowMs + 2 * RELAY_LEASE_MS) continue;
    held.set(name, untilMs);
  }
  return held;
}
