/** How streams and connections end: given up, closed by either side, or with their transport. */
import { codeOf } from "@tesseras/core";
import { KIB, MIB, STREAMS_MAX } from "@tesseras/core/limits";
import { CLOSED_LOST } from "@tesseras/net";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  ANNA,
  BERT,
  type Claim,
  CLIO,
  echoOnce,
  never,
  Pair,
  pattern,
  readAll,
  readExactly,
} from "./transport_lab.ts";

const abandoning: Record<string, Claim> = {
  async "an abandoned stream reads as an early end"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    near.abandon();
    near.abandon();
    assertEquals(await readAll(far), new Uint8Array(0));
  },

  async "a writer learns that its peer abandoned the stream"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    far.abandon();
    const endless = (async () => {
      for (;;) await near.write(pattern(64 * KIB), never);
    })();
    await assertRejectsCode(endless, "refused");
  },

  async "an answer given before the request was read still arrives"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    await far.write(Uint8Array.of(9), never);
    await far.finish(never);
    far.abandon();
    assertEquals(await readAll(near), Uint8Array.of(9));
  },

  async "a read under way ends as cancelled when its own side abandons the stream"(
    lab,
  ) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const reading = assertRejectsCode(far.read(never), "cancelled");
    far.abandon();
    await reading;
    await assertRejectsCode(far.read(never), "cancelled");
    await assertRejectsCode(far.write(Uint8Array.of(1), never), "cancelled");
    near.abandon();
  },

  async "abandoned streams give their places back"(lab) {
    await using pair = await Pair.open(lab);
    for (let count = 0; count < 3 * STREAMS_MAX; count++) {
      const { near, far } = await pair.stream();
      near.abandon();
      far.abandon();
    }
    await echoOnce(pair.near, pair.far);
  },
};

const ending: Record<string, Claim> = {
  async "the peer learns code and reason of a close"(lab) {
    await using pair = await Pair.open(lab);
    pair.near.close(77, "enough");
    assertEquals(await pair.far.closed, { code: 77, reason: "enough" });
    assertEquals(await pair.near.closed, { code: 77, reason: "enough" });
    pair.near.close(78, "too late");
    assertEquals(await pair.near.closed, { code: 77, reason: "enough" });
  },

  async "whatever waits on a connection ends with it"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const blocked = near.write(pattern(8 * MIB), never);
    const waits = [
      assertRejectsCode(near.read(never), "unreachable"),
      assertRejectsCode(blocked, "unreachable"),
      pair.near.accept(never).then((stream) => assertEquals(stream, undefined)),
      pair.far.accept(never).then((stream) => assertEquals(stream, undefined)),
    ];
    await lab.clock.sleep(100, never);
    pair.far.close(5, "bye");
    await Promise.all(waits);
    await assertRejectsCode(pair.near.open(never), "unreachable");
    await assertRejectsCode(pair.far.open(never), "unreachable");
    await assertRejectsCode(far.write(Uint8Array.of(1), never), "unreachable");
    assertEquals(await pair.near.accept(never), undefined);
  },

  async "abandoning a stream of a dead connection does nothing"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    pair.near.close(0, "bye");
    await pair.far.closed;
    near.abandon();
    far.abandon();
  },

  async "disposing closes every connection, and once is enough"(lab) {
    const pair = await Pair.open(lab);
    const accepting = pair.bert.accept(never);
    await pair.bert[Symbol.asyncDispose]();
    await pair.bert[Symbol.asyncDispose]();
    assertEquals(await accepting, undefined);
    assertEquals(await pair.bert.accept(never), undefined);
    assertEquals((await pair.near.closed).code, 0);
    assertEquals((await pair.far.closed).code, 0);
    await pair.anna[Symbol.asyncDispose]();
  },

  async "a disposed transport neither dials nor answers"(lab) {
    const anna = await lab.open(ANNA);
    const bert = await lab.open(BERT);
    const waiting = anna.dial(lab.nobody, "anyone", never);
    const outcome = assertRejectsCode(waiting, "cancelled");
    await anna[Symbol.asyncDispose]();
    await outcome;
    const dial = anna.dial(bert.local, "anyone", never);
    await assertRejectsCode(dial, "cancelled");
    await using clio = await lab.open(CLIO);
    await bert[Symbol.asyncDispose]();
    using soon = lab.clock.deadline(200, never);
    const error = await clio.dial(bert.local, "anyone", soon.signal)
      .then(() => undefined, (error) => error);
    assertTrue(["timeout", "unreachable", "refused"].includes(codeOf(error)!));
  },

  async "an aborted signal stops everything before it starts"(lab) {
    await using pair = await Pair.open(lab);
    const { near, far } = await pair.stream();
    const aborted = AbortSignal.abort();
    const calls = [
      pair.anna.dial(pair.bert.local, "anyone", aborted),
      pair.anna.accept(aborted),
      pair.near.open(aborted),
      pair.near.accept(aborted),
      near.read(aborted),
      near.write(Uint8Array.of(1), aborted),
      near.finish(aborted),
    ];
    for (const call of calls) await assertRejectsCode(call, "cancelled");
    await near.write(Uint8Array.of(2), never);
    assertEquals(await readExactly(far, 1), Uint8Array.of(2));
    assertTrue(CLOSED_LOST < 0, "no peer can claim that a connection was lost");
  },
};

/** Part of the contract. */
export const transportEndings: Record<string, Claim> = {
  ...abandoning,
  ...ending,
};
