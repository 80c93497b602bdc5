/** DNS servers on loopback that know some TXT records: Debian's dnsmasq where it is installed, and a small one of ours. */
import { concat, utf8 } from "@tesseras/core";

/** TXT records by domain: each a list of the strings it is made of. */
export type Zone = Readonly<Record<string, readonly (readonly string[])[]>>;

/** A running server. */
export type DnsServer = AsyncDisposable & {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
};

/** Bytes of an answer over UDP; a longer one is asked for again over TCP (RFC 9715). */
const UDP_BYTES_MAX = 1_232;
/** Where Debian installs it, if that is not on the path. */
const DNSMASQ = ["dnsmasq", "/usr/sbin/dnsmasq"];

/** Every server this machine has. Says so when dnsmasq is not installed. */
export async function dnsServers(zone: Zone): Promise<readonly DnsServer[]> {
  const own = openDns(zone);
  const dnsmasq = await openDnsmasq(zone);
  return dnsmasq === undefined ? [own] : [own, dnsmasq];
}

/** A server of ours: it knows what it was told and nothing else. */
export function openDns(zone: Zone): DnsServer {
  const { tcp, udp, port } = listenBoth();
  const ends = [serveUdp(udp, zone), serveTcp(tcp, zone)];
  return {
    name: "our server",
    ip: "127.0.0.1",
    port,
    async [Symbol.asyncDispose]() {
      udp.close();
      tcp.close();
      await Promise.all(ends);
    },
  };
}

/** One port for both protocols; the other may be taken by somebody who has only that. */
function listenBoth() {
  for (;;) {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = tcp.addr;
    try {
      const udp = Deno.listenDatagram({
        transport: "udp",
        hostname: "127.0.0.1",
        port,
      });
      return { tcp, udp, port };
    } catch (error) {
      tcp.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function serveUdp(socket: Deno.DatagramConn, zone: Zone): Promise<void> {
  for await (const [query, from] of socket) {
    const answer = answerTo(query, zone);
    const fits = answer.length <= UDP_BYTES_MAX;
    await socket.send(fits ? answer : truncated(answer, query), from);
  }
}

async function serveTcp(listener: Deno.Listener, zone: Zone): Promise<void> {
  for await (const connection of listener) {
    using _connection = connection;
    const buffer = new Uint8Array(1_024);
    const length = await connection.read(buffer) ?? 0;
    if (length < 14) continue;
    const answer = answerTo(buffer.subarray(2, length), zone);
    const writer = connection.writable.getWriter();
    await writer.write(concat([u16(answer.length), answer]));
  }
}

/** The answer to one question (RFC 1035, section 4): the TXT records of its name, or that there is no such name. */
function answerTo(query: Uint8Array, zone: Zone): Uint8Array {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(
      new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)),
    );
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const records = zone[labels.join(".").toLowerCase()];
  const answers = (records ?? []).map((strings) => {
    const data = concat(strings.map((text) => {
      const bytes = utf8(text);
      return concat([Uint8Array.of(bytes.length), bytes]);
    }));
    // The name of the question, TXT, IN, a minute.
    const head = [0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60];
    return concat([Uint8Array.from(head), u16(data.length), data]);
  });
  const flags = records === undefined ? 0x8583 : 0x8580;
  const head = [u16(flags), u16(1), u16(answers.length), u16(0), u16(0)];
  return concat([query.subarray(0, 2), ...head, question, ...answers]);
}

/** The head and the question alone, marked as cut off. */
function truncated(answer: Uint8Array, query: Uint8Array): Uint8Array {
  const end = query.indexOf(0, 12) + 5;
  const cut = answer.slice(0, end);
  cut[2]! |= 0x02;
  cut.set([0, 0], 6);
  return cut;
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

/** Starts dnsmasq for the zone; `undefined` where it is not installed. */
export async function openDnsmasq(zone: Zone): Promise<DnsServer | undefined> {
  const program = await installed();
  if (program === undefined) {
    console.log("skipped: dnsmasq is not installed here");
    return undefined;
  }
  // Its port is chosen before it has it, so another process may be quicker.
  for (let tries = 0; tries < 5; tries++) {
    const server = await startDnsmasq(program, zone);
    if (server !== undefined) return server;
  }
  throw new Error("dnsmasq found no free port in five tries");
}

async function installed(): Promise<string | undefined> {
  for (const program of DNSMASQ) {
    try {
      await new Deno.Command(program, { args: ["--version"] }).output();
      return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

async function startDnsmasq(
  program: string,
  zone: Zone,
): Promise<DnsServer | undefined> {
  const port = freePort();
  const child = new Deno.Command(program, {
    args: [
      "--no-daemon",
      "--conf-file=/dev/null",
      "--no-resolv",
      "--no-hosts",
      "--pid-file",
      `--port=${port}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      ...Object.entries(zone).flatMap(([domain, records]) =>
        records.map((strings) => `--txt-record=${[domain, ...strings].join()}`)
      ),
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  let hasEnded = false;
  const ended = child.status.then(() => {
    hasEnded = true;
  });
  const server: DnsServer = {
    name: "dnsmasq",
    ip: "127.0.0.1",
    port,
    async [Symbol.asyncDispose]() {
      if (!hasEnded) child.kill("SIGTERM");
      await ended;
    },
  };
  while (!hasEnded) {
    if (await answers(server)) return server;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  return undefined;
}

/** Whether somebody answers there; that there is no such name is an answer. */
async function answers({ ip, port }: DnsServer): Promise<boolean> {
  const nameServer = { ipAddr: ip, port };
  try {
    await Deno.resolveDns("nobody.test", "TXT", { nameServer });
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

function freePort(): number {
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}
