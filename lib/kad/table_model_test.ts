/** The routing table against its rules written down in the plainest way: one flat list, searched and sorted for every question. */
import fc from "fast-check";
import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import type { Contact } from "./bucket.ts";
import { randomIdInBucket } from "./distance.ts";
import { type Removal, type Step, Table, type TableLimits } from "./table.ts";

type Row = {
  contact: Contact;
  seenMs: number;
  failures: number;
  waits: boolean;
};

/** The rules of a table, without a thought for speed. */
class Model {
  readonly #self: NodeId;
  readonly #limits: TableLimits;
  #rows: Row[] = [];
  readonly #probes = new Map<number, { key: string; atMs: number }>();

  constructor(self: NodeId, limits: TableLimits) {
    this.#self = self;
    this.#limits = limits;
  }

  observe(contact: Contact, nowMs: number): Step<Contact> {
    const bucket = this.#bucket(contact.id);
    if (bucket < 0) return { do: "refused", reason: "self" };
    const known = this.#row(contact.id);
    const moves = known?.waits !== false ||
      known.contact.subnet !== contact.subnet;
    if (moves && !this.#hasRoom(contact)) {
      return { do: "refused", reason: "subnet" };
    }
    if (known?.waits === false) {
      Object.assign(known, { contact, seenMs: nowMs });
      this.#settle(contact.id);
      return { do: "updated" };
    }
    this.#rows = this.#rows.filter((row) => row !== known);
    const peers = this.#list(bucket, false);
    const row = { contact, seenMs: nowMs, failures: 0, waits: false };
    if (peers.length < this.#limits.bucketPeersMax) {
      this.#rows.push(row);
      return { do: "added" };
    }
    const waiting = this.#list(bucket, true);
    const max = this.#limits.subnetPerBucketMax ?? Infinity;
    if (inSubnet(waiting, contact) >= max) {
      return { do: "refused", reason: "subnet" };
    }
    this.#rows.push({ ...row, waits: true });
    if (waiting.length === this.#limits.replacementsMax) {
      this.#rows = this.#rows.filter((other) => other !== waiting[0]);
    }
    return this.#question(bucket, peers[0]!, nowMs);
  }

  answered(id: NodeId, nowMs: number): void {
    const row = this.#row(id);
    if (row === undefined) return;
    Object.assign(row, { seenMs: nowMs, failures: 0 });
    this.#settle(id);
  }

  failed(id: NodeId): Removal<Contact> {
    const row = this.#row(id);
    if (row === undefined || row.waits) {
      this.#rows = this.#rows.filter((other) => other !== row);
      return { removed: false };
    }
    this.#settle(id);
    row.failures++;
    if (row.failures < this.#limits.failuresMax) return { removed: false };
    return this.remove(id);
  }

  remove(id: NodeId): Removal<Contact> {
    const row = this.#row(id);
    this.#rows = this.#rows.filter((other) => other !== row);
    if (row === undefined || row.waits) return { removed: false };
    this.#settle(id);
    const next = this.#list(this.#bucket(id), true)
      .findLast(({ contact }) => this.#hasRoom(contact));
    if (next === undefined) return { removed: true };
    next.waits = false;
    return { removed: true, promoted: next.contact };
  }

  closest(target: NodeId, count: number, want: number): Contact[] {
    return this.#rows.filter(({ waits }) => !waits)
      .map(({ contact }) => contact)
      .filter(({ capabilities }) => (capabilities & want) === want)
      .sort((a, b) => xor(target, a.id) < xor(target, b.id) ? -1 : 1)
      .slice(0, count);
  }

  entries(): unknown[] {
    return this.#rows.filter(({ waits }) => !waits)
      .sort((a, b) =>
        this.#bucket(a.contact.id) - this.#bucket(b.contact.id) ||
        a.seenMs - b.seenMs
      )
      .map(({ contact, seenMs, failures }) => [contact, seenMs, failures]);
  }

  #question(bucket: number, oldest: Row, nowMs: number): Step<Contact> {
    const { freshMs } = this.#limits;
    const probe = this.#probes.get(bucket);
    const isAsked = probe !== undefined && nowMs - probe.atMs < freshMs;
    if (isAsked || nowMs - oldest.seenMs < freshMs) return { do: "cached" };
    const key = keyOf(oldest.contact.id);
    this.#probes.set(bucket, { key, atMs: nowMs });
    return { do: "ping", oldest: oldest.contact };
  }

  #settle(id: NodeId): void {
    const bucket = this.#bucket(id);
    if (this.#probes.get(bucket)?.key === keyOf(id)) {
      this.#probes.delete(bucket);
    }
  }

  #hasRoom(contact: Contact): boolean {
    const { subnetPerBucketMax, subnetPerTableMax } = this.#limits;
    const all = this.#rows.filter(({ waits }) => !waits);
    const near = this.#list(this.#bucket(contact.id), false);
    return inSubnet(all, contact) < (subnetPerTableMax ?? Infinity) &&
      inSubnet(near, contact) < (subnetPerBucketMax ?? Infinity);
  }

  /** Of one bucket, oldest first. */
  #list(bucket: number, waits: boolean): Row[] {
    return this.#rows.filter((row) =>
      row.waits === waits && this.#bucket(row.contact.id) === bucket
    ).sort((a, b) => a.seenMs - b.seenMs);
  }

  #row(id: NodeId): Row | undefined {
    return this.#rows.find(({ contact }) => keyOf(contact.id) === keyOf(id));
  }

  #bucket(id: NodeId): number {
    return xor(this.#self, id).toString(2).length - 1 -
      (xor(this.#self, id) === 0n ? 1 : 0);
  }
}

function xor(a: NodeId, b: NodeId): bigint {
  return BigInt(`0x${keyOf(a)}`) ^ BigInt(`0x${keyOf(b)}`);
}

function inSubnet(rows: readonly Row[], { subnet }: Contact): number {
  if (subnet === undefined) return 0;
  return rows.filter(({ contact }) => contact.subnet === subnet).length;
}

const SUBNETS = ["a", "b", "c", undefined];

const act = fc.record({
  what: fc.constantFrom(
    "observe",
    "observe",
    "observe",
    "answered",
    "failed",
    "failed",
    "remove",
  ),
  who: fc.nat(23),
  subnet: fc.constantFrom(...SUBNETS),
  capabilities: fc.nat(3),
  afterMs: fc.integer({ min: 1, max: 8 }),
});

Deno.test("whatever happens, the table does what its rules say, step for step", () => {
  const random = new SeededRandom(3);
  const self = nodeId(random.bytes(20));
  const ids = Array.from(
    { length: 23 },
    (_, i) => randomIdInBucket(self, 155 + i % 3, random),
  );
  const everybody = [...ids, self];
  const limits = fc.record({
    bucketPeersMax: fc.integer({ min: 1, max: 5 }),
    failuresMax: fc.integer({ min: 1, max: 3 }),
    replacementsMax: fc.integer({ min: 1, max: 3 }),
    freshMs: fc.integer({ min: 1, max: 40 }),
    powBits: fc.constantFrom(0, 2),
    subnetPerBucketMax: fc.constantFrom(1, 2, undefined),
    subnetPerTableMax: fc.constantFrom(2, 4, undefined),
  });
  const histories = fc.array(act, { minLength: 40, maxLength: 160 });
  fc.assert(
    fc.property(limits, histories, (settled, history) => {
      const table = new Table<Contact>(self, settled);
      const model = new Model(self, settled);
      let nowMs = 0;
      for (const { what, who, subnet, capabilities, afterMs } of history) {
        nowMs += afterMs;
        const id = everybody[who]!;
        const contact: Contact = {
          id,
          capabilities,
          ...(subnet !== undefined && { subnet }),
        };
        const [did, should] = [table, model].map((one) => {
          if (what === "observe") return one.observe(contact, nowMs);
          if (what === "answered") return one.answered(id, nowMs);
          return one[what](id);
        });
        assertEquals(did, should);
        const entries = [...table.entries()].map((entry) => [
          entry.contact,
          entry.seenMs,
          entry.failures,
        ]);
        assertEquals(entries, model.entries());
        assertEquals(table.size, entries.length);
      }
      const target = nodeId(random.bytes(20));
      for (const [count, want] of [[3, 0], [50, 0], [4, 1]] as const) {
        assertEquals(
          table.closest(target, count, want),
          model.closest(target, count, want),
        );
      }
    }),
    { numRuns: 150 },
  );
});
