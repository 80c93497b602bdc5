/** What the platform says when QUIC fails, in our codes. It throws plain errors with texts; nobody else reads those texts. */
import {
  type Address,
  formatAddress,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import { type Closed, CLOSED_LOST } from "./transport.ts";

/** Letters kept of a reason that a peer or the platform gives. */
const REASON_LENGTH_MAX = 200;

/** The error of a failed dial: `forged`, `refused`, `unusable` (no permission) or `unreachable`. */
export function dialError(error: unknown, address: Address): TesserasError {
  if (error instanceof TesserasError) return error;
  const text = shorten(messageOf(error));
  const cannot = `Cannot connect to ${formatAddress(address)}`;
  if (error instanceof Deno.errors.NotCapable) {
    return new TesserasError("unusable", `${cannot}: ${text}`, {
      cause: error,
    });
  }
  if (isOtherNetwork(error)) {
    return new TesserasError(
      "refused",
      `${cannot}: the node there is of another network, or of another version`,
      { cause: error },
    );
  }
  // The far end's own complaint about us also names a handshake, so whose words these are comes first.
  if (/^(closed|aborted) by peer/.test(text)) {
    return new TesserasError("refused", `${cannot}: ${text}`, {
      cause: error,
    });
  }
  if (/invalid peer certificate/.test(text)) {
    return new TesserasError(
      "forged",
      `${cannot}: it does not hold the expected key (${text})`,
      { cause: error },
    );
  }
  return new TesserasError("unreachable", `${cannot}: ${text}`, {
    cause: error,
  });
}

/** Whether the two ends had no application protocol in common (TLS alert 120, RFC 7301, 3.2): their networks or versions differ. */
export function isOtherNetwork(error: unknown): boolean {
  return /^(?:aborted by peer: )?the cryptographic handshake failed: error 120\b/
    .test(messageOf(error));
}

/** The error of opening a socket: `inUse` when the port is taken, `unusable` otherwise. */
export function listenError(error: unknown, address: Address): TesserasError {
  if (error instanceof TesserasError) return error;
  const code = error instanceof Deno.errors.AddrInUse ? "inUse" : "unusable";
  const text = shorten(messageOf(error));
  return new TesserasError(
    code,
    `Cannot listen on UDP ${formatAddress(address)}: ${text}`,
    { cause: error },
  );
}

/** The error of a stream operation. `closed` is how its connection ended, if it has. */
export function streamError(
  error: unknown,
  doing: string,
  closed: Closed | undefined,
): TesserasError {
  if (error instanceof TesserasError) return error;
  const text = shorten(messageOf(error));
  if (closed === undefined && /stopped by peer/.test(text)) {
    return new TesserasError(
      "refused",
      `Cannot ${doing}: the peer abandoned the stream`,
      { cause: error },
    );
  }
  const saw = closed === undefined
    ? text
    : `the connection is over (code ${closed.code} ${
      JSON.stringify(closed.reason)
    })`;
  return new TesserasError("unreachable", `Cannot ${doing}: ${saw}`, {
    cause: error,
  });
}

/** How a connection ended by the platform's account of a close that somebody sent. */
export function closedBy(info: Deno.QuicCloseInfo): Closed {
  return { code: Number(info.closeCode), reason: shorten(info.reason) };
}

/** How a connection ended that died of an error. */
export function closedLost(error: unknown): Closed {
  return { code: CLOSED_LOST, reason: shorten(messageOf(error)) };
}

/** Peers write parts of these texts: no line breaks, marks that turn text round, or endless reasons reach a log or a terminal. */
function shorten(text: string): string {
  return text.slice(0, REASON_LENGTH_MAX).replace(/\p{C}/gu, "?");
}
