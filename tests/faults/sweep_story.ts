/** Everything that deletes: a tessera of our own, a tombstone, what ran out, and the sweep of what nobody names. */
import { codeOf, type Hash } from "@tesseras/core";
import { creator, keep, never, type Rogue } from "@tesseras/testing/sim";
import { assertTrue } from "@tesseras/testing";
import { signTombstone } from "@tesseras/tessera";
import type { Machine, Machines } from "./machines.ts";
import {
  assertGiven,
  assertSwept,
  fragmentOf,
  put,
  putAll,
  sender,
  type Sent,
} from "./store_story.ts";
import type { Stage, Story } from "./story.ts";

const HOUR_MS = 3_600_000;
/** Between fragments that are sent, and from the first to the sweep: it finds some before, some between and some after their rows. */
const BETWEEN_MS = 3;
const SWEPT_AFTER_MS = 24;

/** A holder that is an archive as well, sweeps while fragments come whose bytes lie there unnamed, and is asked to delete. */
export const SWEEP: Story = {
  name: "sweep",
  async play({ machines, arm }: Stage): Promise<void> {
    const holder = await machines.add("holder", ["store"]);
    const anna = await sender(machines);
    const { own, stays } = await prepare(machines, holder);
    const kept = fragmentOf(1, 1, 0);
    const leaves = fragmentOf(2, 2, 0);
    const late = [3, 4, 5, 6].map((content) => fragmentOf(1, content, 2));
    await putAll(machines, { from: anna, to: holder }, [kept, leaves]);
    const left = late.map(({ content }) => content);
    await leave(machines, holder, [...left, new Uint8Array(300).fill(9)]);
    const tombstone = wish(machines, leaves);
    arm(holder);
    await machines.run(
      attempt(holder, (archive) => archive.sweep(HOUR_MS, never)),
    );
    await machines.pass(HOUR_MS);
    const { clock } = machines.world;
    const said = await machines.run(Promise.all(late.map(async (one, at) => {
      await clock.sleep(at * BETWEEN_MS, never);
      // Sweeping while the bytes are there and the row is on its way.
      if (at > 0) return await put(anna, holder, one);
      const first = put(anna, holder, one);
      await clock.sleep(SWEPT_AFTER_MS, never);
      await attempt(holder, (archive) => archive.sweep(HOUR_MS, never));
      return await first;
    })));
    await machines.run(Promise.all([
      attempt(holder, (archive) => archive.remove(own, never)),
      forget(anna, holder, tombstone),
      attempt(holder, (archive) => archive.sweep(HOUR_MS, never)),
    ]));
    await machines.run(expire(holder));
    await machines.pass(30_000);
    holder.running?.life.disarm();
    await machines.oracle.check(holder);
    await machines.revive(holder);
    await machines.oracle.check(holder);
    for (const [at, one] of late.entries()) {
      if (said[at]) await machines.run(assertGiven(anna, holder, one));
    }
    await machines.run(assertGiven(anna, holder, kept));
    const { archive } = holder.up;
    await machines.run(archive.remove(own, never));
    await machines.run(forget(anna, holder, tombstone));
    assertTrue(!await machines.run(put(anna, holder, leaves)), "it is refused");
    await putAll(machines, { from: anna, to: holder }, late);
    await assertSwept(machines, holder);
    for (const one of [kept, ...late]) {
      await machines.run(assertGiven(anna, holder, one));
    }
    const verified = holder.up.archive.verify(stays, () => {}, never);
    assertTrue((await machines.run(verified)).passed, "what stays is whole");
  },
};

/** Two tesseras of our own that share a file. */
async function prepare(machines: Machines, holder: Machine) {
  const { inhabitant, archive } = holder.up;
  const at = { ...inhabitant, archive };
  const own = await machines.run(keep(at, creator(11), 1_500));
  const stays = await machines.run(keep(at, creator(12), 1_500));
  return { own: own.id, stays: stays.id };
}

/** Blobs that killed work left behind. */
async function leave(
  machines: Machines,
  { up: { blobs } }: Machine,
  contents: readonly Uint8Array[],
): Promise<readonly Hash[]> {
  const hashes: Hash[] = [];
  for (const content of contents) {
    await using writer = await blobs.create(never);
    await writer.write(content, never);
    const { hash } = await machines.run(writer.commit(never));
    hashes.push(hash);
  }
  return hashes;
}

function wish({ world }: Machines, { plan }: Sent): Uint8Array {
  const createdAtMs = world.clock.nowMs();
  const { tesseraId } = plan;
  return signTombstone({ tesseraId, createdAtMs }, creator(2)).bytes;
}

/** Does something to an archive that may die of it. */
async function attempt(
  { running }: Machine,
  work: (archive: NonNullable<typeof running>["archive"]) => Promise<unknown>,
): Promise<void> {
  if (running === undefined) return;
  try {
    await work(running.archive);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** Asks a holder to forget; it may die of it. */
async function forget(
  { peers }: Rogue,
  { running }: Machine,
  tombstone: Uint8Array,
): Promise<void> {
  if (running === undefined) return;
  const request = { type: "forget", tombstone } as const;
  try {
    await peers.ask(running.node.record(), request, {}, never);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** Lets go of everything whose time is up; nothing here has come to that. */
async function expire({ running }: Machine): Promise<void> {
  if (running === undefined) return;
  const { state, runtime } = running;
  const nowMs = runtime.clock.nowMs();
  try {
    await state.expirePointers(nowMs, never);
    await state.care.expirePlacements(nowMs, never);
    await state.care.expireTombstones(nowMs, never);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}
