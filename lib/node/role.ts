/** What a node does for others: a set of answers, and work in the background. */
import { type Address, assert } from "@tesseras/core";
import type { NodeRecord, RelayOffer, Request } from "@tesseras/wire";
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
  /** What our record says of relaying, given the addresses that it names. */
  relayOffer?(addresses: readonly Address[]): RelayOffer | undefined;
  /** Lets go of what others rely on, while everything still works. The process ends soon after, whether this has or not. */
  drain?(signal: AbortSignal): Promise<void>;
  /** Values for operators that go up and down, by their full Prometheus name. */
  gauges?(): readonly Gauge[];
}

/** A value that goes up and down. */
export type Gauge = {
  readonly name: string;
  readonly help: string;
  readonly value: number;
};

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
