/**
 * What must be true of every disk, kept outside the nodes: it hears what holders say yes to, knows what was harmed on purpose, and
 * reads the disks themselves.
 */
import { verify } from "@tesseras/blobs";
import {
  assert,
  equal,
  type Hash,
  keyOf,
  type TesseraId,
} from "@tesseras/core";
import { BULK_BYTES_MAX } from "@tesseras/core/limits";
import { Blake3, blake3 } from "@tesseras/crypto";
import type { Role } from "@tesseras/node";
import type { FragmentRow, PlanRow, State } from "@tesseras/state";
import { readPlan, readTombstone } from "@tesseras/tessera";
import { miscounted } from "./books.ts";
import type { Fault, Life, Operation } from "./life.ts";
import type { Machine } from "./machines.ts";
import type { Tally } from "./tally.ts";

const never = new AbortController().signal;
/** Rows read at a time. */
const PAGE = 1_000;

/** A fragment that a holder signed for. */
type Promised = {
  readonly planHash: Hash;
  readonly tesseraId: TesseraId;
  readonly index: number;
  readonly blob: Hash;
};

/** What was said to be so, and what was broken by the test itself. */
type Account = {
  readonly promised: Map<string, Promised>;
  /** Blobs that something other than a process changed; nobody is to blame for what they hold now. */
  readonly harmed: Set<string>;
  /** Tesseras that a tombstone is under way for: what is kept of them may go. */
  readonly leaving: Set<string>;
  /** Tesseras whose end was confirmed: nothing of them may be kept. */
  readonly ended: Set<string>;
  /** What was acknowledged before it was durable. */
  readonly early: string[];
};

/** See the beginning of this file. */
export class Oracle {
  readonly #accounts = new Map<Machine, Account>();
  /** Plans of which anybody promised something. */
  readonly #plans = new Map<string, Hash>();
  readonly #tally: Tally;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Listens to what a process promises. A promise counts from when its answer could leave the process. */
  watch(
    machine: Machine,
    life: Life,
    roles: readonly Role[],
  ): readonly Role[] {
    return roles.map((role) => {
      const { put_fragment: put, forget } = role.handlers;
      if (put === undefined || forget === undefined) return role;
      const handlers: Role["handlers"] = {
        ...role.handlers,
        put_fragment: async (from, request, bulk, signal) => {
          const reply = await put(from, request, bulk, signal);
          if (!life.isDead) await this.#kept(machine, request);
          return reply;
        },
        forget: async (from, request, bulk, signal) => {
          const { tesseraId } = readTombstone(request.tombstone);
          const { leaving, ended, early } = this.#of(machine);
          leaving.add(keyOf(tesseraId));
          const reply = await forget(from, request, bulk, signal);
          const { response } = reply;
          const isDone = response.type === "forgotten" && response.count > 0;
          if (life.isDead || !isDone) return reply;
          ended.add(keyOf(tesseraId));
          this.#tally.acknowledged++;
          const rows = await machine.state.fragmentsOf(tesseraId, never);
          const isGone = rows.every(({ owner }) => owner === undefined);
          if (!isGone) {
            early.push(`${keyOf(tesseraId)} was forgotten too early`);
          }
          return reply;
        },
      };
      return { ...role, handlers };
    });
  }

  /** A fault was met that did not kill. A blob that could not be read may be given up, but is still to be whole where it is referred to. */
  fault(machine: Machine, { blob }: Operation, fault: Fault): void {
    this.#tally.errors++;
    if (fault === "unreadable" && blob !== undefined) {
      this.#pardon(machine, blob);
    }
  }

  /** What was promised of a blob may be given up, until it is promised again. */
  #pardon(machine: Machine, blob: Hash): void {
    const { promised } = this.#of(machine);
    for (const [name, one] of promised) {
      if (equal(one.blob, blob)) promised.delete(name);
    }
  }

  /** Something other than a process changed a blob. */
  harmed(machine: Machine, blob: Hash): void {
    this.#tally.harms++;
    this.#of(machine).harmed.add(keyOf(blob));
    this.#pardon(machine, blob);
  }

  /** Whether a process gives every fragment that its machine has promised and that nothing harmed. */
  async answers(machine: Machine): Promise<void> {
    const { node } = machine.up;
    const { promised, harmed, leaving } = this.#of(machine);
    for (const { planHash, index, blob, tesseraId } of promised.values()) {
      if (harmed.has(keyOf(blob)) || leaving.has(keyOf(tesseraId))) continue;
      const { bulk } = await node.askSelf({
        type: "get_fragment",
        plan: planHash,
        index,
        offset: 0,
        length: BULK_BYTES_MAX,
      }, never);
      const hasher = new Blake3();
      for await (const part of bulk!.chunks(never)) hasher.update(part);
      const isIt = equal(hasher.digest(), blob);
      this.#expect(isIt, machine, "it gives what it promised");
    }
  }

  /**
   * The database of a machine was lost and made anew. What is whole on the disk, with its plan, is found again; of several equal
   * copies the database alone knew which one it was.
   */
  async madeAnew(machine: Machine): Promise<void> {
    const { promised } = this.#of(machine);
    const rows = await allFragments(machine.state);
    const before = [...promised.values()];
    promised.clear();
    for (const one of before) {
      const isThere = await this.#isWhole(machine, one.planHash) &&
        await this.#isWhole(machine, one.blob);
      if (!isThere) continue;
      const row = rows.find(({ planHash, blob }) =>
        equal(planHash, one.planHash) && equal(blob, one.blob)
      );
      this.#expect(row, machine, "what is whole on the disk is found again");
      const found = { ...one, index: row.index };
      promised.set(nameOf(found), found);
    }
  }

  async #isWhole({ blobs }: Machine, blob: Hash): Promise<boolean> {
    return await verify(blobs, blob, never) === "ok";
  }

  /** The fragments of a plan that are whole on a disk, as their bytes say. */
  async wholeOf(
    machine: Machine,
    planHash: Hash,
  ): Promise<readonly number[]> {
    const whole: number[] = [];
    for (const row of await allFragments(machine.state)) {
      if (row.owner === undefined || !equal(row.planHash, planHash)) continue;
      if (await this.#isWhole(machine, row.blob)) whole.push(row.index);
    }
    return whole;
  }

  /** Looks at all disks. */
  async checkAll(machines: readonly Machine[]): Promise<void> {
    for (const machine of machines) await this.check(machine);
  }

  /** Looks at a disk. @throws when anything is not as it must be */
  async check(machine: Machine): Promise<void> {
    const { state } = machine;
    const account = this.#of(machine);
    const references = new Map<string, number>();
    const refer = (blob: Hash): void => {
      references.set(keyOf(blob), (references.get(keyOf(blob)) ?? 0) + 1);
    };
    const fragments = await allFragments(state);
    const plans = await this.#checkFragments(machine, fragments, refer);
    await this.#checkStruckOut(machine, fragments, plans);
    await this.#checkTesseras(machine, plans, refer);
    for (const { hash } of plans.values()) refer(hash);
    await this.#checkReferences(machine, references);
    const miscount = await miscounted(machine.state, fragments, plans);
    this.#expect(miscount === undefined, machine, `${miscount}`);
    await this.#checkPromises(machine, account, fragments);
  }

  async #checkFragments(
    machine: Machine,
    fragments: readonly FragmentRow[],
    refer: (blob: Hash) => void,
  ): Promise<Map<string, PlanRow>> {
    const plans = new Map<string, PlanRow>();
    for (const row of fragments) {
      refer(row.blob);
      const plan = await machine.state.plan(row.planHash, never);
      this.#expect(plan, machine, "a fragment has its plan");
      plans.set(keyOf(plan.hash), plan);
      const { fragments: hashes } = readPlan(plan.bytes);
      const wanted = hashes[row.index];
      this.#expect(
        wanted !== undefined && equal(wanted, row.blob),
        machine,
        "a fragment is the one its plan names",
      );
      await this.#checkBlob(machine, row.blob, `fragment ${row.index}`);
    }
    return plans;
  }

  /** What was struck out waits to be made anew: its plan stays, and it is not kept at the same time. */
  async #checkStruckOut(
    machine: Machine,
    fragments: readonly FragmentRow[],
    plans: Map<string, PlanRow>,
  ): Promise<void> {
    const { state } = machine;
    const kept = new Set(fragments.map(nameOf));
    for (const hash of this.#plans.values()) {
      const struck = await state.care.struck(hash, never);
      if (struck.length === 0) continue;
      const plan = await state.plan(hash, never);
      this.#expect(plan, machine, "what is to be made anew has its plan");
      plans.set(keyOf(hash), plan);
      const isKept = struck.some((row) => kept.has(nameOf(row)));
      this.#expect(!isKept, machine, "nothing is kept and struck out");
    }
  }

  async #checkTesseras(
    machine: Machine,
    plans: Map<string, PlanRow>,
    refer: (blob: Hash) => void,
  ): Promise<void> {
    const { state } = machine;
    const tesseras = await state.tesseras(never);
    for (const { id, manifest } of tesseras) {
      refer(manifest);
      await this.#checkBlob(machine, manifest, "the manifest");
      for (const { hash, path } of await state.filesOf(id, never)) {
        refer(hash);
        await this.#checkBlob(machine, hash, path);
      }
    }
    const known = [
      ...tesseras.map(({ id }) => id),
      ...(await state.publications(never)).map(({ tesseraId }) => tesseraId),
    ];
    for (const id of known) {
      for (const plan of await state.plansOf(id, never)) {
        plans.set(keyOf(plan.hash), plan);
      }
    }
  }

  /** What is referred to is there, and is what its name says. */
  async #checkBlob(
    machine: Machine,
    blob: Hash,
    what: string,
  ): Promise<void> {
    const { harmed } = this.#of(machine);
    const health = await verify(machine.blobs, blob, never);
    if (health === "ok") harmed.delete(keyOf(blob));
    const isExcused = harmed.has(keyOf(blob));
    this.#expect(
      health === "ok" || isExcused,
      machine,
      `${what} is on the disk, and was ${health}`,
    );
  }

  async #checkReferences(
    machine: Machine,
    references: ReadonlyMap<string, number>,
  ): Promise<void> {
    for await (const { hash } of machine.blobs.list(never)) {
      const counted = await machine.state.references(hash, never);
      this.#expect(
        counted === (references.get(keyOf(hash)) ?? 0),
        machine,
        `${keyOf(hash)} is counted as often as rows name it: ${counted}`,
      );
    }
  }

  async #checkPromises(
    machine: Machine,
    { promised, harmed, leaving, ended, early }: Account,
    fragments: readonly FragmentRow[],
  ): Promise<void> {
    this.#expect(early.length === 0, machine, early.join());
    const rows = new Set(fragments.map(nameOf));
    for (const [name, one] of promised) {
      const { tesseraId, blob } = one;
      if (harmed.has(keyOf(blob)) || leaving.has(keyOf(tesseraId))) continue;
      const isThere = rows.has(name) || await this.#isLetGo(machine, one);
      this.#expect(isThere, machine, `${name} was acknowledged`);
    }
    for (const { tesseraId, owner } of fragments) {
      if (owner === undefined) continue;
      this.#expect(
        !ended.has(keyOf(tesseraId)),
        machine,
        "what was forgotten stays forgotten",
      );
    }
  }

  /** A fragment that was too many may be let go of, once: while another disk has the very same. */
  async #isLetGo(
    machine: Machine,
    { planHash, index, blob }: Promised,
  ): Promise<boolean> {
    for (const [other, { promised }] of this.#accounts) {
      if (other === machine || !promised.has(nameOf({ planHash, index }))) {
        continue;
      }
      const row = await other.state.fragment(planHash, index, never);
      if (row === undefined || !await this.#isWhole(other, blob)) continue;
      this.#of(machine).promised.delete(nameOf({ planHash, index }));
      return true;
    }
    return false;
  }

  /** A holder says yes: then the bytes and the row are on its disk, not on their way to it. */
  async #kept(
    machine: Machine,
    { plan: bytes, index }: {
      readonly plan: Uint8Array;
      readonly index: number;
    },
  ): Promise<void> {
    const { fragments, tesseraId } = readPlan(bytes);
    const planHash = blake3(bytes);
    this.#plans.set(keyOf(planHash), planHash);
    const { promised, early } = this.#of(machine);
    const blob = fragments[index]!;
    const one = { planHash, tesseraId, index, blob };
    promised.set(nameOf(one), one);
    this.#tally.acknowledged++;
    const row = await machine.state.fragment(planHash, index, never);
    const isDurable = row !== undefined && await this.#isWhole(machine, blob);
    if (!isDurable) early.push(`${nameOf(one)} was acknowledged too early`);
  }

  #of(machine: Machine): Account {
    const known = this.#accounts.get(machine);
    if (known !== undefined) return known;
    const account = {
      promised: new Map(),
      harmed: new Set<string>(),
      leaving: new Set<string>(),
      ended: new Set<string>(),
      early: [],
    };
    this.#accounts.set(machine, account);
    return account;
  }

  #expect(
    condition: unknown,
    { name }: Machine,
    what: string,
  ): asserts condition {
    this.#tally.checks++;
    assert(condition, `on ${name}: ${what}`);
  }
}

function nameOf(
  { planHash, index }: { readonly planHash: Hash; readonly index: number },
): string {
  return `${keyOf(planHash)} ${index}`;
}

async function allFragments(state: State): Promise<readonly FragmentRow[]> {
  return await state.fragments(undefined, PAGE, never);
}
