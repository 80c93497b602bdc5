/** What a node does for others: a set of answers, and work in the background. */
import { assert } from "@tesseras/core";
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

/** The answers of all roles together; no two may answer the same. */
export function mergeHandlers(roles: readonly Role[]): Handlers {
  const merged: Record<string, unknown> = {};
  for (const role of roles) {
    for (const [type, handle] of Object.entries(role.handlers)) {
      assert(merged[type] === undefined, `two roles answer ${type}`);
      merged[type] = handle;
    }
  }
  return merged as Handlers;
}
