import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { encodeFrame, type Message, MESSAGE_ID_MAX } from "@tesseras/wire";
import { NODE_RECORD_TTL_MS, WIRE_VERSION } from "@tesseras/core/limits";
import { SeededRandom } from "@tesseras/core";
import { City } from "./city.ts";
import { MessageBytes } from "./message_bytes.ts";
import { groundId } from "./rogues.ts";

Deno.test("a record is checked once, and one whose signature does not fit is refused however often it comes", async () => {
  await using city = new City({ seed: 1 });
  const { node } = await city.settle();
  const nowMs = city.clock.nowMs();
  const { bytes } = node.record();
  const read = city.records.node(bytes, nowMs);
  assertTrue(city.records.node(bytes.slice(), nowMs) === read);
  const forged = bytes.slice();
  forged[forged.length - 1]! ^= 1;
  for (let i = 0; i < 2; i++) {
    assertThrowsCode(() => city.records.node(forged, nowMs), "forged");
  }
  assertThrowsCode(
    () => city.records.node(bytes, nowMs + NODE_RECORD_TTL_MS),
    "refused",
  );
});

Deno.test("an id granted to an attacker is nearer to the key than work alone allows, and only its key has it", async () => {
  await using city = new City({ seed: 2 });
  const { node: honest } = await city.settle();
  const { node: other } = await city.settle();
  const id = groundId(honest.id, new SeededRandom(3));
  assertEquals(id.slice(0, 6), honest.id.slice(0, 6));
  city.records.assign(honest.identity.publicKey, id);
  const nowMs = city.clock.nowMs();
  assertEquals(city.records.node(honest.record().bytes, nowMs).id, id);
  assertEquals(city.records.node(other.record().bytes, nowMs).id, other.id);
});

Deno.test("the length of every message is that of its real encoding", async () => {
  await using city = new City({ seed: 3 });
  const records: Uint8Array[] = [];
  for (let i = 0; i < 20; i++) {
    records.push((await city.settle()).node.record().bytes);
  }
  const [record] = records;
  const observed = { ip: "11.0.0.7", port: 4433 };
  const messages: Message[] = [
    { type: "ping" },
    { type: "pong", record: record!, observed },
    { type: "pong", record: record!, observed: { ...observed, port: 1 } },
    { type: "find_node", target: city.living[0]!.node.id, want: 0 },
    { type: "find_node", target: city.living[0]!.node.id, want: 1 },
    ...[0, 1, 15, 16, 20].map((count): Message => ({
      type: "nodes",
      records: records.slice(0, count),
    })),
    { type: "stored", accepted: 1, refused: 0 },
    { type: "error", code: "refused", text: "No" },
  ];
  const lengths = new MessageBytes();
  // Twice, because the second time some are remembered.
  for (const message of [...messages, ...messages]) {
    const envelope = { v: WIRE_VERSION, id: MESSAGE_ID_MAX, body: message };
    assertEquals(lengths.of(message), encodeFrame(envelope).length);
  }
});
