/** The settings of relaying: `[nat]`. */
import {
  KIB,
  RELAY_IDLE_MS,
  RELAY_RECIPROCAL_BYTES_PER_SECOND,
  RELAY_SESSIONS_MAX,
  RELAY_SESSIONS_PER_PEER_MAX,
  RELAY_SESSIONS_PER_SUBNET_MAX,
  RELAY_STRANGER_BYTES_PER_SECOND,
} from "@tesseras/core/limits";
import { LEASES_PER_SUBJECT_MAX } from "@tesseras/relay";
import { portsOf } from "./port_range.ts";
import { flag, setting, text, whole } from "./setting.ts";

const DAY_SECS = 86_400;

/** See {@link SETTINGS}. */
export const NAT_SETTINGS = {
  relay_enabled: flag(
    false,
    "forward packets for peers behind NATs; needs an address that others reach",
  ),
  relay_max_sessions: whole(
    RELAY_SESSIONS_MAX,
    1,
    1_000,
    "pairs relayed at once",
  ),
  relay_reciprocal_kbps: whole(
    RELAY_RECIPROCAL_BYTES_PER_SECOND / KIB,
    8,
    100_000,
    "KiB a second each way for peers that keep something for us",
  ),
  relay_bootstrap_kbps: whole(
    RELAY_STRANGER_BYTES_PER_SECOND / KIB,
    8,
    100_000,
    "KiB a second each way for anybody else, who has 10 minutes",
  ),
  relay_idle_timeout_secs: whole(
    RELAY_IDLE_MS / 1000,
    1,
    DAY_SECS,
    "when a relayed pair that says nothing is ended",
  ),
  relay_ports: setting(
    "",
    'a range such as "40000-40999", or "" for any free port',
    "UDP ports of relayed pairs, two each",
    (value) =>
      value === "" || portsOf(value) !== undefined ? String(value) : undefined,
  ),
  relay_monthly_bytes: whole(
    0,
    0,
    2 ** 50,
    "bytes relayed in a calendar month (UTC) at most; 0 for no limit",
  ),
  relay_peer_sessions: whole(
    RELAY_SESSIONS_PER_PEER_MAX,
    1,
    LEASES_PER_SUBJECT_MAX,
    "relayed pairs of one peer at once",
  ),
  relay_subnet_sessions: whole(
    RELAY_SESSIONS_PER_SUBNET_MAX,
    1,
    LEASES_PER_SUBJECT_MAX,
    "relayed pairs of the peers of one /24 or /48 at once; no limit where subnet_diversity is off",
  ),
  relay_quotas_kv: text(
    "",
    "URL of a denokv server in which several relays count these two together; each counts its own when empty",
  ),
} as const;
