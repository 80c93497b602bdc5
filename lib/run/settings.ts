/** Every setting of a program: its section and key, its default, what it allows, and how a value of it is read. */
import {
  canonicalIp,
  isPrivateIp,
  LOG_LEVELS,
  type LogLevel,
  parseAddress,
  splitHostPort,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  BUCKET_REFRESH_MS,
  DEFICIT_MAX,
  FREE_SPACE_MIN,
  KIB,
  LOOKUP_PARALLEL,
  NETWORK_DEFAULT,
  PER_PEER_MAX,
  PING_FAILURES_MAX,
  POINTER_TTL_MS,
  POINTERS_MAX,
  PORT_DEFAULT,
  POW_BITS_DEFAULT,
  POW_BITS_MIN,
  REPAIR_BYTES_PER_SECOND,
  REPAIR_INTERVAL_MS,
  REPAIR_JITTER_MS,
  REPUBLISH_MS,
  TRANSFERS_PARALLEL,
} from "@tesseras/core/limits";
import { NAT_SETTINGS } from "./nat_settings.ts";
import { flag, oneOf, type Setting, setting, text, whole } from "./setting.ts";

/** A list of texts; from the environment and flags, separated by commas. */
function list(
  fallback: readonly string[],
  allowed: string,
  help: string,
  holds: (item: string) => boolean,
  lengthMax = 64,
): Setting<readonly string[]> {
  return setting(fallback, allowed, help, (value) => {
    const items: unknown = typeof value === "string"
      ? value.split(",").map((item) => item.trim()).filter((i) => i !== "")
      : value;
    return Array.isArray(items) && items.length <= lengthMax &&
        items.every((item) => typeof item === "string" && holds(item))
      ? items
      : undefined;
  });
}

/** The domain of a name server's records; labels may begin with `_` (RFC 8552). */
function isDomain(text: string): boolean {
  return text.length <= 253 &&
    /^[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(text);
}

/** `https://host` and nothing behind it; `http` to a private address, where a local network has no certificates. */
function isDirectory(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, hostname, href } = new URL(text);
  if (href !== `${origin}/`) return false;
  const ip = canonicalIp(hostname.replaceAll(/[[\]]/g, ""));
  return protocol === "https:" ||
    (protocol === "http:" && ip !== undefined && isPrivateIp(ip));
}

/** A libSQL server, with nothing secret in its URL and no path that may be written in two ways; `http` as above. */
function isStateUrl(text: string): boolean {
  if (!URL.canParse(text) || !/^(libsql|https|http):\/\//.test(text)) {
    return false;
  }
  const { protocol, username, password, hostname, pathname, search, hash } =
    new URL(text);
  if (`${username}${password}${search}${hash}` !== "" || hostname === "") {
    return false;
  }
  if (!/^(\/[\w.~-]+)*\/?$/.test(pathname)) return false;
  const ip = canonicalIp(hostname.replaceAll(/[[\]]/g, ""));
  return protocol !== "http:" || (ip !== undefined && isPrivateIp(ip));
}

function isIPv4(text: string): boolean {
  return isIp(text) && !text.includes(":");
}

function isIp(text: string): boolean {
  return canonicalIp(text) !== undefined;
}

function parses(read: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      read(text);
      return true;
    } catch {
      return false; // the caller's sentence says what is allowed
    }
  };
}

function address(fallback: string, help: string): Setting<string> {
  return setting(
    fallback,
    'an address such as "0.0.0.0:4433" or "[::]:4433"',
    help,
    (value) =>
      typeof value === "string" && isAddress(value) ? value : undefined,
  );
}

/** An address, or an empty text for none. */
function optional(one: Setting<string>): Setting<string> {
  return {
    ...one,
    allowed: `${one.allowed}, or "" for none`,
    read: (value) => value === "" ? "" : one.read(value),
  };
}

const isAddress = parses(parseAddress);
const isHostPort = parses((text) =>
  splitHostPort(text.replace(/^[0-9a-f]{40}@/i, ""))
);

const DAY_SECS = 86_400;

/** Every section and key, with the defaults of the user guide. */
export const SETTINGS = {
  node: {
    data_dir: text("", "where identity, database and blobs are kept"),
    listen_addr: address(`0.0.0.0:${PORT_DEFAULT}`, "QUIC listener"),
    listen_addrs: list(
      [],
      "a list of addresses",
      "several QUIC listeners; wins over listen_addr",
      isAddress,
    ),
    advertise_addrs: list(
      [],
      "a list of addresses",
      "where others reach this node; found out when empty",
      isAddress,
    ),
    pow_bits: whole(
      POW_BITS_DEFAULT,
      POW_BITS_MIN,
      40,
      "leading zero bits of a node id in this network",
    ),
  },
  dht: {
    k: whole(BUCKET_PEERS_MAX, 1, 20, "peers per bucket"),
    alpha: whole(
      LOOKUP_PARALLEL,
      1,
      10,
      "questions at once on each path of a lookup",
    ),
    bucket_refresh_interval_secs: whole(
      BUCKET_REFRESH_MS / 1000,
      10,
      DAY_SECS,
      "how often quiet buckets are refreshed",
    ),
    republish_interval_secs: whole(
      REPUBLISH_MS / 1000,
      10,
      DAY_SECS,
      "how often pointers are stored again",
    ),
    pointer_ttl_secs: whole(
      POINTER_TTL_MS / 1000,
      60,
      DAY_SECS,
      "how long a pointer lives",
    ),
    max_stored_pointers: whole(
      POINTERS_MAX,
      1,
      10_000_000,
      "pointers kept here",
    ),
    ping_failure_threshold: whole(
      PING_FAILURES_MAX,
      1,
      20,
      "failures in a row that remove a peer",
    ),
  },
  bootstrap: {
    dns_domain: setting(
      "_tesseras._udp.tesseras.net",
      'a domain, or "" for none',
      "domain of the TXT records that name peers",
      (value) =>
        typeof value === "string" && (value === "" || isDomain(value))
          ? value
          : undefined,
    ),
    dns_server: optional(
      address("", "DNS server to ask for them; the system's when empty"),
    ),
    hardcoded: list(
      ["boot1.tesseras.net:4433", "boot2.tesseras.net:4433"],
      'a list of "host:port", "[ipv6]:port" or "id@host:port"',
      "peers to join through",
      isHostPort,
    ),
    directories: list(
      [],
      'a list of at most 8 "https://host" without a path',
      "directories whose page names peers",
      isDirectory,
      8,
    ),
    directory_addr: optional(
      address(
        "",
        "HTTP for /.well-known/tesseras, where the bootstrap role is played",
      ),
    ),
    directory_kv: text(
      "",
      "URL of a denokv server that keeps the directory; a file of this node when empty",
    ),
    trusted_proxies: list(
      [],
      "a list of IP addresses",
      "proxies before the directory whose X-Forwarded-For is believed",
      isIp,
    ),
  },
  network: {
    name: setting(
      NETWORK_DEFAULT,
      "1 to 32 letters a to z, digits and hyphens",
      "network to belong to; nodes of another are refused",
      (value) =>
        typeof value === "string" && /^[a-z0-9-]{1,32}$/.test(value)
          ? value
          : undefined,
    ),
    enable_mdns: flag(true, "look for peers on the local network"),
    mdns_interfaces: list(
      [],
      "a list of IPv4 addresses of this machine",
      "interfaces to look on; those of private networks when empty",
      isIPv4,
    ),
    subnet_diversity: flag(
      true,
      "limit peers of one /24 or /48; off for a cluster on one machine",
    ),
  },
  storage: {
    state_url: setting(
      "",
      '"libsql://host" or "https://host", with a path where the server has several databases, http to a private IP address alone, or "" for none',
      "database of a libSQL server that keeps this node's state, its token in TESSERAS_STATE_TOKEN; a file of this node when empty",
      (value) =>
        typeof value === "string" && (value === "" || isStateUrl(value))
          ? value
          : undefined,
    ),
  },
  replication: {
    concurrent_transfers: whole(
      TRANSFERS_PARALLEL,
      1,
      64,
      "fragments in transfer at once",
    ),
    min_free_space_bytes: whole(
      FREE_SPACE_MIN,
      0,
      2 ** 50,
      "stop taking fragments below this",
    ),
    max_store_bytes: whole(
      0,
      0,
      2 ** 50,
      "fragments and plans of others kept here in all; 0 for no limit but the disk",
    ),
    deficit_allowance_bytes: whole(
      DEFICIT_MAX,
      0,
      2 ** 50,
      "storage a peer may owe",
    ),
    per_peer_limit_bytes: whole(
      PER_PEER_MAX,
      0,
      2 ** 50,
      "storage one peer may use here",
    ),
    repair_interval_secs: whole(
      REPAIR_INTERVAL_MS / 1000,
      10,
      30 * DAY_SECS,
      "how often a tessera is looked after; below a day, every wait of repair is shorter in proportion",
    ),
    repair_jitter_secs: whole(
      REPAIR_JITTER_MS / 1000,
      0,
      DAY_SECS,
      "how much later than that a look may be",
    ),
    repair_bandwidth: whole(
      REPAIR_BYTES_PER_SECOND,
      64 * KIB,
      2 ** 40,
      "bytes a second that repair may move",
    ),
  },
  nat: NAT_SETTINGS,
  observability: {
    metrics_addr: optional(
      address("127.0.0.1:9190", "HTTP for /healthz, /readyz and /metrics"),
    ),
    log_format: oneOf("json", ["json", "text"], "how log lines look"),
    log_level: oneOf<LogLevel>("info", LOG_LEVELS, "the least level written"),
  },
} as const;
