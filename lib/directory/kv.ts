/**
 * A directory in Deno KV: a file on this disk, or a denokv server that several processes and an edge runtime share.
 *
 * An adapter, opened by `lib/run` and tests alone. Two processes on one local file may get in each other's way ("database is
 * locked"): whoever shares a directory shares a server.
 */
import {
  type Clock,
  messageOf,
  orAbort,
  type Random,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  ADDRESSES_MAX,
  CLOCK_SKEW_MS,
  DIRECTORY_ENTRIES_MAX,
  DIRECTORY_TTL_MS,
  NODE_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import type { Directory, DirectoryEntry } from "./entry.ts";
import { mayTake, placeOf } from "./places.ts";

/** What the directory works with. */
export type KvDirectoryParts = {
  readonly clock: Clock;
  readonly random: Random;
};

/** The first part of every key; a change of what lies under it takes another number. */
const PREFIX = ["tesseras", "directory", 1] as const;
/** Places read at once when entries are put: the most that one question may ask for. */
const PLACES_AT_ONCE = 10;
/** Places read at once when a sample is drawn. */
const BATCH = 100;
/** How long the store may take for one call; a server that is gone would hold it for minutes. */
const ANSWER_MS = 5_000;

/**
 * Opens the directory.
 *
 * @param target a file, a URL of a denokv server (whose token is in `DENO_KV_ACCESS_TOKEN`), or `:memory:`
 * @throws `unusable` when it cannot be opened, `timeout`, or the signal's error
 */
export async function openKvDirectory(
  target: string,
  parts: KvDirectoryParts,
  signal: AbortSignal,
): Promise<Directory> {
  throwIfAborted(signal);
  using deadline = parts.clock.deadline(ANSWER_MS, signal);
  try {
    const opening = Deno.openKv(target);
    const kv = await orAbort(opening, deadline.signal, (late) => late.close());
    return new KvDirectory(kv, parts);
  } catch (cause) {
    throwIfAborted(deadline.signal);
    throw new TesserasError(
      "unusable",
      `Cannot open the directory of peers in ${target}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

class KvDirectory implements Directory {
  readonly #kv: Deno.Kv;
  readonly #parts: KvDirectoryParts;

  constructor(kv: Deno.Kv, parts: KvDirectoryParts) {
    this.#kv = kv;
    this.#parts = parts;
  }

  async put(
    entries: readonly DirectoryEntry[],
    signal: AbortSignal,
  ): Promise<number> {
    let keptCount = 0;
    for (let at = 0; at < entries.length; at += PLACES_AT_ONCE) {
      const some = entries.slice(at, at + PLACES_AT_ONCE);
      keptCount += await this.#asked(() => this.#putSome(some), signal);
    }
    return keptCount;
  }

  async sample(
    count: number,
    signal: AbortSignal,
  ): Promise<readonly DirectoryEntry[]> {
    const first = this.#parts.random.below(DIRECTORY_ENTRIES_MAX);
    const found: DirectoryEntry[] = [];
    const ranges = [[first, DIRECTORY_ENTRIES_MAX], [0, first]] as const;
    for (const [from, to] of ranges) {
      await this.#asked(() => this.#gather({ from, to, count }, found), signal);
    }
    return found;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#kv.close();
    return Promise.resolve();
  }

  /** Several entries may want one place, so each is judged by what the one before left there. */
  async #putSome(entries: readonly DirectoryEntry[]): Promise<number> {
    const nowMs = this.#parts.clock.nowMs();
    const keys = entries.map(({ id }) => [...PREFIX, placeOf(id)]);
    const held = await this.#kv.getMany<unknown[]>(keys);
    let keptCount = 0;
    const taken = new Set<number>();
    for (const [at, entry] of entries.entries()) {
      const place = placeOf(entry.id);
      if (taken.has(place)) continue;
      const { value, versionstamp } = held[at]!;
      if (!mayTake(entry, readEntry(value, nowMs), nowMs)) continue;
      taken.add(place);
      // Another process that wrote here meanwhile knows as much as we do. The store's own expiry comes late and only tidies up.
      const { ok } = await this.#kv.atomic()
        .check({ key: keys[at]!, versionstamp })
        .set(keys[at]!, entry, { expireIn: entry.expiresAtMs - nowMs })
        .commit();
      if (ok) keptCount++;
    }
    return keptCount;
  }

  async #gather(
    range: { readonly from: number; readonly to: number; count: number },
    found: DirectoryEntry[],
  ): Promise<void> {
    if (range.from === range.to || found.length >= range.count) return;
    const nowMs = this.#parts.clock.nowMs();
    const rows = this.#kv.list<unknown>({
      start: [...PREFIX, range.from],
      end: [...PREFIX, range.to],
    }, { batchSize: BATCH });
    for await (const { value } of rows) {
      const entry = readEntry(value, nowMs);
      if (entry === undefined || entry.expiresAtMs <= nowMs) continue;
      found.push(entry);
      if (found.length >= range.count) return;
    }
  }

  /** What fails here is the store: a server that is away, a file that is locked, a disk that is full. */
  async #asked<T>(
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    throwIfAborted(signal);
    using deadline = this.#parts.clock.deadline(ANSWER_MS, signal);
    try {
      return await orAbort(work(), deadline.signal);
    } catch (cause) {
      throwIfAborted(deadline.signal);
      throw new TesserasError(
        "unreachable",
        `Cannot use the directory of peers: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}

/**
 * What lies in a shared store may have been written by anybody who has its token, by a clock that is wrong, or by a version
 * to come. An entry for longer than any may stay would keep its place for ever.
 */
function readEntry(value: unknown, nowMs: number): DirectoryEntry | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, record, addresses, offers, subnet, seenMs, expiresAtMs } =
    value as { readonly [K in keyof DirectoryEntry]?: unknown };
  if (typeof id !== "string" || !/^[0-9a-f]{40}$/.test(id)) return undefined;
  if (!(record instanceof Uint8Array)) return undefined;
  if (record.length > NODE_RECORD_BYTES_MAX) return undefined;
  if (!isTexts(addresses) || !isTexts(offers)) return undefined;
  if (subnet !== undefined && !isText(subnet)) return undefined;
  if (!isMs(seenMs) || !isMs(expiresAtMs)) return undefined;
  if (expiresAtMs > nowMs + DIRECTORY_TTL_MS + CLOCK_SKEW_MS) return undefined;
  return { id, record, addresses, offers, subnet, seenMs, expiresAtMs };
}

/** Characters of an address, a subnet or the name of what a node offers. */
const TEXT_MAX = 64;

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= TEXT_MAX;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= 4 * ADDRESSES_MAX &&
    value.every(isText);
}

function isMs(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
