/** What `tes doctor` finds: one sentence, and one thing to do where there is something to do. */

/** One finding. */
export type Finding = {
  /** What was looked at, in two or three words. */
  readonly check: string;
  /** `advice` can wait; `problem` keeps the node from doing its work, or a secret from being one. */
  readonly level: "ok" | "advice" | "problem";
  /** One sentence. */
  readonly what: string;
  /** One thing to do, absent when all is well. */
  readonly todo?: string;
};

/** All is well. */
export function fine(check: string, what: string): Finding {
  return { check, level: "ok", what };
}

/** Something to think of. */
export function advice(check: string, what: string, todo: string): Finding {
  return { check, level: "advice", what, todo };
}

/** Something to put right. */
export function problem(check: string, what: string, todo: string): Finding {
  return { check, level: "problem", what, todo };
}
