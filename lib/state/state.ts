/** The port to what a node remembers between two starts. */
import type { Hash, NodeId, TesseraId } from "@tesseras/core";
import type { Care } from "./care.ts";
import type {
  FileRow,
  FragmentKey,
  FragmentRow,
  Holding,
  PeerRow,
  PlanRow,
  PointerKey,
  PointerRow,
  PublicationRow,
  TesseraRow,
} from "./rows.ts";

/**
 * What a node remembers. Each method is one transaction: it happens as a whole
 * or not at all, and what it acknowledged survives a power cut. Several
 * processes may share one state.
 *
 * Every method throws `cancelled` when its signal aborts (a write under way may
 * still happen), `malformed` for a text with NUL or a number that is not whole,
 * `diskFull`, `overloaded` when another process holds the database or too much
 * waits for it, and `corrupt` when it is damaged.
 */
export interface State extends AsyncDisposable {
  /** What keeps tesseras alive: holders, audits, repair, accounts, tombstones. */
  readonly care: Care;

  /** Remembers a tessera with its files, in their order. One that exists stays as it is. */
  addTessera(
    row: TesseraRow,
    files: readonly FileRow[],
    signal: AbortSignal,
  ): Promise<"added" | "exists">;
  /** A tessera, `undefined` when absent. */
  tessera(id: TesseraId, signal: AbortSignal): Promise<TesseraRow | undefined>;
  /** Every tessera, the one added last first. */
  tesseras(signal: AbortSignal): Promise<readonly TesseraRow[]>;
  /** Ids that begin with a hexadecimal prefix, in order. @throws `malformed` when it is none */
  tesserasByPrefix(
    hexPrefix: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TesseraId[]>;
  /** The files of a tessera in the order they were given; none when it is absent. */
  filesOf(id: TesseraId, signal: AbortSignal): Promise<readonly FileRow[]>;
  /**
   * Forgets a tessera as our own: its files, its publication and placements, the
   * fragments we staged, and plans no fragment here needs. What is kept for
   * others stays. Returns the blobs nobody refers to any more.
   */
  removeTessera(id: TesseraId, signal: AbortSignal): Promise<readonly Hash[]>;

  /** Keeps a plan; keeping it again changes nothing. */
  putPlan(row: PlanRow, signal: AbortSignal): Promise<void>;
  /** A plan, `undefined` when absent. */
  plan(hash: Hash, signal: AbortSignal): Promise<PlanRow | undefined>;
  /** Every plan of a tessera, by hash. */
  plansOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PlanRow[]>;

  /**
   * Remembers a fragment; one that exists stays as it is.
   *
   * @throws `absent` when its plan is not kept: a fragment without one proves nothing
   */
  putFragment(
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists">;
  /**
   * Remembers a fragment together with its plan: both or neither, so that no plan stays that nobody is charged for. One that we
   * staged ourselves, or of which nobody knows whose it is, comes to be kept for its owner, and counts as `stored`.
   */
  keepFragment(
    plan: PlanRow,
    row: FragmentRow,
    signal: AbortSignal,
  ): Promise<"stored" | "exists">;
  /** A fragment, `undefined` when absent. */
  fragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentRow | undefined>;
  /** The fragments of a tessera kept here, by plan and index. */
  fragmentsOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]>;
  /**
   * The fragments of a plan kept here, by index. Anybody can sign plans for any tessera, so what answers a peer about one plan
   * reads this, and not {@link fragmentsOf}.
   */
  fragmentsOfPlan(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]>;
  /** At most `limit` fragments after a key, by plan and index; from the first without one. */
  fragments(
    after: FragmentKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]>;
  /** At most `limit` plans of which something is kept for others, after one, by tessera and plan; from the first without one. */
  holdings(
    after: Holding | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly Holding[]>;
  /**
   * Forgets a fragment, and its plan when nothing here needs it any more.
   * Returns the blobs nobody refers to any more.
   */
  removeFragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<readonly Hash[]>;
  /**
   * Bytes kept for a peer, for all peers of a subnet (a text), or for all there are when `undefined`: their fragments, and
   * every plan once for each who has a fragment of it here. Our own staged ones never count.
   */
  storedBytes(
    whose: NodeId | string | undefined,
    signal: AbortSignal,
  ): Promise<number>;
  /** How many files, manifests and fragments refer to a blob, and whether it is a plan that is kept. */
  references(blob: Hash, signal: AbortSignal): Promise<number>;

  /** Remembers how far a publication is; replaces what was known of the tessera. */
  putPublication(row: PublicationRow, signal: AbortSignal): Promise<void>;
  /** How far a publication is, `undefined` when there is none. */
  publication(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<PublicationRow | undefined>;
  /** Every publication, by tessera. */
  publications(signal: AbortSignal): Promise<readonly PublicationRow[]>;

  /** Keeps provider records; one replaces another of its key unless its sequence is lower. */
  putPointers(rows: readonly PointerRow[], signal: AbortSignal): Promise<void>;
  /** The provider records of a tessera, expired ones included, by holder and plan. */
  pointers(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]>;
  /** At most `limit` provider records after a key, by tessera, holder and plan; from the first without one. */
  allPointers(
    after: PointerKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]>;
  /** Forgets the provider records whose time is up at `nowMs`; returns how many. */
  expirePointers(nowMs: number, signal: AbortSignal): Promise<number>;
  /** Forgets provider records; unknown keys are passed over. */
  removePointers(
    keys: readonly PointerKey[],
    signal: AbortSignal,
  ): Promise<void>;
  /** How many provider records are kept. */
  pointerCount(signal: AbortSignal): Promise<number>;

  /** Remembers peers; replaces what was known of them. */
  putPeers(rows: readonly PeerRow[], signal: AbortSignal): Promise<void>;
  /** Forgets peers; unknown ones are passed over. */
  removePeers(ids: readonly NodeId[], signal: AbortSignal): Promise<void>;
  /** At most `limit` peers, the one seen last first. */
  peers(limit: number, signal: AbortSignal): Promise<readonly PeerRow[]>;

  /** A small thing by its name, `undefined` when absent. */
  value(name: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Remembers a small thing under a name, replacing what was there. */
  putValue(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}
