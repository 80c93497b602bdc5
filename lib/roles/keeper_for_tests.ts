/** A keeper of pointers and somebody who brings it records, for tests. */
import { hash, type TesseraId, tesseraId } from "@tesseras/core";
import type { NodeSigner } from "@tesseras/crypto";
import {
  type AddOptions,
  type Inhabitant,
  never,
  type Rogue,
  type World,
} from "@tesseras/testing/sim";
import { signProviderRecord } from "@tesseras/wire";

const DAY_MS = 86_400_000;

/** A keeper of pointers, and somebody who brings it records. */
export async function keeper(
  world: World,
  options: AddOptions = {},
): Promise<{ readonly dht: Inhabitant; readonly rogue: Rogue }> {
  const dht = await world.add(["dht"], options);
  const rogue = await world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
  return { dht, rogue };
}

/** What a holder says. */
export type Claim = {
  readonly id: TesseraId;
  readonly plan?: number;
  readonly sequence?: number;
  readonly expiresAtMs?: number;
  /** Where its holder is. */
  readonly ip?: string;
};

/** An entry of `store`, signed by a holder. */
export function entry(world: World, holder: NodeSigner, claim: Claim) {
  const nowMs = world.clock.nowMs();
  const sequence = claim.sequence ?? nowMs;
  const { bytes: record } = signProviderRecord({
    tesseraId: claim.id,
    planHash: hash(new Uint8Array(32).fill(claim.plan ?? 1)),
    indices: [0],
    sequence,
    expiresAtMs: claim.expiresAtMs ?? sequence + DAY_MS,
  }, holder);
  const address = { ip: claim.ip ?? "12.0.0.1", port: 4433 };
  return { record, holder: world.recordOf(holder, [address]).bytes };
}

/** Brings entries in as many messages as it takes. */
export async function bring(
  world: World,
  { dht, rogue }: { readonly dht: Inhabitant; readonly rogue: Rogue },
  entries: ReturnType<typeof entry>[],
): Promise<[accepted: number, refused: number]> {
  let [accepted, refused] = [0, 0];
  for (let at = 0; at < entries.length; at += 20) {
    const { response } = await world.run(
      rogue.peers.ask(
        dht.node.record(),
        {
          type: "store",
          entries: entries.slice(at, at + 20),
        },
        {},
        never,
      ),
    );
    accepted += response.accepted;
    refused += response.refused;
  }
  return [accepted, refused];
}

/** A tessera nobody has heard of. */
export const newId = (world: World) => tesseraId(world.random.bytes(32));
