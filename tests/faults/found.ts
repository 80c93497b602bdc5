/** What walks and storms once found to be wrong. It is played first, so that nothing comes back. */
import type { Cut } from "./life.ts";

/** A story with the cut, or a storm, in which something was lost, wrong or stuck. */
export type Found = {
  /** A story's name, or `storm`. */
  readonly story: string;
  readonly seed: number;
  readonly cut?: Cut;
  /** What it was. */
  readonly what: string;
};

/** Every one of them, the oldest first. */
export const FOUND: readonly Found[] = [
  {
    story: "storm",
    seed: 201,
    what:
      "a fragment was struck out while it was asked whether its bytes are needed",
  },
];
