/** What the thread that forwards is asked, and what it says. Part of an adapter. */
import type { SessionEnd, SessionTerms, Side } from "@tesseras/nat";
import type { Tally } from "./pair.ts";

/** Number of a pair, drawn by whoever asks for it. */
type PairId = { readonly id: number };

/** What the thread is asked. */
export type KernelAsk =
  /** The first: `posted` counts what was asked, so that the thread knows when it has heard all. */
  | {
    readonly type: "start";
    readonly ip: string;
    readonly posted: Int32Array<SharedArrayBuffer>;
  }
  | PairId & {
    readonly type: "open";
    readonly peerIp: string;
    readonly terms: SessionTerms;
    /** For each side the ports to try in turn. */
    readonly ports: readonly [readonly number[], readonly number[]];
  }
  | PairId & {
    readonly type: "relock";
    readonly side: Side;
    readonly peerIp: string;
  }
  | PairId & { readonly type: "lift"; readonly terms: SessionTerms }
  | PairId & { readonly type: "close" }
  | { readonly type: "stop" };

/** What it says. */
export type KernelSaid =
  /** Writing to the descriptor wakes the thread. */
  | { readonly type: "ready"; readonly doorbell: number }
  | { readonly type: "unusable"; readonly why: string }
  | PairId & {
    readonly type: "opened";
    readonly ports: readonly [number, number];
  }
  /** What was asked of an open pair is done: one for each `relock`, `lift` and `close`, in their order. */
  | { readonly type: "done" }
  | PairId & { readonly type: "noPort" }
  | PairId & { readonly type: "tally"; readonly tally: Tally }
  | PairId & {
    readonly type: "ended";
    readonly why: SessionEnd;
    readonly tally: Tally;
  }
  | { readonly type: "stopped" };
