/** What a process does by itself for what it keeps and has published. */
import type { Archive } from "@tesseras/archive";
import type { Blobs } from "@tesseras/blobs";
import { PEERS_PER_SUBNET_MAX } from "@tesseras/core/limits";
import type { MlDsaSuite } from "@tesseras/crypto";
import { Budget, Forgetter, type Node, Publisher } from "@tesseras/node";
import { Caretaker, tempoOf } from "@tesseras/roles";
import type { State } from "@tesseras/state";
import type { Config } from "./config.ts";
import { sweepForever } from "./sweeping.ts";

/** What it works with. */
export type CaringParts = {
  readonly node: Node;
  readonly archive: Archive;
  readonly state: State;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
  readonly config: Config;
};

/** What goes on by itself, and can be asked to do something at once. */
export type Caring = {
  readonly publisher: Publisher;
  readonly forgetter: Forgetter;
};

/**
 * Starts to clear away what nobody needs, to publish what is not done, to tell holders what to forget, and, where fragments are
 * kept, to look after them. All of it ends with the node.
 */
export function startCaring(parts: CaringParts, isHolder: boolean): Caring {
  const { node, archive, config: { network, replication } } = parts;
  node.spawn((signal) => sweepForever(archive, node.runtime, signal));
  const forgetter = new Forgetter(parts);
  node.spawn((signal) => forgetter.runForever(signal));
  const shared = {
    ...parts,
    subnetLimit: network.subnet_diversity ? PEERS_PER_SUBNET_MAX : undefined,
    deficitMax: replication.deficit_allowance_bytes,
  };
  const publisher = new Publisher({
    ...shared,
    parallel: replication.concurrent_transfers,
  });
  node.spawn((signal) => publisher.runForever(signal));
  const caring = { publisher, forgetter };
  if (!isHolder) return caring;
  const caretaker = new Caretaker({
    ...shared,
    budget: new Budget(replication.repair_bandwidth, node.runtime.clock),
    tempo: tempoOf({
      intervalMs: replication.repair_interval_secs * 1000,
      jitterMs: replication.repair_jitter_secs * 1000,
    }),
  });
  node.spawn((signal) => caretaker.runForever(signal));
  return caring;
}
