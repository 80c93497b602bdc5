/** What passes over the control socket: length-prefixed MessagePack maps of four fields, whose last is JSON. */
import { encode, readFields } from "@tesseras/codec";
import { concat, TesserasError, u32be } from "@tesseras/core";
import { LENGTH_BYTES, MESSAGE_BYTES_MAX } from "@tesseras/core/limits";

/** Any value that JSON can say. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
/** Arguments and results of calls. */
export type JsonObject = { readonly [key: string]: Json };

const KINDS = ["call", "event", "result", "error"] as const;
/** One message: a call, then events while it runs, then its result or error. */
export type ControlMessage = {
  readonly kind: typeof KINDS[number];
  /** Of the call. */
  readonly name: string;
  readonly json: string;
};

/** A call is a flat map of four fields. */
const CALL_LIMITS = { bytesMax: MESSAGE_BYTES_MAX, depthMax: 1, itemsMax: 16 };
/** Bytes of a call's name. */
const NAME_BYTES_MAX = 64;

/** The bytes of a message. @throws `overloaded` when they are more than a frame has */
export function encodeControl(message: ControlMessage): Uint8Array {
  const payload = encode({ v: 1, ...message });
  if (payload.length > MESSAGE_BYTES_MAX) {
    throw new TesserasError(
      "overloaded",
      `Cannot send the ${message.kind} of ${message.name}: ${payload.length} bytes, a frame has at most ${MESSAGE_BYTES_MAX}`,
    );
  }
  return concat([u32be(payload.length), payload]);
}

/** Reads frames from a socket, which it borrows. */
export class ControlReader {
  readonly #connection: Deno.UnixConn;
  #held: Uint8Array = new Uint8Array(0);

  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  /** The next message, `undefined` at the end, also when it comes too early. @throws `malformed` */
  async next(): Promise<ControlMessage | undefined> {
    if (!await this.#fill(LENGTH_BYTES)) return undefined;
    const length = new DataView(this.#held.buffer, this.#held.byteOffset)
      .getUint32(0);
    if (length === 0 || length > MESSAGE_BYTES_MAX) {
      throw new TesserasError(
        "malformed",
        `Cannot read call: ${length} bytes announced, wanted 1 to ${MESSAGE_BYTES_MAX}`,
      );
    }
    if (!await this.#fill(LENGTH_BYTES + length)) return undefined;
    const payload = this.#held.slice(LENGTH_BYTES, LENGTH_BYTES + length);
    this.#held = this.#held.slice(LENGTH_BYTES + length);
    return readControl(payload);
  }

  /** Resolves when the other side hangs up, or says more than it may: it sends nothing while a call runs. */
  async waitForEnd(): Promise<void> {
    await this.#fill(Infinity);
  }

  async #fill(count: number): Promise<boolean> {
    const buffer = new Uint8Array(16 * 1024);
    while (this.#held.length < count) {
      let read: number | null;
      try {
        read = await this.#connection.read(buffer);
      } catch (error) {
        if (isGone(error)) return false;
        throw error;
      }
      if (read === null) return false;
      if (this.#held.length + read > 2 * MESSAGE_BYTES_MAX) return false;
      this.#held = concat([this.#held, buffer.subarray(0, read)]);
    }
    return true;
  }
}

/** Writes a whole frame. */
export async function writeFrame(
  connection: Deno.UnixConn,
  frame: Uint8Array,
): Promise<void> {
  for (let at = 0; at < frame.length;) {
    at += await connection.write(frame.subarray(at));
  }
}

/** The object in a message. @throws `malformed` when there is none */
export function parseJson(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TesserasError("malformed", "Cannot read call: no JSON in it", {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TesserasError("malformed", "Cannot read call: no object in it");
  }
  return value as JsonObject;
}

/** Whether an error says that a socket is closed, at either end. */
export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}

/** Closes what may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** The message of a frame without its length. @throws `malformed` for anything else */
export function readControl(payload: Uint8Array): ControlMessage {
  const fields = readFields(payload, CALL_LIMITS, "call");
  const kind = KINDS.find((one) => one === fields.text("kind", 16));
  if (kind === undefined) return fields.at("kind").refuse(KINDS.join(", "));
  const name = fields.text("name", NAME_BYTES_MAX);
  return { kind, name, json: fields.text("json", MESSAGE_BYTES_MAX) };
}
