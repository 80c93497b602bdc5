import { assertEquals, assertTrue } from "@tesseras/testing";
import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { BUCKET_PEERS_MAX, REGION_LOOKUPS_MAX } from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { minted, mintedNear, POW_BITS } from "./minted_for_tests.ts";
import { isWithin, regionOf } from "./region.ts";
import { Survey, type SurveyOptions } from "./survey.ts";

function nearest(all: readonly Contact[], target: NodeId): Contact[] {
  return all.toSorted((a, b) => closer(target, a.id, b.id))
    .slice(0, BUCKET_PEERS_MAX);
}

/** Runs a survey in which every lookup finds what is there, those apart whom it is to leave out. */
function run(
  all: readonly Contact[],
  options: SurveyOptions<Contact>,
): Survey<Contact> {
  const survey = new Survey<Contact>(options);
  for (let target = survey.next(); target; target = survey.next()) {
    const there = all.filter(({ id }) => !survey.isSuspect(id));
    survey.answered(target, nearest(there, target));
  }
  return survey;
}

const contactsOf = (ids: readonly NodeId[]) =>
  ids.map((id): Contact => ({ id, capabilities: 0 }));

Deno.test("finds everybody in a region of an honest network in a few lookups, and grows a region that is too empty", () => {
  const random = new SeededRandom(1);
  const size = 1_000;
  const all = contactsOf(Array.from({ length: size }, () => minted(random)));
  let lookups = 0;
  for (let i = 0; i < 40; i++) {
    const key = nodeId(random.bytes(20));
    const region = regionOf(key, { size, powBits: POW_BITS });
    const survey = run(all, { size, powBits: POW_BITS, region, random });
    lookups += survey.lookupCount;
    const there = all.filter(({ id }) => isWithin(survey.region, id));
    const found = new Set(survey.peers().map(({ id }) => keyOf(id)));
    const missed = there.filter(({ id }) => !found.has(keyOf(id))).length;
    assertTrue(missed <= 1, `${missed} of ${there.length} missed`);
    assertTrue(found.size >= BUCKET_PEERS_MAX, `${found.size} found`);
    assertTrue(survey.region.length <= region.length);
    const missing = nearest(all, key).filter(({ id }) => !found.has(keyOf(id)));
    assertTrue(missing.length <= 1, `${missing.length} of the 20 nearest`);
  }
  assertTrue(lookups / 40 <= 6, `${lookups / 40} lookups a region`);
});

Deno.test("identities ground next to a key do not hide the nodes of its region", () => {
  const random = new SeededRandom(2);
  const size = 1_000;
  const honest = contactsOf(Array.from({ length: size }, () => minted(random)));
  for (const count of [20, 100]) {
    const key = nodeId(random.bytes(20));
    const around = { size, powBits: POW_BITS };
    const region = regionOf(key, around);
    const ground = contactsOf(
      Array.from({ length: count }, () => mintedNear(random, key, 13)),
    );
    const all = [...honest, ...ground];
    const known = { target: key, closest: nearest(all, key) };
    const survey = run(all, { ...around, region, random, known });
    const found = new Set(survey.peers().map(({ id }) => keyOf(id)));
    const there = honest.filter(({ id }) => isWithin(region, id));
    const missed = there.filter(({ id }) => !found.has(keyOf(id))).length;
    assertTrue(missed <= 2, `${missed} of ${there.length} missed`);
    assertTrue(survey.lookupCount <= 12, `${survey.lookupCount} lookups`);
  }
});

Deno.test("a crowd all over a region costs no more than its lookups, and leaves most of the honest in sight", () => {
  const random = new SeededRandom(3);
  const size = 10_000;
  const key = nodeId(random.bytes(20));
  const around = { size, powBits: POW_BITS };
  const region = regionOf(key, around);
  const honest = contactsOf(
    Array.from({ length: 9_000 }, () => minted(random)),
  ).filter(({ id }) => isWithin(region, id));
  const ground = contactsOf(Array.from(
    { length: 1_000 },
    () => mintedNear(random, key, region.length - POW_BITS),
  ));
  const all = [...honest, ...ground];
  const known = { target: key, closest: nearest(all, key) };
  const survey = run(all, { ...around, region, random, known });
  assertEquals(survey.lookupCount, REGION_LOOKUPS_MAX);
  const found = new Set(survey.peers().map(({ id }) => keyOf(id)));
  assertTrue(found.size <= (REGION_LOOKUPS_MAX + 1) * BUCKET_PEERS_MAX);
  const seen = honest.filter(({ id }) => found.has(keyOf(id))).length;
  assertTrue(seen >= honest.length / 4, `${seen} of ${honest.length}`);
});

Deno.test("a crowd that fills our table and names nobody but itself does not hide the region", () => {
  const random = new SeededRandom(6);
  const size = 5_000;
  const key = nodeId(random.bytes(20));
  const around = { size, powBits: POW_BITS };
  const region = regionOf(key, around);
  const honest = contactsOf(
    Array.from({ length: size }, () => minted(random)),
  ).filter(({ id }) => isWithin(region, id));
  const ground = contactsOf(
    Array.from({ length: 500 }, () => mintedNear(random, key, 14)),
  );
  const known = { target: key, closest: nearest(ground, key) };
  const survey = new Survey<Contact>({ ...around, region, random, known });
  for (let target = survey.next(); target; target = survey.next()) {
    // Whoever asks a single one of the crowd hears of nobody else.
    const left = ground.filter(({ id }) => !survey.isSuspect(id));
    survey.answered(target, nearest(left.length > 0 ? left : honest, target));
  }
  const found = new Set(survey.peers().map(({ id }) => keyOf(id)));
  const missed = honest.filter(({ id }) => !found.has(keyOf(id))).length;
  assertTrue(missed <= 2, `${missed} of ${honest.length} missed`);
});

Deno.test("answers that lie about everything end with the lookups, too", () => {
  const random = new SeededRandom(4);
  const around = { size: 1e9, powBits: POW_BITS };
  const region = regionOf(nodeId(random.bytes(20)), around);
  const survey = new Survey<Contact>({ ...around, region, random });
  for (let target = survey.next(); target; target = survey.next()) {
    survey.answered(
      target,
      contactsOf(Array.from({ length: 500 }, () => nodeId(random.bytes(20)))),
    );
  }
  assertTrue(survey.lookupCount <= REGION_LOOKUPS_MAX);
  assertTrue(survey.peers().length <= REGION_LOOKUPS_MAX * BUCKET_PEERS_MAX);
});

Deno.test("a network of fewer than k nodes is seen whole in one lookup", () => {
  const random = new SeededRandom(5);
  const all = contactsOf(Array.from({ length: 12 }, () => minted(random)));
  const around = { size: 12, powBits: POW_BITS };
  const region = regionOf(nodeId(random.bytes(20)), around);
  const survey = run(all, { ...around, region, random });
  assertEquals([survey.lookupCount, survey.peers().length], [1, 12]);
});
