/** Rows for tests of a State, and how its suites name what they claim. */
import {
  type Hash,
  hash,
  type NodeId,
  nodeId,
  SeededRandom,
  type TesseraId,
  tesseraId,
  toHex,
} from "@tesseras/core";
import type {
  FileRow,
  FragmentRow,
  PeerRow,
  PlacementRow,
  PlanRow,
  PointerRow,
  State,
  TesseraRow,
  TombstoneRow,
} from "@tesseras/state";

/** Rows with the fields a test does not care about filled in. */
export class Rows {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  hash(): Hash {
    return hash(this.#random.bytes(32));
  }

  node(): NodeId {
    return nodeId(this.#random.bytes(20));
  }

  id(): TesseraId {
    return tesseraId(this.#random.bytes(32));
  }

  bytes(count: number): Uint8Array {
    return this.#random.bytes(count);
  }

  tessera(given: Partial<TesseraRow> = {}): TesseraRow {
    return {
      id: this.id(),
      createdAtMs: 1_700_000_000_000,
      addedAtMs: 1_800_000_000_000,
      title: "Summer at the lake, Grüße 🌞",
      visibility: "public",
      memoryCount: 3,
      bytes: 1_000_000_000,
      packBytes: 1_000_100_000,
      origin: "created",
      manifest: this.hash(),
      ...given,
    };
  }

  file(given: Partial<FileRow> = {}): FileRow {
    return { path: "memories/a.jpg", hash: this.hash(), bytes: 7, ...given };
  }

  plan(given: Partial<PlanRow> = {}): PlanRow {
    return {
      hash: this.hash(),
      tesseraId: this.id(),
      bytes: this.bytes(50),
      ...given,
    };
  }

  fragment(plan: PlanRow, given: Partial<FragmentRow> = {}): FragmentRow {
    return {
      planHash: plan.hash,
      index: 0,
      tesseraId: plan.tesseraId,
      blob: this.hash(),
      bytes: 100,
      owner: this.node(),
      subnet: undefined,
      storedAtMs: 5,
      isRepair: false,
      ...given,
    };
  }

  placement(given: Partial<PlacementRow> = {}): PlacementRow {
    return {
      planHash: this.hash(),
      index: 0,
      holder: this.node(),
      record: this.bytes(40),
      bytes: 100,
      ackedAtMs: 5,
      lastSeenMs: 6,
      lostAtMs: undefined,
      ...given,
    };
  }

  tombstone(given: Partial<TombstoneRow> = {}): TombstoneRow {
    return {
      tesseraId: this.id(),
      creator: this.hash(),
      bytes: this.bytes(70),
      createdAtMs: 5,
      expiresAtMs: 50,
      isOurs: false,
      ...given,
    };
  }

  pointer(given: Partial<PointerRow> = {}): PointerRow {
    return {
      tesseraId: this.id(),
      holder: this.node(),
      planHash: this.hash(),
      record: this.bytes(300),
      holderRecord: this.bytes(200),
      sequence: 1,
      expiresAtMs: 1_000,
      subnet: "192.0.2.0/24",
      ...given,
    };
  }

  peer(given: Partial<PeerRow> = {}): PeerRow {
    return { id: this.node(), record: this.bytes(99), lastSeenMs: 1, ...given };
  }
}

/** Tests of a fresh state by what they claim. */
export type Claims = Readonly<
  Record<string, (state: State, rows: Rows) => Promise<void>>
>;

/** Hashes as sorted text, for lists whose order means nothing. */
export function hexes(hashes: readonly Hash[]): readonly string[] {
  return hashes.map(toHex).sort();
}
