/** A small network that keeps tesseras: an entrance, holders, and a home that publishes; and newcomers who fetch. */
import { keyOf } from "@tesseras/core";
import { nobleMlDsa } from "@tesseras/crypto";
import { Budget, fetch, Forgetter, publish, Publisher } from "@tesseras/node";
import { Caretaker } from "@tesseras/roles";
import { creator, keep, never } from "@tesseras/testing/sim";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Plan } from "@tesseras/tessera";
import { quickTempo } from "../sim/caring.ts";
import type { Machine, Machines, Running } from "./machines.ts";

/** Bytes of a file that fits in whole copies. */
const SMALL_BYTES = 2_000;

/** Who is there. */
export type Town = {
  readonly entrance: Machine;
  readonly holders: readonly Machine[];
  readonly home: Machine;
};

/** What a test knows of a tessera that nodes need not know. */
export type Treasure = {
  readonly plan: Plan;
  readonly pack: Uint8Array;
};

/** Builds a network. Holders do what `work` says, beside keeping. */
export async function build(
  machines: Machines,
  holderCount: number,
  work?: (name: string) => ((running: Running) => void) | undefined,
): Promise<Town> {
  const entrance = await machines.add("entrance", ["bootstrap", "dht"]);
  const holders: Machine[] = [];
  for (let number = 1; number <= holderCount; number++) {
    const name = `holder ${number}`;
    const own = work?.(name);
    const options = own === undefined ? {} : { work: own };
    holders.push(await machines.add(name, ["store"], options));
  }
  const home = await machines.add("home", [], { work: publishing });
  return { entrance, holders, home };
}

/** Makes a tessera at home. */
export async function treasure(
  machines: Machines,
  home: Machine,
  seed: number,
  bytes = SMALL_BYTES,
): Promise<Treasure> {
  const { inhabitant, archive } = home.up;
  const at = { ...inhabitant, archive };
  const { id, plan } = await machines.run(keep(at, creator(seed), bytes));
  return { plan, pack: await machines.run(packOf(home, id)) };
}

async function packOf(
  { up: { archive } }: Machine,
  id: Plan["tesseraId"],
): Promise<Uint8Array> {
  await using pack = await archive.pack(id, never);
  const bytes = new Uint8Array(pack.bytes);
  for (let at = 0; at < bytes.length;) {
    at += await pack.read(at, bytes.subarray(at), never);
  }
  return bytes;
}

/** What a process does for what it has published: it goes on until everything has a holder. */
export function publishing(running: Running): void {
  const { node, archive, state } = running;
  const parts = { node, archive, state, subnetLimit: 2, suite: nobleMlDsa };
  const publisher = new Publisher(parts);
  node.spawn((signal) => publisher.runForever(signal));
  const forgetter = new Forgetter({ node, state });
  node.spawn((signal) => forgetter.runForever(signal));
}

/** What a holder does for what it keeps. */
export function caring(running: Running): void {
  const { node } = running;
  const parts = { ...caringParts(running), tempo: quickTempo() };
  const caretaker = new Caretaker(parts);
  node.spawn((signal) => caretaker.runForever(signal));
}

/** What looks and repairs work with. */
export function caringParts({ node, archive, state, blobs }: Running) {
  const budget = new Budget(64 << 20, node.runtime.clock);
  const { patience } = quickTempo();
  return { node, archive, state, blobs, budget, subnetLimit: 2, patience };
}

/** Publishes once; what fails is left to the node to go on with. */
export async function publishFrom(home: Machine, plan: Plan): Promise<void> {
  const { node, archive, state } = home.up;
  const parts = { node, archive, state, subnetLimit: 2 };
  await publish(parts, plan, () => {}, never);
}

/** Which machines, running or not, have which fragments of a plan on their disks. */
export async function keptOf(
  machines: readonly Machine[],
  plan: Plan,
): Promise<ReadonlyMap<Machine, readonly number[]>> {
  const kept = new Map<Machine, readonly number[]>();
  for (const machine of machines) {
    const rows = await machine.state.fragmentsOf(plan.tesseraId, never);
    const indices = rows
      .filter(({ planHash, owner }) =>
        owner !== undefined && keyOf(planHash) === keyOf(plan.hash)
      ).map(({ index }) => index);
    if (indices.length > 0) kept.set(machine, indices);
  }
  return kept;
}

/** How many different fragments lie on the disks of some. */
export async function aliveOf(
  machines: readonly Machine[],
  plan: Plan,
): Promise<number> {
  const kept = await keptOf(machines, plan);
  return new Set([...kept.values()].flat()).size;
}

/** Lets time pass until something holds, or it was tried so often. */
export async function until(
  machines: Machines,
  { everyMs, times }: { readonly everyMs: number; readonly times: number },
  holds: () => Promise<boolean>,
): Promise<boolean> {
  for (let time = 0; time < times; time++) {
    if (await holds()) return true;
    await machines.pass(everyMs);
  }
  return await holds();
}

/** A newcomer fetches a tessera and gets every byte of it. */
export async function assertFetched(
  machines: Machines,
  { plan, pack }: Treasure,
): Promise<void> {
  const newcomer = await machines.add(`newcomer ${machines.all.length}`, []);
  const { node, archive, blobs } = newcomer.up;
  const id = plan.tesseraId;
  const parts = { node, archive, blobs, suite: nobleMlDsa };
  await machines.run(fetch(parts, id, () => {}, never));
  const report = await machines.run(archive.verify(id, () => {}, never));
  assertTrue(report.passed, "the newcomer's copy is what was signed");
  assertEquals(await machines.run(packOf(newcomer, id)), pack);
  machines.tally.fetches++;
  machines.kill(newcomer);
}
