/** Why an introduction leads nowhere, and what is answered then. */
import { keyOf, type NodeId, TesserasError } from "@tesseras/core";
import type { Refusal } from "@tesseras/nat";

/** Why an introduction leads nowhere here. */
export type Why = Refusal | "forged" | "absent";

const CODES = {
  misdirected: "refused",
  stale: "refused",
  replayed: "refused",
  nowhere: "refused",
  full: "overloaded",
  forged: "forged",
  absent: "absent",
} as const satisfies { readonly [W in Why]: string };

/** The refusal to meet a peer. */
export function refusalOf(why: Why, id: NodeId): TesserasError {
  return new TesserasError(CODES[why], `Cannot meet ${keyOf(id)}: ${why}`);
}
