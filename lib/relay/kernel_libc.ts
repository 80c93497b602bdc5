/** The calls of Linux that move packets in batches, and how their arguments lie in memory. Part of an adapter. */
import { type Address, canonicalIp } from "@tesseras/core";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
/** SOCK_NONBLOCK and EFD_NONBLOCK. */
const NONBLOCK = 0o4000;
/** SOCK_CLOEXEC, EPOLL_CLOEXEC and EFD_CLOEXEC. */
const CLOSE_ON_EXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** Asked for as receive buffer, granted up to `net.core.rmem_max`: a burst outlives the thread's turn. */
const RECEIVE_BYTES = 1_048_576;
/** Bytes of a `sockaddr_in6`, the longer one. */
export const NAME_BYTES = 28;

/** Opens the C library. @throws where there is none of its name, or no permission to call it */
export function openLibc() {
  return Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    setsockopt: {
      parameters: ["i32", "i32", "i32", "buffer", "u32"],
      result: "i32",
    },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    eventfd: { parameters: ["u32", "i32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
    recvmmsg: {
      parameters: ["i32", "buffer", "u32", "i32", "pointer"],
      result: "i32",
    },
    sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  });
}

/** The library's calls. */
export type Libc = ReturnType<typeof openLibc>["symbols"];

/** Whether the layouts below are those of this machine. */
export function isLinux(): boolean {
  return Deno.build.os === "linux" &&
    (Deno.build.arch === "x86_64" || Deno.build.arch === "aarch64");
}

/** A socket and what the kernel bound it to. */
export type BoundSocket = { readonly fd: number; readonly port: number };

/** Binds a non-blocking UDP socket; `undefined` when the address or port cannot be had. */
export function bindUdp(
  libc: Libc,
  { ip, port }: Address,
): BoundSocket | undefined {
  const isV6 = ip.includes(":");
  const kind = SOCK_DGRAM | NONBLOCK | CLOSE_ON_EXEC;
  const fd = libc.socket(isV6 ? AF_INET6 : AF_INET, kind, 0);
  if (fd < 0) return undefined;
  const set = (level: number, name: number, value: number): number =>
    libc.setsockopt(fd, level, name, Int32Array.of(value), 4);
  set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
  if (isV6) set(IPPROTO_IPV6, IPV6_V6ONLY, 0);
  const name = nameOf(ip, port);
  if (libc.bind(fd, name, name.length) !== 0) {
    libc.close(fd);
    return undefined;
  }
  libc.getsockname(fd, name, Uint32Array.of(name.length));
  return { fd, port: addressIn(name)?.port ?? 0 };
}

/** What wakes a thread that waits in {@link Readiness}. */
export function openDoorbell(libc: Libc): number {
  return libc.eventfd(0, NONBLOCK | CLOSE_ON_EXEC);
}

/** Which of many descriptors can be read. */
export class Readiness {
  readonly #libc: Libc;
  readonly #fd: number;
  // `epoll_event` is packed on x86-64 alone.
  readonly #stride = Deno.build.arch === "x86_64" ? 12 : 16;
  readonly #keyAt = Deno.build.arch === "x86_64" ? 4 : 8;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #countMax: number;

  constructor(libc: Libc, countMax: number) {
    this.#libc = libc;
    this.#countMax = countMax;
    this.#fd = libc.epoll_create1(CLOSE_ON_EXEC);
    this.#events = new Uint8Array(this.#stride * countMax);
    this.#view = new DataView(this.#events.buffer);
  }

  /** Watches a descriptor, which {@link keyAt} will name so, until it is closed. */
  add(fd: number, key: number): void {
    const event = new Uint8Array(this.#stride);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setUint32(this.#keyAt, key, true);
    this.#libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, event);
  }

  /** Blocks the thread until something can be read; says how many. */
  wait(ms: number): number {
    return this.#libc.epoll_wait(this.#fd, this.#events, this.#countMax, ms);
  }

  /** The key of the n-th that can be read. */
  keyAt(n: number): number {
    return this.#view.getUint32(n * this.#stride + this.#keyAt, true);
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#fd);
  }
}

/** An address as `sockaddr_in` or `sockaddr_in6`. */
export function nameOf(ip: string, port: number): Uint8Array<ArrayBuffer> {
  const isV6 = ip.includes(":");
  const name = new Uint8Array(isV6 ? NAME_BYTES : 16);
  const view = new DataView(name.buffer);
  view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  const bytes = isV6 ? bytesOfIpv6(ip) : ip.split(".").map(Number);
  name.set(bytes, isV6 ? 8 : 4);
  return name;
}

/** The address in what the kernel wrote; `undefined` for one of another family. */
export function addressIn(name: Uint8Array): Address | undefined {
  const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return { ip: name.subarray(4, 8).join("."), port };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from(
    { length: 8 },
    (_, i) => view.getUint16(8 + 2 * i).toString(16),
  );
  const ip = canonicalIp(groups.join(":"));
  return ip === undefined ? undefined : { ip, port };
}

function bytesOfIpv6(ip: string): readonly number[] {
  const [head = "", tail] = ip.split("::");
  const left = head.split(":").filter((group) => group !== "");
  const right = (tail ?? "").split(":").filter((group) => group !== "");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
