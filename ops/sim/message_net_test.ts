/** The network of messages keeps the promises of real sessions that nodes rely on. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf } from "@tesseras/core";
import { join } from "@tesseras/node";
import { type Citizen, City, never } from "./city.ts";
import { Earth } from "./earth.ts";
import { SeededRandom } from "@tesseras/core";

async function pair(city: City): Promise<readonly [Citizen, Citizen]> {
  const [one, other] = [await city.settle(), await city.settle()];
  return [one, other];
}

const ping = { type: "ping" } as const;

function ask(from: Citizen, to: Citizen) {
  return from.node.peers.ask(to.node.record(), ping, {}, never);
}

Deno.test("a first question takes two round trips, and the next over the same connection one", async () => {
  await using city = new City({ seed: 1, lossRate: 0 });
  const [one, other] = await pair(city);
  const names = [one, other].map(({ host: { address } }) =>
    `${address.ip}:${address.port}`
  );
  const tripMs = city.earth.roundTripMs(names[0]!, names[1]!);
  const took: number[] = [];
  for (let i = 0; i < 2; i++) {
    const beganMs = city.clock.monotonicMs();
    await city.run(ask(one, other));
    took.push((city.clock.monotonicMs() - beganMs) / tripMs);
  }
  // A packet may take a tenth longer than the map says.
  assertTrue(took[0]! >= 2 && took[0]! <= 2.2, `${took[0]} round trips`);
  assertTrue(took[1]! >= 1 && took[1]! <= 1.1, `${took[1]} round trips`);
  assertEquals(city.net.traffic.handshakeCount, 1);
  // The other end uses the connection, too.
  await city.run(ask(other, one));
  assertEquals(city.net.traffic.handshakeCount, 1);
});

Deno.test("both ends hear of a session, and of an orderly end", async () => {
  await using city = new City({ seed: 2 });
  const [one, other] = await pair(city);
  await city.run(join(one.node, [other.host.address], never));
  await city.clock.advance(1_000);
  assertEquals(
    keyOf(other.node.table.closest(one.node.id, 1)[0]!.id),
    keyOf(one.node.id),
  );
  assertEquals([one, other].map(({ node }) => node.peers.sessions().length), [
    1,
    1,
  ]);
  city.leave(one);
  await city.clock.advance(1_000);
  assertEquals(other.node.peers.sessions(), []);
  assertEquals(other.node.table.size, 0);
});

Deno.test("a node that crashed is silent: questions time out, and so do dials", async () => {
  await using city = new City({ seed: 3 });
  const [one, other] = await pair(city);
  const third = await city.settle();
  await city.run(ask(one, other));
  const record = other.node.record();
  city.crash(other);
  for (
    const [asker, code] of [[one, "timeout"], [third, "unreachable"]] as const
  ) {
    await assertRejectsCode(
      city.run(asker.node.peers.ask(record, ping, {}, never)),
      code,
    );
  }
  // The silent session was given up, so the next question dials, and a dial that failed is not tried again at once.
  await assertRejectsCode(
    city.run(one.node.peers.ask(record, ping, {}, never)),
    "unreachable",
  );
  const beganMs = city.clock.monotonicMs();
  await assertRejectsCode(
    city.run(one.node.peers.ask(record, ping, {}, never)),
    "unreachable",
  );
  assertEquals(city.clock.monotonicMs(), beganMs);
});

Deno.test("behind a NAT nobody gets in who was not spoken to first", async () => {
  await using city = new City({ seed: 4 });
  const outside = await city.settle();
  for (const nat of ["cone", "symmetric"] as const) {
    const inside = await city.settle({
      host: { address: city.address(), nat },
    });
    await assertRejectsCode(city.run(ask(outside, inside)), "unreachable");
    await city.run(ask(inside, outside));
    await city.run(ask(outside, inside));
    const seen = outside.node.peers.remoteOf(inside.node.id)!;
    assertEquals(seen.port === inside.host.address.port, nat === "cone");
  }
});

Deno.test("nothing passes a partition until it is mended", async () => {
  await using city = new City({ seed: 5 });
  const [one, other] = await pair(city);
  city.net.partition([one.host.address], [other.host.address]);
  await assertRejectsCode(city.run(ask(one, other)), "unreachable");
  city.net.heal();
  await city.clock.advance(10_000);
  await city.run(ask(one, other));
});

Deno.test("whoever gives a session up across a partition cannot tell the other end", async () => {
  await using city = new City({ seed: 7 });
  const [one, other] = await pair(city);
  await city.run(ask(one, other));
  city.net.partition([one.host.address], [other.host.address]);
  await assertRejectsCode(city.run(ask(one, other)), "timeout");
  await city.clock.advance(1_000);
  assertEquals([one, other].map(({ node }) => node.peers.sessions().length), [
    0,
    1,
  ]);
  // The end that was left asks into the void, and gives up as well.
  city.net.heal();
  await assertRejectsCode(city.run(ask(other, one)), "timeout");
  assertEquals(other.node.peers.sessions(), []);
});

Deno.test("whoever asks too fast is told so", async () => {
  await using city = new City({ seed: 6 });
  const [one, other] = await pair(city);
  const asked = Array.from(
    { length: 3_000 },
    () => ask(one, other).then(() => "answered", () => "refused"),
  );
  const heard = await city.run(Promise.all(asked));
  assertTrue(heard.includes("answered") && heard.includes("refused"));
  assertTrue(other.runtime.counters.get("admission.request_rate") > 0);
});

Deno.test("round trips of the map lie between 20 and 250 ms, around 150, the same both ways", () => {
  const earth = new Earth(new SeededRandom(1));
  const trips: number[] = [];
  for (let i = 0; i < 1_000; i++) {
    const [from, to] = [`a${i}`, `b${i}`];
    trips.push(earth.roundTripMs(from, to));
    assertEquals(earth.roundTripMs(to, from), trips[i]);
  }
  trips.sort((a, b) => a - b);
  assertTrue(trips[0]! >= 20 && trips.at(-1)! <= 250);
  assertTrue(
    trips[10]! < 60 && trips[990]! > 230,
    "near and far ones are there",
  );
  assertTrue(
    Math.abs(trips[500]! - 150) < 30,
    `${trips[500]} ms in the middle`,
  );
});
