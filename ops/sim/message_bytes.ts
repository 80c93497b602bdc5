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
/** Bytes of the packet that closes a connection, with its reason. */
export const CLOSE_BYTES = 50;

/** Knows the length of the frame of any message: that of the real encoding. */
export class MessageBytes {
  readonly #ping = new Lengths<Message>();
  readonly #findNode = new Lengths<Message>();
  readonly #findValue = new Lengths<Message>();
  readonly #pong = new Lengths<Pong>(({ record }) => binBytes(record));
  readonly #nodes = new Lengths<Nodes>(({ records }) => listBytes(records));

  /** Bytes of the message's frame, its length prefix included, with the longest id. */
  of(message: Message): number {
    switch (message.type) {
      case "nodes":
        return this.#nodes.of(message, 0);
      case "pong": {
        const { ip, port } = message.observed;
        return this.#pong.of(message, ip.length + String(port).length);
      }
      case "ping":
        return this.#ping.of(message, 0);
      case "find_node":
        return this.#findNode.of(message, message.want);
      case "find_value":
        return this.#findValue.of(message, message.skip);
      default:
        return encodedBytes(message);
    }
  }
}

type Nodes = Extract<Message, { readonly type: "nodes" }>;
type Pong = Extract<Message, { readonly type: "pong" }>;

/** Lengths of the messages of one kind: the first of each shape is encoded, and those like it differ in one part at most. */
class Lengths<M extends Message> {
  readonly #varying: (message: M) => number;
  /** Bytes beside the varying part, by shape. */
  readonly #fixed = new Map<number, number>();

  /** @param varying bytes of the part that differs; none unless given */
  constructor(varying: (message: M) => number = () => 0) {
    this.#varying = varying;
  }

  /** @param shape what else the length depends on, as a number */
  of(message: M, shape: number): number {
    const varying = this.#varying(message);
    const known = this.#fixed.get(shape);
    if (known !== undefined) return known + varying;
    const bytes = encodedBytes(message);
    this.#fixed.set(shape, bytes - varying);
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
