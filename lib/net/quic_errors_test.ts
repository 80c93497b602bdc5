import type { ErrorCode } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import {
  closedBy,
  closedLost,
  dialError,
  isOtherNetwork,
  listenError,
  streamError,
} from "./quic_errors.ts";
import { CLOSED_LOST } from "./transport.ts";

const address = { ip: "192.0.2.1", port: 4433 };

Deno.test("reads what the platform says about a dial", () => {
  const said: readonly [text: string, code: ErrorCode][] = [
    ["timed out", "unreachable"],
    ["reset by peer", "unreachable"],
    ["invalid remote address: 192.0.2.1:0", "unreachable"],
    ["closed by peer: not admitted (code 1)", "refused"],
    [
      "aborted by peer: the server refused to accept a new connection",
      "refused",
    ],
    [
      "the cryptographic handshake failed: error 51: invalid peer certificate: BadSignature",
      "forged",
    ],
    [
      'the cryptographic handshake failed: error 42: invalid peer certificate: certificate not valid for name "a.b"',
      "forged",
    ],
  ];
  for (const [text, code] of said) {
    assertEquals(dialError(new Error(text), address).code, code, text);
  }
  const denied = new Deno.errors.NotCapable("Requires net access");
  assertEquals(dialError(denied, address).code, "unusable");
});

Deno.test("a peer cannot make itself look forged, or like another failure, by what it says", () => {
  for (
    const reason of [
      "invalid peer certificate: BadSignature",
      "timed out",
      "the cryptographic handshake failed: error 120",
    ]
  ) {
    const text = `closed by peer: ${reason} (code 7)`;
    assertEquals(dialError(new Error(text), address).code, "refused");
    assertEquals(isOtherNetwork(new Error(text)), false);
  }
});

Deno.test("what a peer says is cut short and loses line breaks and turned text", () => {
  const reason = `a\n\u202eb\u0007${"x".repeat(10_000)}`;
  const closed = closedBy({ closeCode: 9, reason });
  assertEquals(closed.code, 9);
  assertEquals(closed.reason.slice(0, 6), "a??b?x");
  assertEquals(closed.reason.length, 200);
  assertEquals(closedLost(new Error("timed out")), {
    code: CLOSED_LOST,
    reason: "timed out",
  });
});

Deno.test("a stopped stream is refused while its connection lives, and unreachable after", () => {
  const stopped = new Error("sending stopped by peer: error 0");
  assertEquals(streamError(stopped, "write", undefined).code, "refused");
  const closed = { code: 0, reason: "bye" };
  assertEquals(streamError(stopped, "write", closed).code, "unreachable");
});

Deno.test("a taken port is told from an address that cannot be bound", () => {
  const taken = new Deno.errors.AddrInUse("Address already in use");
  assertEquals(listenError(taken, address).code, "inUse");
  const foreign = new Deno.errors.AddrNotAvailable("Cannot assign");
  assertEquals(listenError(foreign, address).code, "unusable");
});
