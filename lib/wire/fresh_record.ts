/** Signed words that are good for half a minute: who wants to be met, and what is asked of a relay. */
import type { Encodable, Fields } from "@tesseras/codec";
import { TesserasError } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  MEETING_BYTES_MAX,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { isFresh } from "@tesseras/nat";
import {
  checkFresh,
  type Opened,
  openRecord,
  readStamp,
  type RecordKind,
  type RecordRules,
  sealRecord,
  type Stamp,
  stampFields,
  verifyRecord,
} from "./signed.ts";

/** What somebody said, who said it and when, as it was checked. */
export type Fresh<F> = F & Stamp & {
  /** The signed record as it travels. */
  readonly bytes: Uint8Array;
};

/** How one kind of fresh record is written and read. */
export type FreshForm<F> = {
  readonly kind: RecordKind;
  write(fields: F): { readonly [name: string]: Encodable | undefined };
  /** @throws `malformed` */
  read(fields: Fields): F;
};

/** A form by its name, which stands in its tag as well. */
export function freshForm<F>(
  name: string,
  { write, read }: Pick<FreshForm<F>, "write" | "read">,
): FreshForm<F> {
  const kind = {
    name,
    tag: `tesseras ${name} v1\n`,
    bytesMax: MEETING_BYTES_MAX,
    ttlMs: INTRODUCTION_FRESH_MS,
  };
  return { kind, write, read };
}

/** Signs what is said now. @throws `malformed` when no reader would accept it */
export function signFresh<F>(
  form: FreshForm<F>,
  fields: F,
  { signer, nowMs }: { readonly signer: NodeSigner; readonly nowMs: number },
): Fresh<F> {
  const times = { sequence: nowMs, expiresAtMs: nowMs + INTRODUCTION_FRESH_MS };
  const payload = { ...form.write(fields), ...stampFields(signer, times) };
  const bytes = sealRecord(form.kind, payload, signer);
  return parse(form, bytes, openRecord(form.kind, bytes));
}

/**
 * Reads and checks what somebody said. Borrows the bytes.
 *
 * @throws `malformed`; `forged` when the work is too small or the signature does not fit; `refused` when it was signed longer ago, or
 *   further in the future, than `INTRODUCTION_FRESH_MS`
 */
export function readFresh<F>(
  form: FreshForm<F>,
  bytes: Uint8Array,
  rules: RecordRules,
): Fresh<F> {
  const opened = openRecord(form.kind, bytes);
  const said = parse(form, bytes.slice(), opened);
  const { name } = form.kind;
  checkFresh(name, said, rules.nowMs);
  // Other records may come from further ahead: they do nothing for whoever keeps them until then.
  if (!isFresh(said.sequence, rules.nowMs)) {
    throw new TesserasError(
      "refused",
      `Cannot use ${name}: signed ${
        said.sequence - rules.nowMs
      } ms in the future, at most ${INTRODUCTION_FRESH_MS}`,
    );
  }
  verifyRecord(form.kind, opened, said, rules.powBits);
  return said;
}

function parse<F>(
  form: FreshForm<F>,
  bytes: Uint8Array,
  { fields }: Opened,
): Fresh<F> {
  return { ...form.read(fields), ...readStamp(form.kind, fields), bytes };
}
