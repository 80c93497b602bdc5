import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { type Encodable, encode } from "@tesseras/codec";
import { hash, nodeId, tesseraId } from "@tesseras/core";
import {
  AUDIT_BULK_BYTES_MAX,
  AUDIT_LEAF_COUNT_MAX,
  AUDIT_LEAVES_MAX,
  BULK_BYTES_MAX,
  MEETING_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  NODE_RECORD_BYTES_MAX,
  PROVIDER_RECORD_BYTES_MAX,
  PUNCH_WAIT_MAX_MS,
} from "@tesseras/core/limits";
import fc from "fast-check";
import { CAPABILITIES_MAX } from "./capabilities.ts";
import { decodeMessage, encodeFrame, frameLength } from "./frame.ts";
import { WIRE_CODES } from "./messages_error.ts";
import {
  bulkBytesOf,
  definitionOf,
  isRequest,
  isResponseTo,
  type Message,
  REGISTRY,
} from "./registry.ts";

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length });
const record = fc.uint8Array({ maxLength: 300 });
const entry = fc.tuple(record, record)
  .map(([record, holder]) => ({ record, holder }));
const entries = fc.array(entry, { maxLength: 20 });
const records = fc.array(record, { maxLength: 20 });
const observed = fc.integer({ min: 1, max: 65535 })
  .map((port) => ({ ip: port % 2 ? "192.0.2.7" : "2001:db8::1", port }));
const small = fc.integer({ min: 0, max: 20 });
const index = fc.integer({ min: 0, max: 71 });
const bulk = fc.integer({ min: 0, max: BULK_BYTES_MAX });
const leaves = fc.uniqueArray(
  fc.integer({ min: 0, max: AUDIT_LEAF_COUNT_MAX - 1 }),
  { minLength: 1, maxLength: AUDIT_LEAVES_MAX },
).map((drawn) => drawn.sort((a, b) => a - b));
const waitMs = fc.integer({ min: 0, max: PUNCH_WAIT_MAX_MS });
const rendezvous = fc.option(
  fc.record({ relay: record, offer: record }, { noNullPrototype: true }),
  { nil: undefined },
);
const text = fc.string({ unit: "binary", maxLength: 128 })
  .filter((value) => !value.startsWith("\ufeff"));

/** Every message with arbitrary fields; a missing one breaks the build. */
const SAMPLES: {
  readonly [Name in Message["type"]]: fc.Arbitrary<
    Omit<Extract<Message, { type: Name }>, "type">
  >;
} = {
  challenge: fc.record({ nonce: bytes(32), record, observed }),
  proof: fc.record({ record, signature: bytes(64) }),
  ping: fc.constant({}),
  pong: fc.record({ record, observed }),
  find_node: fc.record({
    target: bytes(20).map(nodeId),
    want: fc.integer({ min: 0, max: CAPABILITIES_MAX }),
  }),
  nodes: fc.record({ records }),
  find_value: fc.record({ tessera: bytes(32).map(tesseraId), skip: small }),
  providers: fc.record({ providers: entries, more: small, nodes: records }),
  store: fc.record({ entries }),
  stored: fc.record({ accepted: small, refused: small }),
  put_fragment: fc.record({ plan: record, index, repair: record, bulk }, {
    requiredKeys: ["plan", "index", "bulk"],
  }),
  kept: fc.record({ provider: record }),
  get_fragment: fc.record({
    plan: bytes(32).map(hash),
    index,
    offset: bulk,
    length: bulk,
  }),
  fragment: fc.record({ bulk }),
  get_plan: fc.record({ plan: bytes(32).map(hash) }),
  plan: fc.record({ plan: record }),
  attest: fc.record({ plan: bytes(32).map(hash) }),
  audit: fc.record({ plan: bytes(32).map(hash), index, leaves }),
  audited: fc.record({
    bulk: fc.integer({ min: 0, max: AUDIT_BULK_BYTES_MAX }),
  }),
  forget: fc.record({ tombstone: record }),
  forgotten: fc.record({ count: bulk }),
  punch_intro: fc.record({ intro: record, rendezvous }),
  punch_ready: fc.record({ consent: record, observed, waitMs }),
  punch_request: fc.record({ intro: record, observed, waitMs, rendezvous }),
  punch_agreed: fc.record({ consent: record }),
  relay_request: fc.record({ request: record }),
  relay_offer: fc.record({ offer: record }),
  relay_migrate: fc.record({ migration: record }),
  relay_close: fc.record({ end: record }),
  relay_closed: fc.constant({}),
  error: fc.record({ code: fc.constantFrom(...WIRE_CODES), text }),
};

const message = fc.oneof(
  ...Object.entries(SAMPLES).map(([type, fields]) =>
    (fields as fc.Arbitrary<object>).map((drawn) =>
      ({ type, ...drawn }) as Message
    )
  ),
);

/** The payload of a frame around a body that may be anything. */
function payloadOf(body: Encodable, envelope: Encodable = {}): Uint8Array {
  return encode({ v: 1, id: 7, body, ...envelope as object });
}

Deno.test("every message comes out of its frame as it went in", () => {
  const id = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(message, id, (body, id) => {
      const frame = encodeFrame({ v: 1, id, body });
      assertEquals(frameLength(frame.subarray(0, 4)), frame.length - 4);
      assertEquals(decodeMessage(frame.subarray(4)), { v: 1, id, body });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a message shares no memory with its frame", () => {
  const plan = Uint8Array.of(1, 2, 3);
  const frame = encodeFrame({ v: 1, id: 0, body: { type: "plan", plan } });
  const envelope = decodeMessage(frame.subarray(4));
  frame.fill(0);
  assertEquals(envelope.body, { type: "plan", plan });
});

Deno.test("a message carries its own fields only, whatever its object holds", () => {
  const secret = Uint8Array.of(7, 7, 7);
  const entry = { record: Uint8Array.of(1), holder: Uint8Array.of(2), secret };
  const body: Message = { type: "store", entries: [entry] };
  const plain: Message = {
    type: "store",
    entries: [{ record: entry.record, holder: entry.holder }],
  };
  assertEquals(
    encodeFrame({ v: 1, id: 1, body }),
    encodeFrame({ v: 1, id: 1, body: plain }),
  );
});

Deno.test("decodeMessage() ignores fields it does not know", () => {
  const body = { type: "find_node", target: new Uint8Array(20), want: 0, x: 5 };
  assertEquals(decodeMessage(payloadOf(body, { extra: ["new"] })).body, {
    type: "find_node",
    target: nodeId(new Uint8Array(20)),
    want: 0,
  });
});

Deno.test("decodeMessage() refuses versions and ids it does not speak", () => {
  for (const v of [0, 2, -1, "1", null]) {
    assertThrowsCode(
      () => decodeMessage(encode({ v, id: 7, body: { type: "ping" } })),
      "malformed",
      /message\.v/,
    );
  }
  for (const id of [-1, 2 ** 32, "7", null]) {
    assertThrowsCode(
      () => decodeMessage(encode({ v: 1, id, body: { type: "ping" } })),
      "malformed",
      /message\.id/,
    );
  }
});

Deno.test("decodeMessage() refuses names that are no message, those of the object prototype too", () => {
  for (const type of ["pang", "constructor", "__proto__", "toString", ""]) {
    assertThrowsCode(
      () => decodeMessage(payloadOf({ type })),
      "malformed",
      /message\.body\.type/,
    );
  }
  assertThrowsCode(() => decodeMessage(payloadOf([])), "malformed", /body/);
  assertThrowsCode(() => decodeMessage(payloadOf({})), "malformed", /absent/);
});

Deno.test("decodeMessage() refuses every message without any one of its fields, and with nil in its place", () => {
  fc.assert(
    fc.property(message, (body) => {
      const fields = definitionOf(body.type)!.write(body);
      for (const name of Object.keys(fields)) {
        if (fields[name] === undefined) continue;
        const { [name]: _, ...rest } = fields;
        const nil = { ...rest, [name]: null };
        const isOptional = ["skip", "repair", "rendezvous"].includes(name);
        for (const broken of isOptional ? [nil] : [rest, nil]) {
          assertThrowsCode(
            () => decodeMessage(payloadOf({ type: body.type, ...broken })),
            "malformed",
            new RegExp(`body\\.${name}`),
          );
        }
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("decodeMessage() refuses fields over their limits", () => {
  const hash32 = new Uint8Array(32);
  const big = new Uint8Array(NODE_RECORD_BYTES_MAX + 1);
  const signed = new Uint8Array(MEETING_BYTES_MAX + 1);
  const over: readonly (readonly [Encodable, RegExp])[] = [
    [{ type: "proof", record: big, signature: new Uint8Array(64) }, /record/],
    [
      { type: "proof", record: hash32, signature: new Uint8Array(63) },
      /signature/,
    ],
    [{ type: "find_node", target: hash32, want: 0 }, /target/],
    [{ type: "nodes", records: Array(21).fill(hash32) }, /list of 21/],
    [
      {
        type: "store",
        entries: Array(21).fill({ record: hash32, holder: hash32 }),
      },
      /list of 21/,
    ],
    [
      { type: "store", entries: [{ record: hash32, holder: big }] },
      /\[0\]\.holder/,
    ],
    [{ type: "fragment", bulk: BULK_BYTES_MAX + 1 }, /bulk/],
    [
      { type: "get_fragment", plan: hash32, index: 72, offset: 0, length: 1 },
      /index/,
    ],
    [{ type: "plan", plan: new Uint8Array(16 * 1024 + 1) }, /plan/],
    [
      { type: "put_fragment", plan: hash32, index: 0, bulk: 1, repair: big },
      /repair/,
    ],
    [{ type: "forget", tombstone: new Uint8Array(4 * 1024 + 1) }, /tombstone/],
    [{ type: "audited", bulk: AUDIT_BULK_BYTES_MAX + 1 }, /bulk/],
    [
      { type: "audit", plan: hash32, index: 0, leaves: [AUDIT_LEAF_COUNT_MAX] },
      /leaves\[0\]/,
    ],
    [
      {
        type: "audit",
        plan: hash32,
        index: 0,
        leaves: Array.from({ length: AUDIT_LEAVES_MAX + 1 }, (_, at) => at),
      },
      /list of 17/,
    ],
    [{ type: "error", code: "refused", text: "é".repeat(257) }, /text/],
    [{ type: "pong", record: hash32, observed: "127.0.0.1:0" }, /observed/],
    [{ type: "punch_intro", intro: signed }, /intro/],
    [{ type: "punch_agreed", consent: signed }, /consent/],
    [
      { type: "punch_intro", intro: hash32, rendezvous: { relay: big } },
      /rendezvous\.relay/,
    ],
    [
      {
        type: "punch_intro",
        intro: hash32,
        rendezvous: { relay: hash32, offer: signed },
      },
      /rendezvous\.offer/,
    ],
    [
      {
        type: "punch_request",
        intro: hash32,
        observed: "192.0.2.7:4433",
        wait: PUNCH_WAIT_MAX_MS + 1,
      },
      /wait/,
    ],
    [
      {
        type: "punch_ready",
        consent: hash32,
        observed: "224.0.0.1:4433",
        wait: 0,
      },
      /observed/,
    ],
    [{ type: "relay_request", request: signed }, /request/],
    [{ type: "relay_offer", offer: signed }, /offer/],
    [{ type: "relay_migrate", migration: signed }, /migration/],
    [{ type: "relay_close", end: signed }, /end/],
  ];
  for (const [body, message] of over) {
    assertThrowsCode(
      () => decodeMessage(payloadOf(body)),
      "malformed",
      message,
    );
  }
});

Deno.test("decodeMessage() refuses no leaves, one twice, and leaves out of order", () => {
  const plan = new Uint8Array(32);
  for (const leaves of [[], [3, 3], [4, 3], [1, 2, 9, 2]]) {
    assertThrowsCode(
      () => decodeMessage(payloadOf({ type: "audit", plan, index: 0, leaves })),
      "malformed",
      /at least one, ascending and each once/,
    );
  }
});

Deno.test("the largest answer fits in a frame", () => {
  const record = new Uint8Array(PROVIDER_RECORD_BYTES_MAX);
  const holder = new Uint8Array(NODE_RECORD_BYTES_MAX);
  const body: Message = {
    type: "providers",
    providers: Array(20).fill({ record, holder }),
    more: 100_000,
    nodes: Array(20).fill(holder),
  };
  const frame = encodeFrame({ v: 1, id: 0xffff_ffff, body });
  assertEquals(decodeMessage(frame.subarray(4)).body, body);
});

Deno.test("encodeFrame() refuses what no frame may hold", () => {
  const records = Array(70).fill(new Uint8Array(1000));
  assertThrowsCode(
    () => encodeFrame({ v: 1, id: 1, body: { type: "nodes", records } }),
    "unusable",
    /at most 65536/,
  );
});

Deno.test("frameLength() refuses 0, more than 64 KiB, and part of a length", () => {
  const prefix = (length: number) => {
    const four = new Uint8Array(4);
    new DataView(four.buffer).setUint32(0, length);
    return four;
  };
  assertEquals(frameLength(prefix(1)), 1);
  assertEquals(frameLength(prefix(MESSAGE_BYTES_MAX)), MESSAGE_BYTES_MAX);
  for (const length of [0, MESSAGE_BYTES_MAX + 1, 0xffff_ffff]) {
    assertThrowsCode(() => frameLength(prefix(length)), "malformed");
  }
  assertThrowsCode(() => frameLength(new Uint8Array(3)), "malformed");
});

Deno.test("every request names a response, and only messages with bulk carry a length", () => {
  for (const [name, definition] of Object.entries(REGISTRY)) {
    assertEquals(
      definition.kind === "request",
      definition.answer !== undefined,
    );
    if (definition.answer !== undefined) {
      assertEquals(definitionOf(definition.answer)?.kind, "response");
    }
    const [sample] = fc.sample(
      SAMPLES[name as Message["type"]] as fc.Arbitrary<object>,
      1,
    );
    assertEquals("bulk" in sample!, definition.hasBulk, name);
  }
});

Deno.test("isResponseTo() accepts the response of the table and nothing else", () => {
  const ping: Message = { type: "ping" };
  const nodes: Message = { type: "nodes", records: [] };
  const find: Message = {
    type: "find_node",
    target: nodeId(new Uint8Array(20)),
    want: 0,
  };
  assertEquals(isResponseTo(nodes, find), true);
  assertEquals(isResponseTo(nodes, ping), false);
  assertEquals(isResponseTo(ping, ping), false);
  assertEquals([isRequest(ping), isRequest(nodes)], [true, false]);
  assertEquals(bulkBytesOf({ type: "fragment", bulk: 9 }), 9);
  assertEquals(bulkBytesOf(ping), 0);
});
