import { assertEquals, assertTrue } from "@tesseras/testing";
import * as fc from "fast-check";
import { parseNodeId, utf8 } from "@tesseras/core";
import {
  answerOf,
  asksForUs,
  type Packet,
  QUESTION,
  readAnswer,
  type ResourceRecord,
  SERVICE,
} from "./mdns_packet.ts";

const ID = parseNodeId("00ab".repeat(10));
const SELF = { id: ID, network: "main", port: 4433 };

/** A packet as it arrives: the library turns texts of TXT records into bytes. */
function arrived(packet: Packet): Packet {
  const additionals = packet.additionals!.map((record) =>
    record.type === "TXT"
      ? { ...record, data: (record.data as string[]).map(utf8) }
      : record
  );
  return { ...packet, additionals };
}

/** An answer with one of its records changed. */
function changed(
  type: string,
  change: (record: ResourceRecord) => ResourceRecord,
): Packet {
  const { answers, additionals } = arrived(answerOf(SELF, "192.168.1.7"));
  const all = [...answers!, ...additionals!];
  return {
    answers: all.map((one) => one.type === type ? change(one) : one),
  };
}

Deno.test("what a node says of itself is read as its id and port, at the address it came from", () => {
  const packet = arrived(answerOf(SELF, "192.168.1.7"));
  assertEquals(readAnswer(packet, "192.168.1.9", "main"), {
    id: ID,
    address: { ip: "192.168.1.9", port: 4433 },
  });
  assertTrue(asksForUs(QUESTION));
  assertTrue(
    asksForUs({ questions: [{ name: "_Tesseras._UDP.local", type: "ANY" }] }),
  );
});

Deno.test("packets of others mean nothing to us", () => {
  assertEquals(readAnswer({}, "192.168.1.9", "main"), undefined);
  const printer = { name: "_ipp._tcp.local", type: "PTR", data: "x" };
  assertEquals(
    readAnswer({ answers: [printer] }, "192.168.1.9", "main"),
    undefined,
  );
  for (const type of ["A", "PTR"]) {
    const name = type === "A" ? SERVICE : "_ipp._tcp.local";
    assertEquals(asksForUs({ questions: [{ name, type }] }), false);
  }
});

Deno.test("nodes of another network are passed over, and who names none is of the public one", () => {
  const from = "192.168.1.9";
  const main = arrived(answerOf(SELF, from));
  const garden = arrived(answerOf({ ...SELF, network: "garden" }, from));
  assertEquals(readAnswer(garden, from, "main"), undefined);
  assertEquals(readAnswer(main, from, "garden"), undefined);
  const unnamed = changed("TXT", (one) => ({
    ...one,
    data: [utf8("v=tesseras1"), utf8(`id=${"00ab".repeat(10)}`)],
  }));
  const peer = { id: ID, address: { ip: from, port: 4433 } };
  assertEquals(readAnswer(garden, from, "garden"), peer);
  assertEquals(readAnswer(unnamed, from, "main"), peer);
  assertEquals(readAnswer(unnamed, from, "garden"), undefined);
});

Deno.test("an answer from outside the local network, or one that does not hold, is refused", () => {
  const good = arrived(answerOf(SELF, "192.168.1.7"));
  for (const from of ["203.0.113.9", "2001:db8::1", "nonsense", ""]) {
    assertEquals(readAnswer(good, from, "main"), "refused", from);
  }
  const wrong: readonly Packet[] = [
    { answers: good.answers! },
    changed("SRV", (one) => ({ ...one, data: { port: 0 } })),
    changed("SRV", (one) => ({ ...one, data: { port: 70_000 } })),
    changed("SRV", (one) => ({ ...one, data: { port: "4433" } })),
    changed("SRV", (one) => ({ ...one, data: null })),
    changed("SRV", (one) => ({ ...one, name: "other" })),
    changed("TXT", (one) => ({ ...one, data: [] })),
    changed("TXT", (one) => ({ ...one, data: [utf8("v=tesseras1")] })),
    changed("TXT", (one) => ({ ...one, data: [utf8("id=00ab")] })),
    changed("TXT", (one) => ({
      ...one,
      data: [utf8("v=tesseras1"), utf8("id=00ab")],
    })),
    changed("TXT", (one) => ({ ...one, data: [Uint8Array.of(0xff)] })),
    changed("PTR", (one) => ({ ...one, data: {} })),
    { answers: Array(900).fill(good.answers![0]) },
  ];
  for (const [n, packet] of wrong.entries()) {
    assertEquals(
      readAnswer(packet, "192.168.1.9", "main"),
      "refused",
      `packet ${n}`,
    );
  }
});

Deno.test("no packet whatever does more than be refused", () => {
  const record = fc.record({
    name: fc.oneof(fc.string(), fc.constant(SERVICE)),
    type: fc.oneof(fc.string(), fc.constantFrom("PTR", "SRV", "TXT")),
    data: fc.oneof(
      fc.anything(),
      fc.constant(SERVICE),
      fc.record({ port: fc.anything() }),
      fc.array(fc.uint8Array()),
    ),
  });
  const packet = fc.record({ answers: fc.array(record, { maxLength: 50 }) });
  fc.assert(fc.property(packet, (one) => {
    const read = readAnswer(one, "10.0.0.1", "main");
    assertTrue(
      read === undefined || read === "refused" || read.address.port > 0,
    );
  }));
});
