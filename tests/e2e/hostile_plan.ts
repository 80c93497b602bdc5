/** Signed plans with fragments that fit them, and plans that do not hold. What an enemy has: anybody can sign for their own. */
import { concat, type Random, tesseraId, utf8 } from "@tesseras/core";
import { HASH_BYTES, MEDIUM_TIER_BYTES } from "@tesseras/core/limits";
import { blake3, creatorKeysFromSeed } from "@tesseras/crypto";
import {
  draftPlan,
  type Plan,
  shardBytesOf,
  signPlan,
  tierOf,
} from "@tesseras/tessera";

/** A plan and the octets it speaks of. */
export type Planned = {
  readonly plan: Plan;
  fragment(index: number): Uint8Array;
};

/** A plan for 16 + 8 fragments. A holder cannot tell that they rebuild nothing: it sees some of them, and their hashes. */
export function codedPlan(random: Random): Planned {
  const bytes = MEDIUM_TIER_BYTES;
  const { dataCount, parityCount } = tierOf(bytes);
  const shard = random.bytes(shardBytesOf(bytes, dataCount));
  const fragments = Array.from(
    { length: dataCount + parityCount },
    (_, index) => {
      const fragment = shard.slice();
      fragment[0] = index;
      return fragment;
    },
  );
  return planned(random, bytes, fragments);
}

/** A plan for whole copies of a pack of so many bytes. */
export function smallPlan(random: Random, bytes: number): Planned {
  const { dataCount, parityCount } = tierOf(bytes);
  const copy = random.bytes(bytes);
  const fragments = Array<Uint8Array>(dataCount + parityCount).fill(copy);
  return planned(random, bytes, fragments);
}

/** The plan with its last signature broken by one bit. */
export function forgedPlan({ plan }: Planned): Uint8Array {
  const bytes = plan.bytes.slice();
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

function planned(
  random: Random,
  packBytes: number,
  fragments: readonly Uint8Array[],
): Planned {
  const keys = creatorKeysFromSeed(random.bytes(32));
  const id = blake3(concat([utf8("hostile"), random.bytes(HASH_BYTES)]));
  const draft = draftPlan({
    tesseraId: tesseraId(id),
    packBytes,
    fragments: fragments.map((fragment) => blake3(fragment)),
  });
  const plan = signPlan(draft, keys);
  return { plan, fragment: (index) => fragments[index]! };
}
