/** What a node remembers, row by row. Bytes in rows are borrowed when given and must not be changed when received. */
import {
  equal,
  type Hash,
  keyOf,
  type NodeId,
  nodeId,
  type TesseraId,
  TesserasError,
} from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";

/** Who may read a tessera. */
export const VISIBILITIES = ["public", "private", "circle", "sealed"] as const;
/** One of {@link VISIBILITIES}. */
export type Visibility = typeof VISIBILITIES[number];

/** How a tessera came to be here. */
export const ORIGINS = ["created", "imported", "fetched"] as const;
/** One of {@link ORIGINS}. */
export type Origin = typeof ORIGINS[number];

/** How far a tessera of ours has come into the network. */
export const PUBLICATION_STATES = [
  "publishing",
  "replicated",
  "healthy",
] as const;
/** One of {@link PUBLICATION_STATES}. */
export type PublicationState = typeof PUBLICATION_STATES[number];

/** A tessera whose every file is here. */
export type TesseraRow = {
  readonly id: TesseraId;
  readonly createdAtMs: number;
  readonly addedAtMs: number;
  readonly title: string;
  readonly visibility: Visibility;
  readonly memoryCount: number;
  /** All files and the MANIFEST together. */
  readonly bytes: number;
  /** The tar of it. */
  readonly packBytes: number;
  readonly origin: Origin;
  /** The blob of the MANIFEST bytes. */
  readonly manifest: Hash;
};

/** A file of a tessera. */
export type FileRow = {
  readonly path: string;
  readonly hash: Hash;
  readonly bytes: number;
};

/** A signed plan of fragments. */
export type PlanRow = {
  /** BLAKE3 of {@link bytes}. */
  readonly hash: Hash;
  readonly tesseraId: TesseraId;
  readonly bytes: Uint8Array;
};

/** What names one fragment. */
export type FragmentKey = { readonly planHash: Hash; readonly index: number };

/** What names a plan of which fragments are kept here for others. */
export type Holding = {
  readonly tesseraId: TesseraId;
  readonly planHash: Hash;
};

/** The owner of a fragment that somebody sent, and nobody knows any more who: of an index that was rebuilt. */
export const NOBODY: NodeId = nodeId(new Uint8Array(NODE_ID_BYTES));

/** Whether a fragment may come to be kept for whoever brings it. */
export function isClaimable({ owner }: Pick<FragmentRow, "owner">): boolean {
  return owner === undefined || equal(owner, NOBODY);
}

/** A fragment kept here: staged by ourselves, or held for another. */
export type FragmentRow = FragmentKey & {
  readonly tesseraId: TesseraId;
  readonly blob: Hash;
  readonly bytes: number;
  /** Who sent it; `undefined` when we staged it ourselves, {@link NOBODY} when that is not known. */
  readonly owner: NodeId | undefined;
  /** The network it was sent from, for the share of that; `undefined` where subnets say nothing, and for our own. */
  readonly subnet: string | undefined;
  readonly storedAtMs: number;
  /** Whether a holder sent it who repaired: what it asks for others is no debt of its own. */
  readonly isRepair: boolean;
};

/** What names one provider record: a holder has one for every plan of a tessera. */
export type PointerKey = {
  readonly tesseraId: TesseraId;
  readonly holder: NodeId;
  readonly planHash: Hash;
};

/** A provider record kept for the DHT. */
export type PointerRow = PointerKey & {
  /** The signed provider record. */
  readonly record: Uint8Array;
  /** The signed node record that tells where its holder is. */
  readonly holderRecord: Uint8Array;
  /** What it counts for in bounds: the network it was brought from, and whether its holder was who brought it. */
  readonly subnet: string | undefined;
  readonly sequence: number;
  readonly expiresAtMs: number;
};

/** A peer worth asking after a restart. */
export type PeerRow = {
  readonly id: NodeId;
  /** Its signed node record. */
  readonly record: Uint8Array;
  readonly lastSeenMs: number;
};

/** A tessera of ours on its way into the network. */
export type PublicationRow = {
  readonly tesseraId: TesseraId;
  readonly planHash: Hash;
  readonly state: PublicationState;
  readonly updatedAtMs: number;
};

/** @throws `malformed` when a column cannot take the row as it is */
export function checkTessera(row: TesseraRow): void {
  checkText(row.title, "title");
  checkWhole(row.createdAtMs, "creation time");
  checkWhole(row.addedAtMs, "time of arrival");
  checkWhole(row.memoryCount, "memory count");
  checkWhole(row.bytes, "size");
  checkWhole(row.packBytes, "pack size");
}

/** As {@link checkTessera}. */
export function checkFile(row: FileRow): void {
  checkText(row.path, "path");
  checkWhole(row.bytes, "file size");
}

/** As {@link checkTessera}. */
export function checkFragment(row: FragmentRow): void {
  checkWhole(row.index, "fragment index");
  checkWhole(row.bytes, "fragment size");
  if (row.subnet !== undefined) checkText(row.subnet, "subnet");
  checkWhole(row.storedAtMs, "storage time");
}

/** As {@link checkTessera}. */
export function checkPublication(row: PublicationRow): void {
  checkWhole(row.updatedAtMs, "update time");
}

/** As {@link checkTessera}. */
export function checkPointer(row: PointerRow): void {
  checkWhole(row.sequence, "sequence");
  checkWhole(row.expiresAtMs, "expiry");
}

/** As {@link checkTessera}. */
export function checkPeer(row: PeerRow): void {
  checkWhole(row.lastSeenMs, "time last seen");
}

/** @throws `malformed` for a text that a database would cut (at NUL) or change (lone surrogates) */
export function checkText(text: string, what: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    throw new TesserasError(
      "malformed",
      `Cannot keep ${what} ${
        JSON.stringify(text.slice(0, 80))
      }: it contains NUL or half a character`,
    );
  }
  return text;
}

/** @throws `malformed` unless the value is a whole number from 0 to 2^53 - 1 */
export function checkWhole(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new TesserasError(
      "malformed",
      `Cannot keep ${what} ${value}: wanted a whole number from 0`,
    );
  }
  return value;
}

/**
 * The first and the last id a hexadecimal prefix stands for.
 *
 * @throws `malformed` unless it is at most 64 hexadecimal digits
 */
export function prefixRange(
  hexPrefix: string,
): { readonly first: string; readonly last: string } {
  if (!/^[0-9a-fA-F]{0,64}$/.test(hexPrefix)) {
    throw new TesserasError(
      "malformed",
      `Cannot look for ${
        JSON.stringify(hexPrefix.slice(0, 80))
      }: wanted at most 64 hexadecimal digits`,
    );
  }
  const prefix = hexPrefix.toLowerCase();
  return { first: prefix.padEnd(64, "0"), last: prefix.padEnd(64, "f") };
}

/** What a fragment without its plan is told: nobody could prove it any more. */
export function planAbsent(key: FragmentKey): TesserasError {
  return new TesserasError(
    "absent",
    `Cannot keep fragment ${key.index} of plan ${
      keyOf(key.planHash)
    }: the plan is not here`,
  );
}

/** A row of our own, so that the caller keeps its buffers. */
export function copied<T extends object>(row: T): T {
  const copy = { ...row };
  for (const [name, value] of Object.entries(copy)) {
    if (value instanceof Uint8Array) {
      Object.assign(copy, { [name]: value.slice() });
    }
  }
  return copy;
}
