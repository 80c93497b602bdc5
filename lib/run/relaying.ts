/** What the relay role works with, as the configuration says: sockets, shared quotas, and the volume of the month. */
import { messageOf, type Runtime, throwIfAborted } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { RELAY_DEFAULTS, type RelayLimits } from "@tesseras/nat";
import type { SharedQuotas } from "@tesseras/relay";
import { openKvQuotas } from "@tesseras/relay/kv";
import { openForwarder } from "@tesseras/relay/open";
import { readMonth, type RelayOptions } from "@tesseras/roles";
import type { State } from "@tesseras/state";
import { type Config, listenAddress } from "./config.ts";
import { portsOf } from "./port_range.ts";

/** What is opened for the role. Disposing it closes every port. */
export type Relaying = RelayOptions & AsyncDisposable;

/**
 * Opens sockets and quotas. A server of quotas that cannot be reached is logged and done without until the next start: this
 * relay's own quotas hold all the while.
 *
 * @throws `unusable` for an IP or ports that cannot be bound, as `State.value`, or the signal's error
 */
export async function openRelaying(
  config: Config,
  state: State,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Relaying> {
  const { nat } = config;
  await using stack = new AsyncDisposableStack();
  const bytesMax = nat.relay_monthly_bytes || Infinity;
  const volume = await readMonth(state, bytesMax, runtime, signal);
  const quotas = nat.relay_quotas_kv === ""
    ? undefined
    : stack.use(await quotasAt(nat.relay_quotas_kv, runtime, signal));
  const forwarder = stack.use(
    await openForwarder(
      {
        ip: listenAddress(config).ip,
        ports: portsOf(nat.relay_ports) ?? { from: 0, to: 0 },
        pairsMax: nat.relay_max_sessions,
      },
      runtime,
      signal,
    ),
  );
  const open = stack.move();
  return {
    forwarder,
    limits: limitsOf(config),
    volume,
    state,
    quotas,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function quotasAt(
  url: string,
  { clock, log }: Runtime,
  signal: AbortSignal,
): Promise<SharedQuotas | undefined> {
  try {
    return await openKvQuotas(url, clock, signal);
  } catch (error) {
    throwIfAborted(signal);
    log.warn("relay.quotas_alone", { reason: messageOf(error) });
    return undefined;
  }
}

function limitsOf({ nat, network }: Config): RelayLimits {
  return {
    ...RELAY_DEFAULTS,
    sessionsMax: nat.relay_max_sessions,
    perPeerMax: nat.relay_peer_sessions,
    perSubnetMax: network.subnet_diversity
      ? nat.relay_subnet_sessions
      : Infinity,
    reciprocalBytesPerSecond: nat.relay_reciprocal_kbps * KIB,
    strangerBytesPerSecond: nat.relay_bootstrap_kbps * KIB,
    idleMs: nat.relay_idle_timeout_secs * 1000,
  };
}
