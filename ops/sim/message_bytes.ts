/** How many bytes a message takes on the wire, without encoding every one of millions. */
import { LENGTH_BYTES, WIRE_VERSION } from "@tesseras/core/limits";
import {
  decodeMessage,
  encodeFrame,
  type Message,
  MESSAGE_ID_MAX,
} from "@tesseras/wire";

/** Bytes of a dial: two flights of the dialer, one of at least 1,200 (RFC 9000, 14.1), and of the answer with a certificate of 0.8 KB. */
export const DIAL_BYTES = 1_200 + 200;
export const ACCEPT_BYTES = 1_200 + 1_000;
/** Bytes of the challenge and its proof, beside the record in each. */
export const CHALLENGE_BYTES = 120;

/** Frames of messages whose length does not depend on what they say, by name; filled when one is first seen. */
const FIXED = ["ping", "find_node", "find_value"];

/** Knows the length of the frame of any message: that of the real encoding. */
export class MessageBytes {
  readonly #known = new Map<string, number>();

  /** Bytes of the message's frame, its length prefix included, with the longest id. */
  of(message: Message): number {
    switch (message.type) {
      case "nodes":
        return this.#base("nodes", { ...message, records: [] }) +
          listBytes(message.records);
      case "pong":
        return this.#pongBase(message) + binBytes(message.record);
      default:
        return FIXED.includes(message.type)
          ? this.#base(`${message.type}/${shapeOf(message)}`, message)
          : encodedBytes(message);
    }
  }

  #base(key: string, message: Message): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // An empty list takes one byte, which `listBytes` counts again.
    const bytes = encodedBytes(message) - (message.type === "nodes" ? 1 : 0);
    this.#known.set(key, bytes);
    return bytes;
  }

  #pongBase(message: Extract<Message, { readonly type: "pong" }>): number {
    const { ip, port } = message.observed;
    const key = `pong/${ip.length + String(port).length}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const bytes = encodedBytes(message) - binBytes(message.record);
    this.#known.set(key, bytes);
    return bytes;
  }
}

/**
 * The message as its receiver reads it, through the real encoding and the real gate.
 *
 * @throws `malformed` for what the gate refuses, `unusable` for what cannot be sent at all
 */
export function throughGate(message: Message): Message {
  const envelope = { v: WIRE_VERSION, id: MESSAGE_ID_MAX, body: message };
  return decodeMessage(encodeFrame(envelope).subarray(LENGTH_BYTES)).body;
}

function encodedBytes(message: Message): number {
  const envelope = { v: WIRE_VERSION, id: MESSAGE_ID_MAX, body: message };
  return encodeFrame(envelope).length;
}

/** What makes two messages of one name differ in length. */
function shapeOf(message: Message): string {
  if (message.type === "find_node") return `${message.want}`;
  if (message.type === "find_value") return `${message.skip}`;
  return "";
}

/** A MessagePack list of byte strings. */
function listBytes(list: readonly Uint8Array[]): number {
  let bytes = list.length < 16 ? 1 : 3;
  for (const item of list) bytes += binBytes(item);
  return bytes;
}

/** A MessagePack byte string, its head included. */
function binBytes({ length }: Uint8Array): number {
  return length + (length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 5);
}
