/** Trying whether this process checks certificates at all, which it cannot ask. */
import {
  messageOf,
  orAbort,
  type Runtime,
  TesserasError,
} from "@tesseras/core";
import { pinnedTrust } from "./certificate.ts";
import {
  bindEndpoint,
  type QuicSettings,
  wireOptions,
} from "./quic_endpoint.ts";
import { dialError } from "./quic_errors.ts";

/** How long the trial dial on loopback may take; it takes 2 ms. */
const TRIAL_TIMEOUT_MS = 2_000;
const LOOPBACK = { ip: "127.0.0.1", port: 0 };

/**
 * Dials itself on loopback, expecting another key. With `--unsafely-ignore-certificate-errors` that would connect, and then
 * anybody could stand in for any node.
 *
 * @throws `unusable` when the wrong key was let through; the signal's error
 */
export async function refuseUncheckedCertificates(
  settings: QuicSettings,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const trial = { ...settings, listen: LOOPBACK };
  const { endpoint, listener } = bindEndpoint(trial, runtime);
  const answering = answerOnce(listener);
  try {
    using deadline = runtime.clock.deadline(TRIAL_TIMEOUT_MS, signal);
    await orAbort(dialStranger(endpoint, trial), deadline.signal);
  } catch (error) {
    if (signal.aborted) throw error;
    if (dialError(error, LOOPBACK).code === "forged") return;
    // A machine without a working loopback proves nothing either way.
    runtime.log.warn("quic.trial_failed", { error: messageOf(error) });
    return;
  } finally {
    endpoint.close();
    await answering;
  }
  throw new TesserasError(
    "unusable",
    "Cannot start: a connection with the wrong key was let through; start without --unsafely-ignore-certificate-errors",
  );
}

async function dialStranger(
  endpoint: Deno.QuicEndpoint,
  settings: QuicSettings,
): Promise<Deno.QuicConn> {
  const stranger = settings.identity.publicKey.map((byte) => byte ^ 0xff);
  const trust = pinnedTrust(stranger);
  return await Deno.connectQuic({
    ...wireOptions(settings),
    hostname: LOOPBACK.ip,
    port: endpoint.addr.port,
    serverName: trust.serverName,
    caCerts: [trust.anchorPem],
    endpoint,
  });
}

/** Takes part in one handshake and waits until it is over, however it ends: the dialer tells what came of it. */
async function answerOnce(listener: Deno.QuicListener): Promise<void> {
  try {
    const incoming = await listener.incoming();
    await incoming.accept({ zeroRtt: true }).closed;
  } catch {
    // The handshake was refused, as it should be, or the endpoint was closed first.
  }
}
