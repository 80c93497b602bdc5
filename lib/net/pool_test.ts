import { compare, equal, VirtualClock } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  CONNECTION_IDLE_MS,
  DUPLICATE_LINGER_MS,
  SIMULTANEOUS_OPEN_MS,
} from "@tesseras/core/limits";
import { assertEquals } from "@tesseras/testing";
import type { Session } from "./hello.ts";
import { Live, SessionPool } from "./pool.ts";
import type { Connection } from "./transport.ts";
import type { Way } from "./way.ts";
import { identityOf, recordOf } from "./node_for_tests.ts";

const clock = new VirtualClock();
const [low, high] = (await Promise.all([identityOf(1), identityOf(2)]))
  .sort((a, b) => compare(a.id, b.id)) as [Identity, Identity];
type Identity = Awaited<ReturnType<typeof identityOf>>;

/** A connection that is over already: the pool decides without using it. */
const over: Omit<Connection, "dialled"> = {
  remote: { ip: "192.0.2.1", port: 4433 },
  open: () => Promise.reject(new Error("over")),
  accept: () => Promise.resolve(undefined),
  close() {},
  closed: Promise.resolve({ code: 0, reason: "" }),
};

function live(
  peer: Identity,
  dialled: boolean,
  { addressCount = 1, way = "direct" as Way } = {},
): Live {
  const addresses = Array(addressCount).fill(over.remote);
  const session: Session = {
    connection: { ...over, dialled },
    peer: recordOf(peer, addresses, clock.nowMs()),
    observed: undefined,
    dialled,
    way,
  };
  return new Live(session, clock);
}

function reapable(pool: SessionPool, dialable = true) {
  return pool.reapable({ nowMs: clock.monotonicMs(), dialable });
}

Deno.test("both ends of two simultaneous dials keep that of the lower id, in any order", () => {
  for (const lowFirst of [true, false]) {
    for (
      const [self, peer, weAreLow] of [[low, high, true], [
        high,
        low,
        false,
      ]] as const
    ) {
      const pool = new SessionPool(self.id);
      const dialOfLow = live(peer, weAreLow);
      const dialOfHigh = live(peer, !weAreLow);
      const order = [dialOfLow, dialOfHigh];
      if (!lowFirst) order.reverse();
      for (const each of order) assertEquals(pool.add(each), []);
      assertEquals(pool.best(peer.id), dialOfLow);
    }
  }
});

Deno.test("a later connection replaces one that its peer has lost", async () => {
  const pool = new SessionPool(low.id);
  const ours = live(high, true);
  pool.add(ours);
  await clock.advance(SIMULTANEOUS_OPEN_MS);
  const theirs = live(high, false);
  pool.add(theirs);
  assertEquals(pool.best(high.id), theirs);
});

Deno.test("any other session is used before one whose peer is doubted, until it is heard there", async () => {
  const pool = new SessionPool(low.id);
  const ours = live(high, true);
  pool.add(ours);
  {
    using _request = ours.asked({ type: "ping" });
    using doubt = ours.doubt();
    assertEquals(pool.another(ours), undefined);
    await clock.advance(1);
    // Begun together, where that of the lower id would win.
    const theirs = live(high, false);
    pool.add(theirs);
    assertEquals(pool.best(high.id), theirs);
    assertEquals(pool.another(ours), theirs);
    pool.remove(theirs);
    ours.heard();
    assertEquals([doubt.signal.aborted, ours.isDoubted], [true, false]);
  }
  pool.add(live(high, false));
  assertEquals(pool.best(high.id), ours);
});

Deno.test("the loser is used again when the winner ends, and closed when it is quiet", async () => {
  const pool = new SessionPool(low.id);
  const [winner, loser] = [live(high, true), live(high, false)];
  pool.add(winner);
  pool.add(loser);
  const request = loser.began();
  await clock.advance(10 * DUPLICATE_LINGER_MS);
  assertEquals(reapable(pool), [], "a request in flight keeps it");
  request[Symbol.dispose]();
  await clock.advance(DUPLICATE_LINGER_MS - 1);
  assertEquals(reapable(pool), []);
  await clock.advance(1);
  assertEquals(reapable(pool), [{ live: loser, why: "duplicate" }]);
  pool.remove(winner);
  assertEquals(pool.best(high.id), loser);
  pool.remove(loser);
  pool.remove(loser);
  assertEquals([...pool.all()], []);
});

Deno.test("a peer that opens one connection after another holds two", () => {
  const pool = new SessionPool(low.id);
  const lives = Array.from({ length: 5 }, () => live(high, false));
  const surplus = lives.flatMap((each) => pool.add(each));
  assertEquals(surplus, lives.slice(0, 3));
  assertEquals(pool.best(high.id), lives[4]);
  assertEquals([...pool.all()].length, 2);
});

Deno.test("reaps what is idle, but no session that could not be opened again", async () => {
  const pool = new SessionPool(low.id);
  const dialled = live(high, true);
  const hidden = live(await identityOf(3), false, { addressCount: 0 });
  const busy = live(await identityOf(4), true);
  for (const each of [dialled, hidden, busy]) pool.add(each);
  using _request = busy.began();
  await clock.advance(CONNECTION_IDLE_MS - 1);
  assertEquals(reapable(pool), []);
  await clock.advance(1);
  assertEquals(reapable(pool), [{ live: dialled, why: "idle" }]);
});

Deno.test("a node without addresses keeps the sessions it used last", async () => {
  const pool = new SessionPool(low.id);
  const lives: Live[] = [];
  for (let seed = 10; seed < 10 + BUCKET_PEERS_MAX + 2; seed++) {
    await clock.advance(1);
    lives.push(live(await identityOf(seed), true));
    pool.add(lives.at(-1)!);
  }
  await clock.advance(CONNECTION_IDLE_MS);
  assertEquals(
    new Set(reapable(pool, false).map((reaped) => reaped.live)),
    new Set(lives.slice(0, 2)),
  );
});

Deno.test("makes room by the dialled session that was quiet for longest", async () => {
  const pool = new SessionPool(low.id);
  const lives: Live[] = [];
  for (const seed of [30, 31, 32]) {
    lives.push(live(await identityOf(seed), true));
    pool.add(lives.at(-1)!);
    await clock.advance(5);
  }
  pool.add(live(await identityOf(33), false));
  using _busy = lives[0]!.began();
  lives[1]!.began()[Symbol.dispose]();
  assertEquals(pool.dialledCount, 3);
  assertEquals(pool.quietestDialled(), lives[2]);
});

Deno.test("silence is counted from the first request without an answer, and ends with a word", async () => {
  const peer = live(high, true);
  const firstMs = clock.monotonicMs();
  await clock.advance(1000);
  assertEquals(peer.unanswered(firstMs), 1000);
  await clock.advance(2000);
  assertEquals(peer.unanswered(firstMs + 2000), 3000);
  peer.heard();
  assertEquals(peer.unanswered(firstMs), 0, "it spoke after that request");
  await clock.advance(1000);
  assertEquals(peer.unanswered(clock.monotonicMs() - 500), 500);
});

Deno.test("a session that is needed stays though nothing passes, and makes no room for another", async () => {
  let isInUse = true;
  const pool = new SessionPool(
    low.id,
    "lab",
    (id) => isInUse && equal(id, high.id),
  );
  const kept = live(high, true);
  pool.add(kept);
  await clock.advance(CONNECTION_IDLE_MS);
  assertEquals(reapable(pool), []);
  assertEquals(pool.quietestDialled(), undefined);
  isInUse = false;
  assertEquals(reapable(pool), [{ live: kept, why: "idle" }]);
  assertEquals(pool.quietestDialled(), kept);
});

Deno.test("a direct session is used instead of a relayed one, which runs dry", async () => {
  const pool = new SessionPool(low.id);
  const relayed = live(high, true, { way: "relayed" });
  const direct = live(high, false);
  pool.add(direct);
  await clock.advance(SIMULTANEOUS_OPEN_MS);
  pool.add(relayed);
  assertEquals(pool.best(high.id), direct);
  await clock.advance(DUPLICATE_LINGER_MS);
  assertEquals(reapable(pool), [{ live: relayed, why: "duplicate" }]);
});
