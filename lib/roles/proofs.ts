/** What a holder says and shows when it is asked whether it still keeps a fragment. */
import type { BlobReader, Blobs } from "@tesseras/blobs";
import { codeOf, concat, keyOf, TesserasError } from "@tesseras/core";
import { AUDIT_LEAF_BYTES } from "@tesseras/core/limits";
import {
  type HashTree,
  proveChunk,
  VerifiedRange,
  wholeGroups,
} from "@tesseras/crypto";
import { bulkOf, type Reply } from "@tesseras/net";
import type { Handlers, Node } from "@tesseras/node";
import type { FragmentRow, State } from "@tesseras/state";
import type { NodeRecord, Request } from "@tesseras/wire";
import type { Announcer } from "./announcer.ts";
import { proofShape, ProofTrees } from "./proof_trees.ts";
import { Turns } from "./turns.ts";

/** What proofs are made from; the store that keeps the fragments gives it. */
export type ProofParts = {
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
  readonly announcer: Announcer;
  /** Whether the bytes of a row are there as far as their length tells; strikes it out where they are not. */
  readonly isWhole: (row: FragmentRow, signal: AbortSignal) => Promise<boolean>;
  /** Strikes out a fragment that was found to be lost. */
  readonly lost: (
    row: FragmentRow,
    how: "absent" | "corrupt",
    signal: AbortSignal,
  ) => Promise<void>;
};

/** The answers to `attest` and `audit`. */
export function proofHandlers(
  parts: ProofParts,
): Pick<Required<Handlers>, "attest" | "audit"> {
  const proofs = new Proofs(parts);
  return {
    attest: (_from, request, _bulk, signal) => proofs.attest(request, signal),
    audit: (from, request, _bulk, signal) =>
      proofs.audit(from, request, signal),
  };
}

class Proofs {
  readonly #parts: ProofParts;
  readonly #trees: ProofTrees;
  /** One proof at a time for each subnet: whoever asks for many waits for its own, and everybody else for one of each. */
  readonly #askers = new Turns();

  constructor(parts: ProofParts) {
    this.#parts = parts;
    const { blobs, node: { runtime } } = parts;
    this.#trees = new ProofTrees({ blobs, runtime });
  }

  /** Our word on a plan, once the length of everything it names was looked at. @throws `absent` */
  async attest(
    request: Extract<Request, { readonly type: "attest" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { state, announcer, isWhole } = this.#parts;
    const plan = await state.plan(request.plan, signal);
    if (plan === undefined) {
      throw new TesserasError("absent", "Cannot sign for a plan not kept here");
    }
    const holding = { planHash: plan.hash, tesseraId: plan.tesseraId };
    let record = await announcer.record(holding, signal);
    let lostCount = 0;
    for (const index of record.indices) {
      const row = await state.fragment(plan.hash, index, signal);
      if (row === undefined || !await isWhole(row, signal)) lostCount++;
    }
    if (lostCount > 0) record = await announcer.record(holding, signal);
    return { response: { type: "kept", provider: record.bytes } };
  }

  /** The leaves asked for, each with its proof. @throws `absent`, `corrupt`, `malformed` */
  async audit(
    from: NodeRecord,
    request: Extract<Request, { readonly type: "audit" }>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { state, isWhole } = this.#parts;
    const { plan, index, leaves } = request;
    using _turn = await this.#askers.enter(this.#askerOf(from), signal);
    const row = await state.fragment(plan, index, signal);
    if (row === undefined || !await isWhole(row, signal)) throw absent(index);
    const leafCount = Math.ceil(row.bytes / AUDIT_LEAF_BYTES);
    if (leaves.at(-1)! >= leafCount) {
      throw new TesserasError(
        "malformed",
        `Cannot prove leaf ${
          leaves.at(-1)
        }: fragment ${index} has ${leafCount}`,
      );
    }
    const bytes = await this.#prove(row, leaves, signal);
    const response = { type: "audited", bulk: bytes.length } as const;
    return { response, bulk: bulkOf(bytes) };
  }

  #askerOf(from: NodeRecord): string {
    const { node } = this.#parts;
    if (node.subnetPeersMax === undefined) return keyOf(from.id);
    return node.asMet(from).subnet ?? keyOf(from.id);
  }

  /** Bytes that are not what they were are found on the way, and no more signed for. */
  async #prove(
    row: FragmentRow,
    leaves: readonly number[],
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { blobs, lost } = this.#parts;
    try {
      const tree = await this.#trees.of(row, signal);
      await using reader = await blobs.open(row.blob, signal, "cold");
      if (tree === undefined || reader === undefined) {
        await lost(row, "absent", signal);
        throw absent(row.index);
      }
      const parts: Uint8Array[] = [];
      for (const leaf of leaves) {
        parts.push(...await proveLeaf({ row, tree, reader }, leaf, signal));
      }
      return concat(parts);
    } catch (error) {
      if (codeOf(error) === "corrupt") await lost(row, "corrupt", signal);
      throw error;
    }
  }
}

/** A fragment that is open, and its tree. */
type Opened = {
  readonly row: FragmentRow;
  readonly tree: HashTree;
  readonly reader: BlobReader;
};

/** The octets of a leaf and their proof, which we check before anybody else does: they may have rotted since the tree was made. */
async function proveLeaf(
  { row, tree, reader }: Opened,
  leaf: number,
  signal: AbortSignal,
): Promise<readonly [octets: Uint8Array, proof: Uint8Array]> {
  const whole = proofShape(row.bytes);
  const offset = leaf * AUDIT_LEAF_BYTES;
  const bytes = Math.min(AUDIT_LEAF_BYTES, row.bytes - offset);
  const range = { offset, bytes };
  const around = wholeGroups(whole, range);
  const group = new Uint8Array(around.bytes);
  for (let filled = 0; filled < group.length;) {
    const rest = group.subarray(filled);
    const count = await reader.read(around.offset + filled, rest, signal);
    if (count === 0) throw rotten(row);
    filled += count;
  }
  const at = offset - around.offset;
  const octets = group.subarray(at, at + bytes);
  const proof = proveChunk(tree, whole, { chunk: leaf, octets: group });
  const shape = { ...whole, groupBytes: AUDIT_LEAF_BYTES };
  try {
    new VerifiedRange({ hash: row.blob, shape, range, proof })
      .check(offset, octets);
  } catch (error) {
    if (codeOf(error) !== undefined) throw rotten(row);
    throw error;
  }
  return [octets, proof];
}

function absent(index: number): TesserasError {
  return new TesserasError(
    "absent",
    `Cannot prove fragment ${index}: it is not kept here`,
  );
}

function rotten({ index }: FragmentRow): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot prove fragment ${index}: its bytes are not what was kept`,
  );
}
