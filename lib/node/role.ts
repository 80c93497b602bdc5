/** What a node does for others: a set of answers, and work in the background. */
import type { NodeRecord, Request } from "@tesseras/wire";
import type { BulkReader, Reply } from "@tesseras/net";

/** Answers one kind of request. Shape is already checked; a handler checks meaning: signatures, quotas, freshness. */
export type Handle<T extends Request["type"]> = (
  from: NodeRecord,
  request: Extract<Request, { readonly type: T }>,
  bulk: BulkReader | undefined,
  signal: AbortSignal,
) => Promise<Reply>;

/** The answers of a role, by message name. */
export type Handlers = { readonly [T in Request["type"]]?: Handle<T> };

/** One thing a node offers. A process is a node with one or more roles. */
export interface Role {
  /** For logs and status. */
  readonly name: string;
  /** Bits this role adds to the node's signed record. */
  readonly capabilities: number;
  readonly handlers: Handlers;
  /** Work in the background until the signal aborts. */
  run?(signal: AbortSignal): Promise<void>;
}
