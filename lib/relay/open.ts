/** Opens the better data path that this machine allows. An adapter. */
import { codeOf, messageOf, type Runtime } from "@tesseras/core";
import { openDatagrams } from "./datagrams.ts";
import type { Forwarder, ForwarderOptions } from "./forwarder.ts";
import { openKernel } from "./kernel.ts";

/**
 * In batches in a thread of its own where that works, else on the platform's sockets, which cost twice to four times as much.
 *
 * @throws `unusable` for an IP or ports that cannot be bound; `cancelled`
 */
export async function openForwarder(
  options: ForwarderOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Forwarder> {
  try {
    return await openKernel(options, runtime, signal);
  } catch (error) {
    if (codeOf(error) !== "unusable") throw error;
    // An IP or ports that cannot be are found unusable again, and said so.
    const forwarder = openDatagrams(options, runtime);
    runtime.log.info("relay.without_batches", { why: messageOf(error) });
    return forwarder;
  }
}
