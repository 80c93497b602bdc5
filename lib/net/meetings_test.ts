import { codeOf } from "@tesseras/core";
import { KEEPALIVE_MS } from "@tesseras/core/limits";
import type { NatKind } from "@tesseras/nat";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { RungTrace } from "./climb.ts";
import type { TestNode } from "./node_for_tests.ts";
import {
  NAT_BEHAVIOURS,
  type NatBehaviour,
  type SimNat,
  type Weather,
} from "./sim.ts";
import type { Standing } from "./standing.ts";
import { askPing, World } from "./world_for_tests.ts";

const KINDS = { public: undefined, ...NAT_BEHAVIOURS } as const;
type Kind = keyof typeof KINDS;
const ALL = Object.keys(KINDS) as Kind[];

/** Pairs that no punch connects, as the kernel's routers showed and RFC 5128 (3.3) explains. */
const APART: readonly (readonly [Kind, Kind])[] = [
  ["cone", "symmetric"],
  ["open", "symmetric"],
];

function natOf(kind: Kind): NatKind {
  if (kind === "public") return "public";
  return kind.startsWith("symmetric") ? "symmetric" : "cone";
}

/** What a node of this kind knows of itself in the lab: nothing of its outer address. */
function standingOf(kind: Kind, seed: number): Standing {
  return {
    realm: "lab",
    own: [{ ip: `10.0.0.${seed}`, port: 4433 }],
    kind: natOf(kind),
    likely: () => undefined,
  };
}

/** Routers of the pair under test. */
const routers: SimNat[] = [];

/** A node of this kind, connected to the introducer. */
async function guest(
  world: World,
  introducer: TestNode,
  { kind, seed, rungs = [] }: {
    readonly kind: Kind;
    readonly seed: number;
    readonly rungs?: RungTrace[];
  },
): Promise<TestNode> {
  const behaviour: NatBehaviour | undefined = KINDS[kind];
  const nat = behaviour &&
    world.network.nat(`nat${seed}`, `198.51.${100 + seed}.1`, behaviour);
  if (nat) routers.push(nat);
  const node = await world.node(seed, {
    hidden: nat !== undefined,
    nat: natOf(kind),
    standing: standingOf(kind, seed),
    onRung: (rung) => rungs.push(rung),
  }, nat);
  await world.clock.run(askPing(node, introducer.record));
  return node;
}

/** Two guests of an introducer, each way 25 ms on a good day. */
async function pair(
  one: Kind,
  other: Kind,
  { seed = 1, ...weather }: Partial<Weather> & { readonly seed?: number } = {},
) {
  const world = new World(seed, { latencyMs: 25, ...weather });
  routers.length = 0;
  const standing = standingOf("public", 1);
  const introducer = await world.node(1, { standing });
  const rungs: RungTrace[] = [];
  const a = await guest(world, introducer, { kind: one, seed: 2, rungs });
  const b = await guest(world, introducer, { kind: other, seed: 3 });
  return {
    world,
    introducer,
    nats: [...routers],
    a,
    b,
    rungs,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function isApart(one: Kind, other: Kind): boolean {
  const both = [natOf(one), natOf(other)];
  if (both.every((kind) => kind === "symmetric")) return true;
  return APART.some(([x, y]) =>
    (x === one && y === other) || (x === other && y === one)
  );
}

Deno.test("every pair of kinds that a punch can connect comes to a working request, by way of an introducer", async () => {
  for (const one of ALL) {
    for (const other of ALL) {
      await using meeting = await pair(one, other);
      const { world, a, b, introducer, rungs } = meeting;
      const beganMs = world.clock.monotonicMs();
      const asked = askPing(a, b.record).then(() => undefined, codeOf);
      const code = await world.clock.run(asked);
      const tookMs = world.clock.monotonicMs() - beganMs;
      const name = `${one} to ${other}`;
      if (isApart(one, other)) {
        assertEquals(code, "unreachable", name);
        continue;
      }
      assertEquals(code, undefined, name);
      assertTrue(tookMs < 400, `${name} took ${tookMs} ms`);
      const way = other === "public" ? "direct" : "punched";
      for (const [from, to] of [[a, b], [b, a]] as const) {
        const session = from.peers.sessions().find(({ id }) =>
          id[1] === to.record.id[1]
        );
        assertEquals(session?.way, way, name);
      }
      assertEquals(rungs.length, other === "public" ? 0 : 1, name);
      assertEquals(
        introducer.counted("punch.introduced"),
        other === "public" ? 0 : 1,
        name,
      );
      await world.clock.run(askPing(b, a.record));
    }
  }
});

Deno.test("a punch gets through bad weather: a tenth of all packets lost, 200 ms each way", async () => {
  for (
    const weather of [
      { lossRate: 0.01 },
      { lossRate: 0.05 },
      { lossRate: 0.1 },
      { latencyMs: 100 },
      { latencyMs: 200 },
    ]
  ) {
    for (let seed = 1; seed <= 20; seed++) {
      await using meeting = await pair("cone", "cone", { seed, ...weather });
      const { world, a, b } = meeting;
      await world.clock.run(askPing(a, b.record));
      assertEquals(a.counted("punch.failed"), 0, JSON.stringify(weather));
    }
  }
});

Deno.test("a punched pair whose routers rebind is punched again by the next question", async () => {
  await using meeting = await pair("cone", "cone");
  const { world, a, b, nats } = meeting;
  await world.clock.run(askPing(a, b.record));
  for (const nat of nats) nat.rebind();
  // The introducer hears them both again with their keepalives.
  await world.clock.advance(2 * KEEPALIVE_MS);
  await world.clock.run(askPing(a, b.record));
  await world.clock.run(askPing(b, a.record));
});

Deno.test("whom nobody knows is unreachable at once, and who is never introduced is not knocked at", async () => {
  await using meeting = await pair("cone", "cone");
  const { world, a, introducer } = meeting;
  const stranger = await world.node(9, { hidden: true, nat: "cone" });
  const asked = askPing(a, stranger.record).then(() => undefined, codeOf);
  assertEquals(await world.clock.run(asked), "unreachable");
  assertEquals(introducer.counted("punch.refused_absent"), 1);
  assertEquals(a.counted("punch.tried"), 0);
});
