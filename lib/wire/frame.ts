/** Frames: a length and one message in its envelope. Everything from a peer's stream passes here first. */
import { encode, readFields } from "@tesseras/codec";
import { TesserasError } from "@tesseras/core";
import {
  LENGTH_BYTES,
  MESSAGE_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
  WIRE_VERSION,
} from "@tesseras/core/limits";
import { definitionOf, type Message } from "./registry.ts";

/** One message as it travels. */
export type Envelope = {
  /** The version of the protocol its body is written in. */
  readonly v: number;
  /** Chosen by the asker, repeated by the answerer: 0 to 2^32 - 1. */
  readonly id: number;
  readonly body: Message;
};

/** The largest {@link Envelope.id}. */
export const MESSAGE_ID_MAX = 0xffff_ffff;
/** The oldest version we understand: the one before ours, once there is one. */
export const WIRE_VERSION_MIN = Math.max(1, WIRE_VERSION - 1);
/** Bytes of a message's name. */
const NAME_BYTES_MAX = 32;

const LIMITS = {
  bytesMax: MESSAGE_BYTES_MAX,
  depthMax: MESSAGE_DEPTH_MAX,
  itemsMax: MESSAGE_ITEMS_MAX,
};

/**
 * The frame of a message, length included: fresh bytes for one write.
 *
 * @throws `unusable` when the message is over 64 KiB or has a text without encoding
 */
export function encodeFrame(envelope: Envelope): Uint8Array {
  const { v, id, body } = envelope;
  const fields = definitionOf(body.type)!.write(body);
  const frame = encode(
    { v, id, body: { type: body.type, ...fields } },
    LENGTH_BYTES,
  );
  const length = frame.length - LENGTH_BYTES;
  if (length > MESSAGE_BYTES_MAX) {
    throw new TesserasError(
      "unusable",
      `Cannot send ${body.type}: ${length} bytes, at most ${MESSAGE_BYTES_MAX}`,
    );
  }
  new DataView(frame.buffer).setUint32(0, length);
  return frame;
}

/**
 * The length of the message that follows a 4-byte prefix.
 *
 * @throws `malformed` when it is 0 or over 64 KiB, so that no reader allocates what a peer only announced
 */
export function frameLength(prefix: Uint8Array): number {
  if (prefix.length !== LENGTH_BYTES) {
    throw new TesserasError(
      "malformed",
      `Cannot read frame: ${prefix.length} bytes of length, wanted ${LENGTH_BYTES}`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.length);
  const length = view.getUint32(0);
  if (length === 0 || length > MESSAGE_BYTES_MAX) {
    throw new TesserasError(
      "malformed",
      `Cannot read frame: length ${length}, wanted 1 to ${MESSAGE_BYTES_MAX}`,
    );
  }
  return length;
}

/**
 * The message of a frame without its length. Borrows the bytes; the message shares nothing with them.
 *
 * @throws `malformed` for anything that is not a whole message of our version or the one before
 */
export function decodeMessage(payload: Uint8Array): Envelope {
  const envelope = readFields(payload, LIMITS, "message");
  const v = envelope.uint("v", WIRE_VERSION);
  if (v < WIRE_VERSION_MIN) {
    envelope.at("v").refuse(`${WIRE_VERSION_MIN} to ${WIRE_VERSION}`);
  }
  const id = envelope.uint("id", MESSAGE_ID_MAX);
  const fields = envelope.map("body");
  const definition = definitionOf(fields.text("type", NAME_BYTES_MAX)) ??
    fields.at("type").refuse("the name of a message");
  return { v, id, body: definition.read(fields) };
}
