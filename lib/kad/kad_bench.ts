/** Routing in numbers, each beside the plain way to do the same: `deno run -A lib/kad/kad_bench.ts`. */
import {
  compare,
  keyOf,
  type NodeId,
  nodeId,
  SeededRandom,
} from "@tesseras/core";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { Lookup } from "./lookup.ts";
import { type Candidate, place } from "./placement.ts";
import { Table } from "./table.ts";

const random = new SeededRandom(1);
const contacts = Array.from({ length: 10_000 }, (_, i): Contact => ({
  id: nodeId(random.bytes(20)),
  subnet: `10.${i >> 8}.${i & 255}.0/24`,
  capabilities: i & 7,
}));
const targets = Array.from({ length: 256 }, () => nodeId(random.bytes(20)));

/** A measured way to do something. */
type Figure = { readonly name: string; readonly value: number };

function report(figure: Figure, unit: string, reference: Figure): void {
  const { name, value } = figure;
  const ratio = Number((value / reference.value).toPrecision(3));
  console.log(JSON.stringify({ name, value, unit, reference, ratio }));
}

/** Calls a second, the best of three rounds of a quarter second each: noise only ever slows down. */
function perSecond(work: (round: number) => unknown): number {
  let best = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    const startMs = performance.now();
    let calls = 0, tookMs = 0;
    for (; tookMs < 250; tookMs = performance.now() - startMs) {
      for (let i = 0; i < 16; i++) work(calls++);
    }
    best = Math.max(best, calls / tookMs * 1_000);
  }
  return Math.round(best);
}

function tableOf(self: NodeId, seen: readonly Contact[]): Table<Contact> {
  const table = new Table<Contact>(self);
  seen.forEach((contact, i) => table.observe(contact, i));
  return table;
}

function number(id: NodeId): bigint {
  return BigInt(`0x${keyOf(id)}`);
}

function benchSorting(): void {
  const some = contacts.slice(0, 500);
  report(
    {
      name: "sort 500 ids by distance",
      value: perSecond((i) =>
        some.toSorted((a, b) => closer(targets[i & 255]!, a.id, b.id))
      ),
    },
    "sorts/s",
    {
      name: "the same over BigInt distances, computed once an id",
      value: perSecond((i) => {
        const target = number(targets[i & 255]!);
        return some.map((contact) =>
          [number(contact.id) ^ target, contact] as const
        ).sort(([a], [b]) => a < b ? -1 : 1);
      }),
    },
  );
}

function benchTable(): void {
  const table = tableOf(contacts[0]!.id, contacts.slice(1));
  const held = [...table.entries()].map(({ contact }) => contact);
  const map = new Map<string, Contact>();
  report(
    {
      name: "observe a peer in a table of 10,000 seen",
      value: perSecond((i) => table.observe(contacts[i % 10_000]!, i)),
    },
    "calls/s",
    {
      name: "put it into a Map by hexadecimal id, without order or limit",
      value: perSecond((i) => {
        const contact = contacts[i % 10_000]!;
        map.set(keyOf(contact.id), contact);
      }),
    },
  );
  report(
    {
      name: `20 closest of ${table.size}`,
      value: perSecond((i) => table.closest(targets[i & 255]!, 20)),
    },
    "calls/s",
    {
      name: "sort all contacts by distance and cut",
      value: perSecond((i) =>
        held.toSorted((a, b) => closer(targets[i & 255]!, a.id, b.id))
          .slice(0, 20)
      ),
    },
  );
}

/** What peers do to a table all the time: they answer, and they do not. */
function benchReports(): void {
  const table = tableOf(contacts[0]!.id, contacts.slice(1));
  const held = [...table.entries()].map(({ contact }) => contact);
  const list = held.map((contact) => ({ contact, seenMs: 0, failures: 0 }));
  const rowOf = (id: NodeId) =>
    list.find(({ contact }) => compare(contact.id, id) === 0)!;
  const any = (i: number) => held[i * 31 % held.length]!;
  report(
    {
      name: `a peer of ${held.length} answered`,
      value: perSecond((i) => table.answered(any(i).id, i)),
    },
    "calls/s",
    {
      name: "find it in a flat list and write the time",
      value: perSecond((i) => {
        rowOf(any(i).id).seenMs = i;
      }),
    },
  );
  report(
    {
      name: `a peer of ${held.length} failed, the third time for good`,
      value: perSecond((i) => {
        const peer = any(i);
        // It comes back at once, or the table would soon be empty.
        if (table.failed(peer.id).removed) table.observe(peer, i);
      }),
    },
    "calls/s",
    {
      name: "find it in a flat list and count, the third time from zero",
      value: perSecond((i) => {
        const row = rowOf(any(i).id);
        row.failures = (row.failures + 1) % 3;
      }),
    },
  );
}

function heapBytes(): number {
  // Only under `--v8-flags=--expose-gc`; without it garbage counts too.
  (globalThis as { gc?: () => void }).gc?.();
  return Deno.memoryUsage().heapUsed;
}

function benchMemory(): void {
  const tableCount = 500;
  const beforeTables = heapBytes();
  const tables = contacts.slice(0, tableCount).map(({ id }) =>
    tableOf(id, contacts)
  );
  const tableBytes = (heapBytes() - beforeTables) / tableCount;
  const beforeMaps = heapBytes();
  const maps = tables.map((table) =>
    new Map(
      [...table.entries()].map(({ contact, seenMs }) => [
        keyOf(contact.id),
        { contact, seenMs, failures: 0 },
      ]),
    )
  );
  const mapBytes = (heapBytes() - beforeMaps) / maps.length;
  report(
    {
      name: `memory of one table of ${tables[0]!.size} in a network of 10,000`,
      value: Math.round(tableBytes),
    },
    "bytes",
    {
      name: "a Map by hexadecimal id with the same contacts, none waiting",
      value: Math.round(mapBytes),
    },
  );
}

function benchLookup(): void {
  const nodes = contacts.slice(0, 1_000);
  const tables = nodes.map(({ id }) => tableOf(id, nodes));
  const byId = new Map(nodes.map(({ id }, i) => [id, tables[i]!]));
  const lookUp = (i: number): Lookup<Contact> => {
    const target = targets[i & 255]!;
    const seeds = tables[i % 1_000]!.closest(target, 20);
    const lookup = new Lookup<Contact>({ target, seeds });
    while (!lookup.done) {
      for (const { id } of lookup.next()) {
        lookup.answered(id, byId.get(id)!.closest(target, 20));
      }
    }
    return lookup;
  };
  report(
    { name: "lookups among 1,000 nodes", value: perSecond(lookUp) },
    "lookups/s",
    {
      name: "sort all 1,000 ids by distance, as one who knows everybody",
      value: perSecond((i) =>
        nodes.toSorted((a, b) => closer(targets[i & 255]!, a.id, b.id))
      ),
    },
  );
  const all = Array.from({ length: 256 }, (_, i) => lookUp(i));
  const middle = (of: (lookup: Lookup<Contact>) => number) =>
    all.map(of).sort((a, b) => a - b)[128]!;
  report(
    { name: "median hops among 1,000 nodes", value: middle((l) => l.hops) },
    "hops",
    { name: "half of log2(1,000)", value: Math.log2(1_000) / 2 },
  );
  report(
    {
      name: "median questions of a lookup among 1,000 nodes",
      value: middle((l) => l.trace.length),
    },
    "questions",
    { name: "the 20 nearest that must answer", value: 20 },
  );
}

function benchPlacement(): void {
  const candidates = contacts.slice(0, 200).map((
    contact,
    i,
  ): Candidate<Contact> => ({
    contact,
    institutional: i % 9 === 0,
    reciprocity: i % 3,
  }));
  const indices = Array.from({ length: 72 }, (_, i) => i);
  report(
    {
      name: "place 72 fragments on 200 peers",
      value: perSecond((i) =>
        place(indices, candidates, { key: targets[i & 255]! })
      ),
    },
    "calls/s",
    {
      name: "sort the peers by distance alone",
      value: perSecond((i) =>
        candidates.toSorted((a, b) =>
          closer(targets[i & 255]!, a.contact.id, b.contact.id)
        )
      ),
    },
  );
}

benchSorting();
benchTable();
benchReports();
benchMemory();
benchLookup();
benchPlacement();
