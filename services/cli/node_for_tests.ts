/** Real nodes on loopback, in this process. */
import { Counters, formatAddress, silentLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import {
  type Daemon,
  readConfig,
  type RoleName,
  startDaemon,
} from "@tesseras/run";
import { never } from "./home_for_tests.ts";

/** A joined node on a data directory. */
export async function node(
  dataDir: string,
  roles: readonly RoleName[],
  entry?: Daemon,
): Promise<Daemon> {
  const settings: Record<string, string> = {
    "node.listen_addr": "127.0.0.1:0",
    "node.pow_bits": "8",
    "bootstrap.hardcoded": entry ? formatAddress(entry.listening) : "",
    "bootstrap.dns_domain": "",
    "network.subnet_diversity": "false",
    "network.enable_mdns": "false",
    "observability.metrics_addr": "",
    "replication.min_free_space_bytes": "0",
  };
  const flags = new Map(
    Object.entries(settings)
      .map(([name, value]) => [name, { typed: name, value }]),
  );
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const config = readConfig({ flags });
  const daemon = await startDaemon(
    { name: "tesd", config, dataDir, roles },
    runtime,
    never,
  );
  await daemon.joined;
  return daemon;
}
