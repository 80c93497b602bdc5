/**
 * The directory page as a plain `fetch` handler: `/.well-known/tesseras`.
 *
 * Whatever this file imports runs wherever there are `Request` and `Response`; who the caller is and where entries come
 * from is handed in. The format is in PROTOCOL.md.
 */
import { Hono } from "hono";
import type { Clock, Random } from "@tesseras/core";
import {
  DIRECTORY_PEERS_MAX,
  INTRODUCED_PER_SUBNET_MAX,
} from "@tesseras/core/limits";
import { toBase64url } from "./base64url.ts";
import type { Directory, DirectoryEntry } from "./entry.ts";
import { Rate } from "./rate.ts";
import { sample } from "./sample.ts";

/** Where the page is (RFC 8615). */
export const DIRECTORY_PATH = "/.well-known/tesseras";

/** Who asks, as the connection or a trusted proxy says. */
export type Caller = {
  /** Its IP address in one form. */
  readonly ip: string;
  /** The network that one household or machine answers for, to which the rate limit applies. */
  readonly network: string;
};

/** What the page is made of. */
export type DirectoryPageParts = {
  readonly directory: Pick<Directory, "sample">;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly random: Random;
  /** Leading zero bits of ids in this network, so that a reader knows what to ask for. */
  readonly powBits: number;
  /** Whether all peers are on one machine or network, where the rule of two per network has no meaning. */
  readonly isLocal: boolean;
  /** Counts what was answered and what was refused. */
  readonly count: (event: DirectoryEvent) => void;
};

/** What the page counts. */
export type DirectoryEvent =
  | "directory.answered"
  | "directory.rate_limited"
  | "directory.unavailable"
  | "directory.unread"
  | "directory.failed";

/** What a request brings along. */
export type DirectoryEnv = { readonly Bindings: { readonly caller?: Caller } };

/** Entries a page is chosen from: many networks, few reads. */
const DRAWN = 8 * DIRECTORY_PEERS_MAX;
/** How long one choice is given to everybody: reading the directory is the dear part. */
const CHOICE_MS = 15_000;
/** How long a choice is given when no new one can be made. */
const STALE_MS = 10 * 60_000;
/** One caller: a node that starts over and over asks less often. */
const PER_CALLER = { perSecond: 0.5, burst: 10, callersMax: 4_096 };
/** All callers together: far more than newcomers of any network, and little work. */
const TOGETHER = { perSecond: 500, burst: 1_000, callersMax: 1 };

/** The handler. Pass the caller as `fetch(request, { caller })`. */
export function directoryPage(parts: DirectoryPageParts): Hono<DirectoryEnv> {
  const { clock, count } = parts;
  const choice = new Choice(parts);
  const monotonicMs = (): number => clock.monotonicMs();
  const each = new Rate(PER_CALLER, monotonicMs);
  const together = new Rate(TOGETHER, monotonicMs);
  const app = new Hono<DirectoryEnv>();
  app.get(DIRECTORY_PATH, async (context) => {
    const { caller } = context.env ?? {};
    // Who is sent away has cost the others nothing.
    const mayAsk = (caller === undefined || each.take(caller.network)) &&
      together.take("");
    if (!mayAsk) {
      count("directory.rate_limited");
      return context.text("too many questions\n", 429, { "retry-after": "2" });
    }
    const peers = await choice.peers();
    if (peers === undefined) {
      count("directory.unavailable");
      return context.text("no directory now\n", 503, { "retry-after": "30" });
    }
    count("directory.answered");
    return context.body(printPage(parts, caller, peers), 200, {
      "content-type": "application/json; charset=utf-8",
      // The caller's own address is in it: no cache may give it to another.
      "cache-control": "private, max-age=60",
      "x-content-type-options": "nosniff",
    });
  });
  app.all(
    DIRECTORY_PATH,
    (context) =>
      context.text("read this page with GET\n", 405, { allow: "GET, HEAD" }),
  );
  app.notFound((context) => context.text("not found\n", 404));
  app.onError((_, context) => {
    count("directory.failed");
    return context.text("failed\n", 500);
  });
  return app;
}

/** The peers of the page, chosen anew now and then, by one reading at a time. */
class Choice {
  readonly #parts: DirectoryPageParts;
  #printed = "";
  #chosenMs = -Infinity;
  #triedMs = -Infinity;
  #choosing: Promise<void> | undefined;

  constructor(parts: DirectoryPageParts) {
    this.#parts = parts;
  }

  /** The list as JSON; `undefined` when there is none that is fresh enough. */
  async peers(): Promise<string | undefined> {
    const { clock } = this.#parts;
    const isDue = clock.monotonicMs() - this.#triedMs > CHOICE_MS;
    if (isDue) this.#choosing ??= this.#choose();
    await this.#choosing;
    const isFresh = clock.monotonicMs() - this.#chosenMs <= STALE_MS;
    return isFresh ? this.#printed : undefined;
  }

  async #choose(): Promise<void> {
    const { directory, clock, random, isLocal, count } = this.#parts;
    // Many wait for one reading, so no caller that goes away may end it; the directory has a deadline of its own.
    const { signal } = new AbortController();
    try {
      const drawn = await directory.sample(DRAWN, signal);
      const nowMs = clock.nowMs();
      const chosen = sample(
        drawn,
        ({ subnet, offers, seenMs }) => ({
          subnet,
          offer: offers.join(),
          ageMs: Math.max(0, nowMs - seenMs),
        }),
        {
          count: DIRECTORY_PEERS_MAX,
          perSubnetMax: isLocal ? undefined : INTRODUCED_PER_SUBNET_MAX,
        },
        random,
      );
      this.#printed = JSON.stringify(chosen.map(printEntry));
      this.#chosenMs = clock.monotonicMs();
    } catch {
      // Whatever the directory fails with, the page stays what it was: it is the operator's to mend, not the caller's to read.
      count("directory.unread");
    } finally {
      this.#triedMs = clock.monotonicMs();
      this.#choosing = undefined;
    }
  }
}

function printEntry(entry: DirectoryEntry): Record<string, unknown> {
  return {
    id: entry.id,
    addresses: entry.addresses,
    offers: entry.offers,
    seen: entry.seenMs,
    record: toBase64url(entry.record),
  };
}

function printPage(
  { clock, powBits }: DirectoryPageParts,
  caller: Caller | undefined,
  peers: string,
): string {
  const head = JSON.stringify({
    v: 1,
    time: clock.nowMs(),
    pow_bits: powBits,
    observed: caller?.ip,
  });
  return `${head.slice(0, -1)},"peers":${peers}}\n`;
}
