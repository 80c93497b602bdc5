/** Every reader of untrusted bytes there is. A folder with a reader of its own adds its targets here. */
import { proofTargets } from "./proof_targets.ts";
import { runTargets } from "./run_targets.ts";
import { sourceTargets } from "./source_targets.ts";
import { streamTargets } from "./stream_targets.ts";
import type { FuzzTarget } from "./target.ts";
import { tesseraTargets } from "./tessera_targets.ts";
import { wireTargets } from "./wire_targets.ts";

/** All targets, with their corpora loaded. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  return [
    ...await wireTargets(),
    ...await tesseraTargets(),
    ...await streamTargets(),
    ...await proofTargets(),
    ...runTargets(),
    ...sourceTargets(),
  ];
}
