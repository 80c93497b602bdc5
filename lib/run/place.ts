/** Where a process stands: at which addresses its port is, and which of them others are told. */
import { networkInterfaces } from "node:os";
import {
  type Address,
  canonicalIp,
  isPrivateIp,
  parseAddress,
} from "@tesseras/core";
import { ADDRESSES_MAX } from "@tesseras/core/limits";
import type { Surroundings } from "@tesseras/node";
import type { Config } from "./config.ts";

/** What a node is told of its place. @param local where its port is bound */
export function placeOf(
  { network, node }: {
    readonly network: Pick<Config["network"], "subnet_diversity">;
    readonly node: Pick<Config["node"], "advertise_addrs">;
  },
  local: Address,
): {
  readonly addresses: readonly Address[];
  readonly surroundings: Surroundings;
} {
  const own = everyAddress(local);
  const told = node.advertise_addrs.map(parseAddress);
  // Whoever binds one private address alone means a network of such.
  const isInner = !isUnspecified(local.ip) && isPrivateIp(local.ip);
  const isLab = !network.subnet_diversity || isInner;
  return {
    addresses: told.length > 0 ? told : own.slice(0, ADDRESSES_MAX),
    surroundings: {
      realm: isLab ? "lab" : "internet",
      own,
      isConfigured: told.length > 0,
    },
  };
}

function isUnspecified(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}

/** Where a port can be reached, every interface spelt out. */
function everyAddress(local: Address): readonly Address[] {
  if (!isUnspecified(local.ip)) return [local];
  const ips = Object.values(networkInterfaces()).flat()
    .filter((one) => one !== undefined && !one.internal)
    .map((one) => canonicalIp(one!.address))
    .filter((ip) => ip !== undefined && !ip.startsWith("fe80:"));
  const family = local.ip === "0.0.0.0"
    ? ips.filter((ip) => !ip!.includes(":"))
    : ips;
  const reachable = family.length > 0 ? family : ["127.0.0.1"];
  return reachable.map((ip) => ({ ip: ip!, port: local.port }));
}
