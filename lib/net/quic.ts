/**
 * The transport over real packets: one Deno QUIC endpoint on one UDP port that dials and answers. Every oddity of the
 * platform's QUIC ends in the siblings `quic_*.ts` of this file.
 *
 * @module
 */
import { type Runtime, throwIfAborted } from "@tesseras/core";
import { bindEndpoint, type QuicOptions, settingsOf } from "./quic_endpoint.ts";
import { QuicTransport } from "./quic_transport.ts";
import { refuseUncheckedCertificates } from "./quic_trial.ts";
import type { Transport } from "./transport.ts";

export {
  type CongestionControl,
  QUIC_DEFAULTS,
  type QuicOptions,
} from "./quic_endpoint.ts";

/**
 * Opens an endpoint that dials and answers. Dispose it to close every connection.
 *
 * @throws `inUse` when the port is taken; `unusable` when the address is not ours to bind, or when the process runs with
 * certificate checks switched off; the signal's error
 */
export async function openQuic(
  options: QuicOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Transport> {
  throwIfAborted(signal);
  const settings = settingsOf(options);
  await refuseUncheckedCertificates(settings, runtime, signal);
  return new QuicTransport(bindEndpoint(settings, runtime), settings, runtime);
}
