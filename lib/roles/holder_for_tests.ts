/** A holder and somebody who sends to it, for tests. */
import { type Hash, tesseraId } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { bulkOf, collectBulk } from "@tesseras/net";
import {
  type AddOptions,
  creator,
  type Inhabitant,
  never,
  type Rogue,
  type World,
} from "@tesseras/testing/sim";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";

/** A holder, and somebody who sends to it. */
export async function holder(
  world: World,
  options: AddOptions = {},
): Promise<{ readonly store: Inhabitant; readonly sender: Rogue }> {
  const store = await world.add(["store"], options);
  const sender = await world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
  return { store, sender };
}

/** A plan of whole copies of so many bytes. */
export function copies(bytes: number, seed = 1) {
  const content = new Uint8Array(bytes).fill(seed);
  const plan = signPlan(
    draftPlan({
      tesseraId: tesseraId(blake3(new Uint8Array([seed]))),
      packBytes: bytes,
      fragments: Array<Hash>(7).fill(blake3(content)),
    }),
    creator(seed),
  );
  return { content, plan };
}

/** What is sent. */
export type Sent = {
  readonly plan: Plan;
  readonly index?: number;
  readonly content: Uint8Array;
};

/** Has a holder keep a fragment; returns its word. */
export async function put(
  { peers }: Rogue,
  { node }: Inhabitant,
  { plan, index = 0, content }: Sent,
) {
  const { response } = await peers.ask(
    node.record(),
    {
      type: "put_fragment",
      plan: plan.bytes,
      index,
      bulk: content.length,
    },
    { bulk: bulkOf(content) },
    never,
  );
  return response.provider;
}

/** Gets a range of a fragment. */
export async function get(
  { peers }: Rogue,
  { node }: Inhabitant,
  wanted: { plan: Plan; index?: number; offset?: number; length: number },
): Promise<Uint8Array> {
  const { bulk } = await peers.ask(
    node.record(),
    {
      type: "get_fragment",
      plan: wanted.plan.hash,
      index: wanted.index ?? 0,
      offset: wanted.offset ?? 0,
      length: wanted.length,
    },
    {},
    never,
  );
  return await collectBulk(bulk!, never);
}
