import { SeededRandom, VirtualClock } from "@tesseras/core";
import {
  DIAL_BACKOFF_MAX_MS,
  DIAL_BACKOFF_MS,
  DIAL_FAILURES_MAX,
} from "@tesseras/core/limits";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { DialPauses } from "./dial_pauses.ts";
import { identityOf, recordOf, runtimeOn } from "./node_for_tests.ts";

async function world() {
  const clock = new VirtualClock();
  const runtime = runtimeOn(clock, new SeededRandom(1));
  const identity = await identityOf(1);
  const peer = recordOf(identity, [], clock.nowMs());
  return { clock, runtime, peer, pauses: new DialPauses(runtime) };
}

Deno.test("each failure in a row doubles the pause, up to a bound, and each pause is between half and whole", async () => {
  const { clock, peer, pauses } = await world();
  for (let times = 0; times < 40; times++) {
    pauses.failed(peer);
    const wholeMs = Math.min(DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MS * 2 ** times);
    await clock.advance(wholeMs / 2 - 1);
    assertThrowsCode(() => pauses.check(peer), "unreachable", /next try in/);
    await clock.advance(wholeMs / 2 + 1);
    pauses.check(peer);
  }
});

Deno.test("a newer record passes, an older one does not, and an answer ends the pause", async () => {
  const { pauses, peer, runtime } = await world();
  pauses.check(peer);
  pauses.failed(peer);
  pauses.check({ ...peer, sequence: peer.sequence + 1 });
  const older = { ...peer, sequence: peer.sequence - 1 };
  assertThrowsCode(() => pauses.check(older), "unreachable");
  assertEquals(runtime.counters.get("peers.dial_backoff"), 1);
  pauses.answered(peer);
  pauses.check(older);
});

Deno.test("so many are remembered and no more, the last to fail longest", async () => {
  const { pauses, peer } = await world();
  const at = (number: number) => {
    const id = peer.id.slice() as typeof peer.id;
    new DataView(id.buffer).setUint32(16, number);
    return { ...peer, id };
  };
  for (let i = 0; i < DIAL_FAILURES_MAX; i++) pauses.failed(at(i));
  pauses.failed(at(0));
  pauses.failed(at(DIAL_FAILURES_MAX));
  pauses.check(at(1));
  assertThrowsCode(() => pauses.check(at(0)), "unreachable", /failed 2 times/);
  for (let i = 2; i <= DIAL_FAILURES_MAX; i++) {
    assertThrowsCode(() => pauses.check(at(i)), "unreachable");
  }
});
