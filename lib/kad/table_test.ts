import fc from "fast-check";
import { nodeId, SeededRandom, shuffled } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Contact } from "./bucket.ts";
import { bucketIndex, closer, randomIdInBucket } from "./distance.ts";
import { Table, TABLE_DEFAULTS } from "./table.ts";

const SELF = nodeId(new Uint8Array(20));
const FAR = 159;
const FRESH = TABLE_DEFAULTS.freshMs;

/** Contacts of one bucket, the last byte telling them apart. */
function inBucket(index: number, count: number, subnet?: string): Contact[] {
  const random = new SeededRandom(index);
  return Array.from({ length: count }, (_, i) => {
    const id = randomIdInBucket(SELF, index, random);
    if (index > 8) id[19] = i;
    return { id, capabilities: 0, ...(subnet !== undefined && { subnet }) };
  });
}

function fill(table: Table<Contact>, contacts: readonly Contact[]): void {
  contacts.forEach((contact, i) => table.observe(contact, i));
}

Deno.test("a newcomer to a full bucket waits while the oldest is asked whether it lives", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 22);
  fill(table, peers.slice(0, 20));
  assertEquals(table.observe(peers[20]!, FRESH), {
    do: "ping",
    oldest: peers[0]!,
  });
  assertEquals(table.observe(peers[21]!, FRESH), { do: "cached" });
  assertEquals([table.size, table.get(peers[20]!.id)], [20, undefined]);
});

Deno.test("a peer that answers keeps its place, and the next oldest is asked for the next newcomer", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 22);
  fill(table, peers.slice(0, 20));
  table.observe(peers[20]!, FRESH);
  table.answered(peers[0]!.id, FRESH + 1);
  assertEquals(table.get(peers[0]!.id), peers[0]);
  assertEquals(table.observe(peers[21]!, FRESH + 2), {
    do: "ping",
    oldest: peers[1]!,
  });
});

Deno.test("newcomers cannot make us ping peers we just heard of", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 200);
  fill(table, peers.slice(0, 20));
  for (const peer of peers.slice(20)) {
    assertEquals(table.observe(peer, FRESH - 1), { do: "cached" });
  }
});

Deno.test("a ping nobody reports on is asked for again", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 23);
  fill(table, peers.slice(0, 20));
  const ping = { do: "ping", oldest: peers[0]! };
  assertEquals(table.observe(peers[20]!, FRESH), ping);
  assertEquals(table.observe(peers[21]!, 2 * FRESH - 1), { do: "cached" });
  assertEquals(table.observe(peers[22]!, 2 * FRESH), ping);
});

Deno.test("a ping that failed is asked for again with the next newcomer, until the third", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 23);
  fill(table, peers.slice(0, 20));
  for (const newcomer of peers.slice(20)) {
    const ping = { do: "ping", oldest: peers[0]! };
    assertEquals(table.observe(newcomer, FRESH), ping);
    const last = newcomer === peers[22];
    assertEquals(table.failed(peers[0]!.id).removed, last);
  }
  assertEquals(table.get(peers[22]!.id), peers[22]);
});

Deno.test("three failures in a row remove a peer and promote the one that waited last", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 22);
  fill(table, peers);
  const dead = peers[7]!.id;
  assertEquals(table.failed(dead), { removed: false });
  assertEquals(table.failed(dead), { removed: false });
  assertEquals(table.failed(dead), { removed: true, promoted: peers[21]! });
  assertEquals(
    [table.size, table.get(dead), table.get(peers[21]!.id)],
    [20, undefined, peers[21]],
  );
});

Deno.test("an answer forgives the failures before it", () => {
  const table = new Table(SELF);
  const [peer] = inBucket(FAR, 1);
  table.observe(peer!, 0);
  table.failed(peer!.id);
  table.failed(peer!.id);
  table.answered(peer!.id, 1);
  table.failed(peer!.id);
  assertEquals(table.failed(peer!.id), { removed: false });
  assertEquals(table.failed(peer!.id), { removed: true });
  assertEquals(table.size, 0);
});

Deno.test("a handshake is no answer: it forgives nothing", () => {
  const table = new Table(SELF);
  const [peer] = inBucket(FAR, 1);
  table.observe(peer!, 0);
  for (let i = 1; i <= 2; i++) {
    table.failed(peer!.id);
    assertEquals(table.observe(peer!, i), { do: "updated" });
  }
  assertEquals(table.failed(peer!.id), { removed: true });
});

Deno.test("seeing a peer again makes it the most recently seen and keeps its newest contact", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 3);
  fill(table, peers);
  const renewed = { ...peers[0]!, capabilities: 5 };
  assertEquals(table.observe(renewed, 9), { do: "updated" });
  assertEquals(
    [...table.entries()].map(({ contact, seenMs }) => [contact, seenMs]),
    [[peers[1], 1], [peers[2], 2], [renewed, 9]],
  );
});

Deno.test("one that waits and fails is forgotten at once", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 21);
  fill(table, peers);
  assertEquals(table.failed(peers[20]!.id), { removed: false });
  assertEquals(table.remove(peers[0]!.id), { removed: true });
});

Deno.test("removing a peer makes room for who waits, in the order of age", () => {
  const table = new Table(SELF);
  const peers = inBucket(FAR, 21);
  fill(table, peers);
  for (const peer of peers.slice(1, 20)) table.answered(peer.id, 100);
  assertEquals(table.remove(peers[0]!.id), {
    removed: true,
    promoted: peers[20]!,
  });
  assertEquals([...table.entries()][0]?.contact, peers[20]);
});

Deno.test("our own id and unknown ids change nothing", () => {
  const table = new Table(SELF);
  const own = { id: SELF, capabilities: 0 };
  assertEquals(table.observe(own, 0), { do: "refused", reason: "self" });
  table.answered(SELF, 0);
  assertEquals(table.failed(SELF), { removed: false });
  assertEquals(table.remove(inBucket(3, 1)[0]!.id), { removed: false });
  assertEquals([table.size, table.get(SELF)], [0, undefined]);
});

Deno.test("a subnet gets its places in a bucket and no more, waiting ones included", () => {
  const table = new Table(SELF, { subnetPerBucketMax: 2 });
  const crowd = inBucket(FAR, 40, "192.0.2.0/24");
  const steps = crowd.map((contact) => table.observe(contact, 0).do);
  assertEquals(steps.filter((step) => step === "added").length, 2);
  assertEquals(steps.filter((step) => step === "refused").length, 38);
  const others = inBucket(FAR, 60).slice(40);
  others.forEach((contact) => table.observe(contact, 0));
  assertEquals(table.size, 20);
});

Deno.test("a subnet gets its places in the table and gives them back", () => {
  const table = new Table(SELF, { subnetPerTableMax: 3 });
  const subnet = "2001:db8::/48";
  const crowd = [150, 151, 152, 153].flatMap((i) => inBucket(i, 1, subnet));
  fill(table, crowd);
  assertEquals(table.size, 3);
  table.remove(crowd[0]!.id);
  assertEquals(table.observe(crowd[3]!, 9), { do: "added" });
});

Deno.test("a peer cannot move from a free subnet into a full one", () => {
  const table = new Table(SELF, { subnetPerTableMax: 1 });
  const [a, b] = inBucket(FAR, 2);
  table.observe({ ...a!, subnet: "full" }, 0);
  table.observe({ ...b!, subnet: "free" }, 1);
  assertEquals(table.observe({ ...b!, subnet: "full" }, 2), {
    do: "refused",
    reason: "subnet",
  });
  assertEquals(table.get(b!.id)?.subnet, "free");
  table.remove(a!.id);
  assertEquals(table.observe({ ...b!, subnet: "full" }, 3), { do: "updated" });
});

Deno.test("staleBuckets() names untouched buckets from the nearest neighbour outwards", () => {
  const table = new Table(SELF);
  assertEquals(table.staleBuckets(0, 10), []);
  fill(table, [...inBucket(157, 1), ...inBucket(159, 1)]);
  assertEquals(table.staleBuckets(0, 10), [157, 158, 159]);
  table.touchBucket(158, 5);
  assertEquals(table.staleBuckets(14, 10), [157, 159]);
  assertEquals(table.staleBuckets(15, 10), [157, 158, 159]);
  table.touchBucket(-1, 5);
});

Deno.test("staleBuckets() leaves out where an id would lack the zeros of work", () => {
  const table = new Table(SELF, { powBits: 16 });
  fill(table, inBucket(141, 1));
  assertEquals(table.staleBuckets(0, 10), [141, 142, 143]);
  table.touchBucket(159, 0);
  assertEquals(table.staleBuckets(20, 10), [141, 142, 143]);
});

Deno.test("closest() is what sorting everything would give, with and without wanted capabilities", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 40 }),
      fc.nat(3),
      (seed, peerCount, count, want) => {
        const random = new SeededRandom(seed);
        const self = nodeId(random.bytes(20));
        const table = new Table<Contact>(self);
        for (let i = 0; i < peerCount; i++) {
          const id = randomIdInBucket(self, 159 - random.below(12), random);
          table.observe({ id, capabilities: random.below(4) }, i);
        }
        const target = random.below(2) === 0
          ? nodeId(random.bytes(20))
          : randomIdInBucket(self, 150 + random.below(10), random);
        const expected = [...table.entries()].map(({ contact }) => contact)
          .filter(({ capabilities }) => (capabilities & want) === want)
          .sort((a, b) => closer(target, a.id, b.id)).slice(0, count);
        assertEquals(table.closest(target, count, want), expected);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("closest() to ourselves and to a contact begins with the nearest", () => {
  const table = new Table<Contact>(SELF);
  const peers = [...inBucket(3, 1), ...inBucket(90, 5)];
  fill(table, shuffled(peers, new SeededRandom(1)));
  assertEquals(bucketIndex(SELF, table.closest(SELF, 1)[0]!.id), 3);
  const contact = inBucket(90, 5)[2]!;
  assertEquals(table.closest(contact.id, 1), [contact]);
});

type Act = readonly [
  what: "observe" | "answered" | "failed" | "remove",
  who: number,
];

Deno.test("whatever happens, no cap is exceeded, nobody is held twice, and counts stay true", () => {
  const limits = {
    bucketPeersMax: 4,
    replacementsMax: 2,
    subnetPerBucketMax: 2,
    subnetPerTableMax: 5,
    freshMs: 3,
  };
  const acts = fc.array(
    fc.tuple(
      fc.constantFrom("observe", "observe", "answered", "failed", "remove"),
      fc.nat(59),
    ) as fc.Arbitrary<Act>,
    { minLength: 100, maxLength: 300, size: "max" },
  );
  const subnets = ["a", "b", "c", "d", undefined];
  fc.assert(
    fc.property(acts, fc.nat(), (history, seed) => {
      const random = new SeededRandom(seed);
      const table = new Table<Contact>(SELF, limits);
      history.forEach(([what, who], nowMs) => {
        const { id } = inBucket(140 + who % 3, 20)[Math.floor(who / 3)]!;
        const subnet = subnets[random.below(5)];
        if (what === "observe") {
          table.observe({
            id,
            capabilities: 0,
            ...(subnet !== undefined && { subnet }),
          }, nowMs);
        } else if (what === "answered") table.answered(id, nowMs);
        else table[what](id);
        assertSound(table, limits);
      });
    }),
    { numRuns: 60 },
  );
});

function assertSound(
  table: Table<Contact>,
  limits: {
    readonly bucketPeersMax: number;
    readonly subnetPerBucketMax: number;
    readonly subnetPerTableMax: number;
  },
): void {
  const held = new Set<string>();
  const counts = new Map<string, number>();
  const count = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  let last = { bucket: -1, seenMs: -1 };
  for (const { contact, seenMs } of table.entries()) {
    const bucket = bucketIndex(SELF, contact.id);
    assertTrue(bucket !== last.bucket || seenMs >= last.seenMs, "oldest first");
    last = { bucket, seenMs };
    held.add(contact.id.join());
    count(`bucket ${bucket}`);
    if (contact.subnet === undefined) continue;
    count(`bucketSubnet ${bucket} ${contact.subnet}`);
    count(`subnet ${contact.subnet}`);
  }
  assertEquals(held.size, table.size);
  const caps: Readonly<Record<string, number>> = {
    bucket: limits.bucketPeersMax,
    bucketSubnet: limits.subnetPerBucketMax,
    subnet: limits.subnetPerTableMax,
  };
  for (const [key, value] of counts) {
    assertTrue(value <= caps[key.split(" ")[0]!]!, `${key}: ${value}`);
  }
}
