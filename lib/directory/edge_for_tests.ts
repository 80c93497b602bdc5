/**
 * The directory page as somebody runs it who has nothing but `Request` and `Response`: no permission, no socket, no disk.
 * Prints one line of JSON for each answer.
 */
import { MemoryDirectory } from "./memory.ts";
import { directoryPage } from "./page.ts";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = {
  bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
  below: (limit: number) => Math.floor(Math.random() * limit),
};
const directory = new MemoryDirectory({ nowMs: clock.nowMs, random });
await directory.put([{
  id: "00ab".repeat(10),
  record: Uint8Array.of(250, 251, 252),
  addresses: ["198.51.100.7:4433"],
  offers: ["DHT", "STORAGE"],
  subnet: "198.51.100.0/24",
  seenMs: clock.nowMs(),
  expiresAtMs: clock.nowMs() + 60_000,
}]);
const app = directoryPage({
  directory,
  clock,
  random,
  powBits: 16,
  isLocal: false,
  count() {},
});
const asked = [
  ["GET", "/.well-known/tesseras"],
  ["HEAD", "/.well-known/tesseras"],
  ["GET", "/"],
] as const;
for (const [method, path] of asked) {
  const request = new Request(`https://edge.example${path}`, { method });
  const caller = { ip: "203.0.113.9", network: "203.0.113.9" };
  const answer = await app.fetch(request, { caller });
  console.log(JSON.stringify({
    status: answer.status,
    type: answer.headers.get("content-type"),
    text: await answer.text(),
  }));
}
