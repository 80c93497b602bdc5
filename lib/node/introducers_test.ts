import { nodeId, SeededRandom } from "@tesseras/core";
import {
  INTRODUCERS_MAX,
  INTRODUCERS_REMEMBERED_MAX,
  NODE_ID_BYTES,
} from "@tesseras/core/limits";
import { assertEquals } from "@tesseras/testing";
import { World } from "@tesseras/testing/sim";
import type { NodeRecord } from "@tesseras/wire";
import { Introducers } from "./introducers.ts";

const random = new SeededRandom(1);
const world = new World(1);
const sample = world.recordOf(await world.identity(), []);

/** A record of somebody else with the same words. */
function somebody(changes: Partial<NodeRecord> = {}): NodeRecord {
  const id = nodeId(random.bytes(NODE_ID_BYTES));
  return { ...sample, id, ...changes };
}

Deno.test("whoever named a peer last is asked first, three at most, each once", () => {
  const introducers = new Introducers("internet");
  const peer = somebody();
  const by = Array.from({ length: INTRODUCERS_MAX + 2 }, () => somebody());
  for (const one of [...by, by[0]!]) introducers.named([peer], one);
  const expected = [by[0]!, by.at(-1)!, by.at(-2)!].map(({ id }) => id);
  assertEquals(introducers.of(peer.id), expected);
});

Deno.test("peers that can be dialled need nobody, nor does a node that is never introduced", () => {
  const dialable = somebody({ addresses: [{ ip: "9.9.9.9", port: 1 }] });
  const inner = somebody({ addresses: [{ ip: "10.0.0.9", port: 1 }] });
  const introducers = new Introducers("internet");
  introducers.named([dialable, inner], somebody());
  assertEquals(introducers.of(dialable.id), []);
  assertEquals(introducers.of(inner.id).length, 1);
  const none = new Introducers(undefined);
  none.named([inner], somebody());
  assertEquals(none.size, 0);
});

Deno.test("remembers so many peers, and forgets the one named longest ago", () => {
  const introducers = new Introducers("lab");
  const [first, by] = [somebody(), somebody()];
  introducers.named([first], by);
  const crowd = Array.from(
    { length: INTRODUCERS_REMEMBERED_MAX },
    () => somebody(),
  );
  introducers.named(crowd, by);
  assertEquals(introducers.size, INTRODUCERS_REMEMBERED_MAX);
  assertEquals(introducers.of(first.id), []);
});
