import { type Address, codeOf, type NodeId } from "@tesseras/core";
import {
  INTRODUCTION_FRESH_MS,
  MEETING_NONCE_BYTES,
  PUNCHES_MAX,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { assertEquals } from "@tesseras/testing";
import { CONSENT, INTRODUCTION, type Request, signFresh } from "@tesseras/wire";
import {
  handlerOf,
  identityOf,
  never,
  type TestNode,
} from "./node_for_tests.ts";
import type { SimEvent } from "./sim.ts";
import type { Standing } from "./standing.ts";
import { askPing, World } from "./world_for_tests.ts";

const STANDING: Standing = {
  realm: "lab",
  own: [],
  kind: "public",
  likely: () => undefined,
};

/** Public nodes that meet as any do, in a world that writes down what is sent. */
class Square implements AsyncDisposable {
  readonly events: SimEvent[] = [];
  readonly world = new World(1, {
    latencyMs: 25,
    trace: (event) => this.events.push(event),
  });

  async node(seed: number): Promise<TestNode> {
    return await this.world.node(seed, { standing: STANDING });
  }

  /** A signed introduction: who wants to meet whom, and where. */
  intro(
    signer: NodeSigner,
    to: NodeId,
    addresses: readonly Address[],
    ageMs = 0,
  ): Uint8Array {
    const meeting = this.world.random.bytes(MEETING_NONCE_BYTES);
    const nowMs = this.world.clock.nowMs() - ageMs;
    const words = { to, meeting, addresses, nat: "cone" } as const;
    return signFresh(INTRODUCTION, words, { signer, nowMs }).bytes;
  }

  /** The code a request meets, `undefined` when it is answered. */
  async ask(from: TestNode, to: TestNode, request: Request) {
    const asked = from.peers.ask(to.record, request, {}, never);
    return await this.world.clock.run(asked.then(() => undefined, codeOf));
  }

  /** Dials that began towards an address. */
  dialsTo({ ip, port }: Address): number {
    return this.events.filter(({ what, to }) =>
      what === "dial" && to === `${ip}:${port}`
    ).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

function punchIntro(intro: Uint8Array): Request {
  return { type: "punch_intro", intro, rendezvous: undefined };
}

function punchRequest(intro: Uint8Array, observed: Address): Request {
  return {
    type: "punch_request",
    intro,
    observed,
    waitMs: 0,
    rendezvous: undefined,
  };
}

Deno.test("an introducer passes on nothing that is forged, stale, signed by another, or for somebody it does not know", async () => {
  await using square = new Square();
  const [asker, introducer, peer] = [
    await square.node(1),
    await square.node(2),
    await square.node(3),
  ];
  await square.world.clock.run(askPing(peer, introducer.record));
  const at = asker.record.addresses;
  const mine = (ageMs: number) =>
    square.intro(asker.self.identity, peer.record.id, at, ageMs);
  const bent = mine(0);
  bent[bent.length - 1]! ^= 1;
  const stranger = await identityOf(77);
  for (
    const [intro, code, counter] of [
      [bent, "forged", "forged"],
      [mine(INTRODUCTION_FRESH_MS + 1), "refused", "stale"],
      [mine(-INTRODUCTION_FRESH_MS - 1_000), "refused", "stale"],
      [square.intro(stranger, peer.record.id, at), "forged", "forged"],
      [
        square.intro(asker.self.identity, stranger.id, at),
        "absent",
        "absent",
      ],
    ] as const
  ) {
    const before = introducer.counted(`punch.refused_${counter}`);
    assertEquals(await square.ask(asker, introducer, punchIntro(intro)), code);
    assertEquals(introducer.counted(`punch.refused_${counter}`), before + 1);
  }
  assertEquals(peer.counted("request.punch_request"), 0);
  assertEquals(
    await square.ask(asker, introducer, punchIntro(mine(0))),
    undefined,
  );
  assertEquals(peer.counted("request.punch_request"), 1);
});

Deno.test("a peer follows an introduction once, when it is fresh, for itself, and where its signer was seen", async () => {
  await using square = new Square();
  const [rogue, peer] = [await square.node(1), await square.node(2)];
  const signer = await identityOf(77);
  const outer = { ip: "198.51.100.9", port: 7777 };
  const victim = { ip: "192.0.2.66", port: 53 };
  const to = peer.record.id;
  const good = square.intro(signer, to, [outer]);
  const cases = [
    [good, outer, undefined, undefined],
    [good, outer, "refused", "replayed"],
    [
      square.intro(signer, rogue.record.id, [outer]),
      outer,
      "refused",
      "misdirected",
    ],
    [
      square.intro(signer, to, [outer], INTRODUCTION_FRESH_MS + 1),
      outer,
      "refused",
      "stale",
    ],
    // The introducer aims us at somebody who never asked, or the asker does.
    [square.intro(signer, to, [outer]), victim, "refused", "nowhere"],
    [square.intro(signer, to, [victim]), outer, "refused", "nowhere"],
    // An introducer that introduces itself is seen where it is.
    [
      square.intro(rogue.self.identity, to, [victim]),
      victim,
      "refused",
      "nowhere",
    ],
  ] as const;
  for (const [intro, observed, code, counter] of cases) {
    const before = counter && peer.counted(`punch.refused_${counter}`);
    const request = punchRequest(intro, observed);
    assertEquals(await square.ask(rogue, peer, request), code, counter);
    if (counter) {
      assertEquals(peer.counted(`punch.refused_${counter}`), before! + 1);
    }
  }
  await square.world.clock.advance(10_000);
  assertEquals(square.dialsTo(outer), 3, "one punch, three knocks");
  assertEquals(square.dialsTo(victim), 0, "nobody who did not ask");
});

Deno.test("two who conspire get three knocks for a signed message, and 32 punches at once at most", async () => {
  await using square = new Square();
  const [rogue, peer] = [await square.node(1), await square.node(2)];
  const victim = { ip: "192.0.2.66", port: 53 };
  const signer = await identityOf(77);
  await square.world.clock.run(askPing(rogue, peer.record));
  const codes: unknown[] = [];
  for (let at = 0; at < PUNCHES_MAX + 4; at++) {
    const intro = square.intro(signer, peer.record.id, [victim]);
    codes.push(
      await Promise.resolve(
        square.ask(rogue, peer, punchRequest(intro, victim)),
      ),
    );
  }
  assertEquals(codes.filter((code) => code === undefined).length, PUNCHES_MAX);
  assertEquals(codes.slice(PUNCHES_MAX), Array(4).fill("overloaded"));
  assertEquals(peer.counted("punch.refused_full"), 4);
  await square.world.clock.advance(10_000);
  assertEquals(square.dialsTo(victim), 3 * PUNCHES_MAX);
  assertEquals(peer.counted("punch.failed"), PUNCHES_MAX);
  // Places are given back.
  const intro = square.intro(signer, peer.record.id, [victim]);
  assertEquals(
    await square.ask(rogue, peer, punchRequest(intro, victim)),
    undefined,
  );
});

Deno.test("a consent counts only from the peer that was asked, to the asker, for that meeting", async () => {
  await using square = new Square();
  const { world } = square;
  const [asker, introducer] = [await square.node(1), await square.node(2)];
  const stranger = await identityOf(77);
  for (const lie of ["signer", "to", "meeting"] as const) {
    const seed = 10 + lie.length;
    const identity = await identityOf(seed);
    const rogue = await world.node(seed, {
      handler: (from, request, bulk, signal) => {
        if (request.type !== "punch_request") {
          return handlerOf(() => introducer.record)(
            from,
            request,
            bulk,
            signal,
          );
        }
        const consent = signFresh(CONSENT, {
          to: lie === "to" ? stranger.id : asker.record.id,
          meeting: new Uint8Array(MEETING_NONCE_BYTES),
          addresses: [{ ip: "192.0.2.66", port: 53 }],
          nat: "cone",
        }, {
          signer: lie === "signer" ? stranger : identity,
          nowMs: world.clock.nowMs(),
        });
        const { bytes } = consent;
        return Promise.resolve({
          response: { type: "punch_agreed", consent: bytes },
        });
      },
    });
    await world.clock.run(
      rogue.peers.ask(introducer.record, { type: "ping" }, {}, never),
    );
    const intro = square.intro(asker.self.identity, rogue.record.id, []);
    const code = await square.ask(asker, introducer, punchIntro(intro));
    assertEquals(code, "forged", lie);
  }
  assertEquals(square.dialsTo({ ip: "192.0.2.66", port: 53 }), 0);
});
