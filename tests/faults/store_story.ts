/** A holder that takes fragments, from several who send, and says so. */
import { codeOf, type Hash, keyOf, tesseraId } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { bulkOf, collectBulk } from "@tesseras/net";
import { creator, never, type Rogue } from "@tesseras/testing/sim";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import type { Machine, Machines } from "./machines.ts";
import type { Stage, Story } from "./story.ts";

/** What is sent. */
export type Sent = {
  readonly plan: Plan;
  readonly index: number;
  readonly content: Uint8Array;
};

/** Longer than plans and announcements wait before they are written and told. */
const QUIET_MS = 40_000;
/** How often a sender tries again. */
const TRIES_MAX = 4;
const HOUR_MS = 3_600_000;

const plans = new Map<string, Sent>();

/** A fragment of a plan of whole copies, the same for the same numbers. Signing takes longer than most of a story. */
export function fragmentOf(
  by: number,
  contentSeed: number,
  index: number,
): Sent {
  const key = `${by} ${contentSeed}`;
  const known = plans.get(key);
  if (known !== undefined) return { ...known, index };
  const content = new Uint8Array(700 + 10 * contentSeed).fill(contentSeed);
  const plan = signPlan(
    draftPlan({
      tesseraId: tesseraId(blake3(content)),
      packBytes: content.length,
      fragments: Array<Hash>(7).fill(blake3(content)),
    }),
    creator(by),
  );
  const made = { plan, index, content };
  plans.set(key, made);
  return made;
}

/** Somebody who sends and asks, and keeps nothing. */
export function sender({ world }: Machines): Promise<Rogue> {
  return world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
}

/** Sends a fragment. @returns whether it was acknowledged */
export async function put(
  { peers }: Rogue,
  to: Machine,
  { plan, index, content }: Sent,
): Promise<boolean> {
  if (to.running === undefined) return false;
  try {
    await peers.ask(
      to.running.node.record(),
      {
        type: "put_fragment",
        plan: plan.bytes,
        index,
        bulk: content.length,
      },
      { bulk: bulkOf(content) },
      never,
    );
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

/** Asks for a fragment, which must come as it was sent. */
export async function assertGiven(
  { peers }: Rogue,
  from: Machine,
  { plan, index, content }: Sent,
): Promise<void> {
  const { bulk } = await peers.ask(
    from.up.node.record(),
    {
      type: "get_fragment",
      plan: plan.hash,
      index,
      offset: 0,
      length: content.length,
    },
    {},
    never,
  );
  assertEquals(await collectBulk(bulk!, never), content);
}

/** Sends everything until everything is acknowledged, starting the holder again where it fell. */
export async function putAll(
  machines: Machines,
  { from, to }: { readonly from: Rogue; readonly to: Machine },
  all: readonly Sent[],
): Promise<void> {
  let rest = all;
  for (let round = 0; rest.length > 0; round++) {
    assertTrue(round < TRIES_MAX, `${to.name} takes what it refused at first`);
    await machines.revive(to);
    const said = await machines.run(
      Promise.all(rest.map((one) => put(from, to, one))),
    );
    rest = rest.filter((_, at) => !said[at]);
    await machines.pass(QUIET_MS);
    await machines.oracle.check(to);
  }
}

/** Nothing lies on a disk that no row names, once two sweeps an hour apart have gone over it. */
export async function assertSwept(
  machines: Machines,
  machine: Machine,
): Promise<void> {
  await machines.revive(machine);
  for (let pass = 0; pass < 2; pass++) {
    await machines.run(machine.up.archive.sweep(HOUR_MS, never));
    await machines.oracle.check(machine);
    await machines.pass(HOUR_MS + 1);
  }
  await machines.run(machine.up.archive.sweep(HOUR_MS, never));
  for await (const { hash } of machine.blobs.list(never)) {
    const count = await machine.state.references(hash, never);
    assertTrue(count > 0, `${keyOf(hash)} is swept away`);
  }
}

/** Two plans, a fragment of equal bytes in both, one sent by two at once, one sent again. */
export const STORE: Story = {
  name: "store",
  async play({ machines, arm }: Stage): Promise<void> {
    const holder = await machines.add("holder", ["store"]);
    const [anna, bert] = [await sender(machines), await sender(machines)];
    const first = fragmentOf(1, 1, 0);
    const same = fragmentOf(2, 1, 3);
    const both = fragmentOf(1, 2, 1);
    const second = fragmentOf(1, 1, 4);
    await machines.pass(1_000);
    arm(holder);
    const said = new Map<Sent, boolean>();
    const send = async (from: Rogue, one: Sent): Promise<void> => {
      const isKept = await put(from, holder, one);
      said.set(one, isKept || (said.get(one) ?? false));
    };
    await machines.run(send(anna, first));
    await machines.run(Promise.all([
      send(anna, same),
      send(bert, both),
      send(anna, both),
      send(bert, second),
    ]));
    await machines.run(send(bert, first));
    await machines.pass(QUIET_MS);
    holder.running?.life.disarm();
    await machines.oracle.check(holder);
    await machines.revive(holder);
    await machines.oracle.check(holder);
    for (const [one, isKept] of said) {
      if (isKept) await machines.run(assertGiven(anna, holder, one));
    }
    const all = [...said.keys()];
    await putAll(machines, { from: anna, to: holder }, all);
    for (const one of all) await machines.run(assertGiven(bert, holder, one));
    await assertSwept(machines, holder);
    for (const one of all) await machines.run(assertGiven(bert, holder, one));
  },
};
