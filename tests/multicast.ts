/** Whether packets to a multicast group come back to this machine over an interface, tried without any code of ours. */
import { createSocket } from "node:dgram";

/** The group of multicast DNS (RFC 6762, section 3); the port is another, so that nobody is disturbed. */
const GROUP = "224.0.0.251";
/** How long a packet to ourselves may take on a busy machine. */
const PATIENCE_MS = 2_000;

/** Tries it; says so when it does not work. */
export async function multicastWorks(ip: string): Promise<boolean> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const works = await new Promise<boolean>((resolve) => {
    const giveUp = setTimeout(() => resolve(false), PATIENCE_MS);
    const end = (works: boolean): void => {
      clearTimeout(giveUp);
      resolve(works);
    };
    socket.on("error", () => end(false));
    socket.on("message", () => end(true));
    socket.bind(0, "0.0.0.0", () => {
      try {
        socket.addMembership(GROUP, ip);
        socket.setMulticastInterface(ip);
        socket.setMulticastLoopback(true);
        socket.send("hello", socket.address().port, GROUP);
      } catch {
        end(false); // not allowed, or no such interface: said below
      }
    });
  });
  await new Promise<void>((closed) => socket.close(closed));
  if (!works) console.log(`skipped: multicast does not work here on ${ip}`);
  return works;
}
