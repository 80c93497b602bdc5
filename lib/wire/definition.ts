/** What the registry knows about one message. */
import type { Encodable, Fields } from "@tesseras/codec";

/** Who says it: one who asks, one who answers, or one who answers that it cannot. */
export type MessageKind = "request" | "response" | "error";

/** How one message is read and written, and what may come with it. */
export type Definition<M> = {
  readonly kind: MessageKind;
  /** The type of the response to a request. */
  readonly answer?: string;
  /** Whether raw octets follow on the stream, as many as the field `bulk` says. */
  readonly hasBulk: boolean;
  /** Checks every field but `type`. @throws `malformed` */
  read(fields: Fields): M;
  /** The fields but `type`, by name and in order. Named one by one, so that nothing else a caller's object carries gets out. */
  write(message: M): { readonly [name: string]: Encodable | undefined };
};
