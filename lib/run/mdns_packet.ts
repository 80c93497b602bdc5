/** What nodes say on the local network: DNS service discovery (RFC 6763) in multicast DNS (RFC 6762). Packets come from anybody. */
import {
  canonicalIp,
  codeOf,
  fromUtf8,
  isPrivateIp,
  type NodeId,
  parseNodeId,
  toHex,
} from "@tesseras/core";
import { NETWORK_DEFAULT } from "@tesseras/core/limits";
import type { LocalPeer } from "./sources.ts";

/** The service all nodes offer on a local network. */
export const SERVICE = "_tesseras._udp.local";

/** One resource record, as the library reads and writes them. */
export type ResourceRecord = {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly flush?: boolean;
  readonly data: unknown;
};

/** A packet, as the library reads and writes them. */
export type Packet = {
  readonly questions?: readonly {
    readonly name: string;
    readonly type: string;
  }[];
  readonly answers?: readonly ResourceRecord[];
  readonly additionals?: readonly ResourceRecord[];
};

/** Seconds for which others may remember us: two minutes for what names an address (RFC 6762, section 10). */
const TTL_SECONDS = 120;
/** Records of one packet that are looked at: eight nodes' worth. */
const RECORDS_MAX = 32;
/** Peers taken from one packet; a node speaks for itself alone. */
const PEERS_PER_PACKET_MAX = 1;

/** Whether a packet asks for our service. */
export function asksForUs({ questions = [] }: Packet): boolean {
  return questions.slice(0, RECORDS_MAX).some(({ name, type }) =>
    name.toLowerCase() === SERVICE && (type === "PTR" || type === "ANY")
  );
}

/** The question for other nodes. */
export const QUESTION: Packet = {
  questions: [{ name: SERVICE, type: "PTR" }],
};

/** A node as it tells the local network of itself. */
export type Presented = {
  readonly id: NodeId;
  readonly network: string;
  readonly port: number;
};

/** What we say of ourselves on an interface whose address is `ip`. */
export function answerOf(
  { id, network, port }: Presented,
  ip: string,
): Packet {
  const instance = `${toHex(id)}.${SERVICE}`;
  const target = `${toHex(id)}.local`;
  const ttl = TTL_SECONDS;
  return {
    answers: [{ name: SERVICE, type: "PTR", ttl, data: instance }],
    additionals: [
      {
        name: instance,
        type: "SRV",
        ttl,
        flush: true,
        data: { port, target, priority: 0, weight: 0 },
      },
      {
        name: instance,
        type: "TXT",
        ttl,
        flush: true,
        data: ["v=tesseras1", `id=${toHex(id)}`, `network=${network}`],
      },
      { name: target, type: "A", ttl, flush: true, data: ip },
    ],
  };
}

/**
 * The peer that a packet speaks of. Its address is that of the sender: what the packet says of addresses could aim us at
 * anybody. A hint, for a peer proves who it is when it is greeted.
 *
 * @param from the IP address the packet came from
 * @param network the one we belong to
 * @returns `"refused"` for a packet about our service that does not hold or comes from elsewhere, `undefined` for packets of other
 *   services and networks
 */
export function readAnswer(
  { answers = [], additionals = [] }: Packet,
  from: string,
  network: string,
): LocalPeer | "refused" | undefined {
  const records = [...answers, ...additionals].slice(0, RECORDS_MAX);
  const pointers = records.filter(({ name, type }) =>
    type === "PTR" && name.toLowerCase() === SERVICE
  );
  if (pointers.length === 0) return undefined;
  const ip = canonicalIp(from);
  if (ip === undefined || !isPrivateIp(ip)) return "refused";
  if (pointers.length > PEERS_PER_PACKET_MAX) return "refused";
  const instance = pointers[0]!.data;
  const dataOf = (type: string): unknown =>
    records.find((one) => one.type === type && one.name === instance)?.data;
  const told = readTexts(dataOf("TXT"));
  const port = readPort(dataOf("SRV"));
  if (told === undefined || port === undefined) return "refused";
  if (told.network !== network) return undefined;
  return { id: told.id, address: { ip, port } };
}

function readPort(data: unknown): number | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { port } = data as { readonly port?: unknown };
  const isPort = typeof port === "number" && Number.isInteger(port) &&
    port > 0 && port <= 0xffff;
  return isPort ? port : undefined;
}

/** What the strings of a TXT record say, one or a list of them; `undefined` without an id. Who names no network is of the public one. */
function readTexts(data: unknown): Omit<Presented, "port"> | undefined {
  const strings: readonly unknown[] = Array.isArray(data) ? data : [data];
  try {
    const texts = strings.slice(0, RECORDS_MAX).map((one) =>
      one instanceof Uint8Array ? fromUtf8(one) : ""
    );
    if (!texts.includes("v=tesseras1")) return undefined;
    const valueOf = (key: string): string | undefined =>
      texts.find((text) => text.startsWith(`${key}=`))?.slice(key.length + 1);
    const id = valueOf("id");
    if (id === undefined) return undefined;
    const network = valueOf("network") ?? NETWORK_DEFAULT;
    return { id: parseNodeId(id), network };
  } catch (error) {
    if (codeOf(error) !== "malformed") throw error;
    return undefined;
  }
}
