/** What every attack on a running node has at hand, and how it is told. */
import type { ChildInfo } from "@tesseras/ops/cluster";
import type { NodeRecord } from "@tesseras/wire";
import type { Outsider } from "./outsider.ts";

/** Where the fight takes place. */
export type Field = {
  /** The process under attack. */
  readonly process: ChildInfo;
  /** Its record, as it showed it. */
  readonly victim: NodeRecord;
  /** A proven peer that does not behave, at an address of its own. */
  readonly enemy: Outsider;
  readonly signal: AbortSignal;
};

/** One way to do harm. It asserts how it is refused; the counter must move because of it. */
export type Attack = {
  readonly name: string;
  /** What an operator sees move; `undefined` where the platform drops the packets before we see them. */
  readonly counter: string | undefined;
  run(field: Field): Promise<void>;
};

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
