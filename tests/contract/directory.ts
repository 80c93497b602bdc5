/** What every Directory must do, whatever it is made of. */
import {
  type Clock,
  type Random,
  SeededRandom,
  VirtualClock,
} from "@tesseras/core";
import { DIRECTORY_ENTRIES_MAX } from "@tesseras/core/limits";
import type { Directory, DirectoryEntry } from "@tesseras/directory";
import { assertEquals, assertTrue } from "@tesseras/testing";

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

/** Opens an empty directory. */
export type OpenDirectory = (
  parts: { readonly clock: Clock; readonly random: Random },
) => Promise<Directory>;

/** An entry with an id of 40 digits that ends in those of `number`, heard of now and good for an hour. */
export function entryFor(
  number: number,
  nowMs: number,
  changes: Partial<DirectoryEntry> = {},
): DirectoryEntry {
  return {
    id: number.toString(16).padStart(40, "0"),
    record: Uint8Array.of(1, 2, 3, number & 255),
    addresses: [`192.0.2.${number & 255}:4433`],
    offers: ["DHT"],
    subnet: "192.0.2.0/24",
    seenMs: nowMs,
    expiresAtMs: nowMs + HOUR_MS,
    ...changes,
  };
}

type World = {
  readonly directory: Directory;
  readonly clock: VirtualClock;
  readonly entry: (
    number: number,
    changes?: Partial<DirectoryEntry>,
  ) => DirectoryEntry;
};

const claims: Readonly<Record<string, (world: World) => Promise<void>>> = {
  "gives back an entry as it was, each once, and no more than asked for":
    async (
      { directory, entry },
    ) => {
      const entries = [entry(1), entry(2, { subnet: undefined }), entry(3)];
      assertEquals(await directory.put(entries, never), 3);
      const all = await directory.sample(10, never);
      const sorted = [...all].sort((a, b) => a.id < b.id ? -1 : 1);
      assertEquals(sorted, entries);
      assertEquals((await directory.sample(2, never)).length, 2);
      assertEquals(await directory.sample(0, never), []);
    },

  "tells of nobody whose time is over, to the millisecond": async (
    { directory, clock, entry },
  ) => {
    await directory.put([entry(1), entry(2, { expiresAtMs: 1 })], never);
    assertEquals((await directory.sample(9, never)).length, 1);
    await clock.advance(HOUR_MS - 1);
    assertEquals((await directory.sample(9, never)).length, 1);
    await clock.advance(1);
    assertEquals(await directory.sample(9, never), []);
  },

  "keeps who is there against a flood, and takes in another once the place is free":
    async (
      { directory, clock, entry },
    ) => {
      await directory.put([entry(7)], never);
      const flood = Array.from(
        { length: 25 },
        (_, n) => entry(7 + (n + 1) * DIRECTORY_ENTRIES_MAX),
      );
      assertEquals(await directory.put(flood, never), 0);
      const [kept] = await directory.sample(99, never);
      assertEquals(kept!.id, entry(7).id);
      await clock.advance(HOUR_MS);
      const later = entry(7 + DIRECTORY_ENTRIES_MAX, {
        expiresAtMs: clock.nowMs() + HOUR_MS,
      });
      assertEquals(await directory.put([later], never), 1);
      assertEquals((await directory.sample(99, never)).length, 1);
    },

  "replaces an entry by a later one of the same peer, and not by an earlier":
    async (
      { directory, entry },
    ) => {
      const { seenMs } = entry(1);
      await directory.put([entry(1)], never);
      await directory.put([entry(1, { seenMs: seenMs + 5 })], never);
      await directory.put([entry(1, { seenMs: seenMs - 5 })], never);
      const [kept] = await directory.sample(9, never);
      assertEquals(kept!.seenMs, seenMs + 5);
    },

  "draws from all it holds, beginning anywhere": async (
    { directory, entry },
  ) => {
    const many = Array.from({ length: 300 }, (_, n) => entry(n * 13));
    assertEquals(await directory.put(many, never), 300);
    const drawn = new Set<string>();
    for (let times = 0; times < 60; times++) {
      for (const { id } of await directory.sample(20, never)) drawn.add(id);
    }
    assertTrue(drawn.size > 200, `${drawn.size} of 300 were ever drawn`);
  },

  "keeps what it took when the caller reuses its buffer": async (
    { directory, entry },
  ) => {
    const reused = entry(1);
    await directory.put([reused], never);
    reused.record.fill(0);
    const [kept] = await directory.sample(1, never);
    assertEquals(kept!.record, entry(1).record);
    kept!.record.fill(9);
    const [again] = await directory.sample(1, never);
    assertEquals(again!.record, entry(1).record);
  },
};

/** Runs the contract. */
export function directoryContract(name: string, open: OpenDirectory): void {
  for (const [claim, prove] of Object.entries(claims)) {
    Deno.test(`${name} ${claim}`, async () => {
      const clock = new VirtualClock();
      const random = new SeededRandom(5);
      await using directory = await open({ clock, random });
      const startMs = clock.nowMs();
      const entry: World["entry"] = (number, changes) =>
        entryFor(number, startMs, changes);
      await prove({ directory, clock, entry });
    });
  }
}
