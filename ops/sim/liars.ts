/** Peers that answer what no honest peer would, each in a way of its own. */
import { type NodeId, nodeId, type Random } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";
import type { Handler, Reply } from "@tesseras/net";
import type { NodeRecord } from "@tesseras/wire";
import type { City } from "./city.ts";
import { type Rogue, rogue } from "./rogues.ts";

/** How a liar answers "which nodes do you know". */
type Lie = (self: NodeRecord, lying: Lying) => readonly Uint8Array[];

type Lying = {
  readonly random: Random;
  /** Records of honest nodes, some of them long gone. */
  readonly honest: readonly Uint8Array[];
};

const some = ({ random, honest }: Lying): Uint8Array =>
  honest[random.below(honest.length)]!.slice();

/** Every way to lie that the issue of a hostile network names; a liar keeps to one. */
const LIES: readonly Lie[] = [
  // Itself, again and again.
  (self) => Array.from({ length: 20 }, () => self.bytes),
  // Nobody.
  () => [],
  // More than anybody may name.
  (_self, lying) => Array.from({ length: 2_000 }, () => some(lying)),
  // Records in which one bit is wrong.
  (_self, lying) =>
    Array.from({ length: 20 }, () => {
      const forged = some(lying);
      forged[lying.random.below(forged.length)]! ^= 1;
      return forged;
    }),
  // Rubbish.
  (_self, { random }) => Array.from({ length: 20 }, () => random.bytes(200)),
];

/** Starts liars, each known to a few honest nodes near it. Every sixth answers too late, or never. */
export async function liars(
  city: City,
  count: number,
): Promise<readonly Rogue[]> {
  const random = city.random.fork();
  const honest = city.living.map(({ node }) => node.record().bytes);
  const made: Rogue[] = [];
  for (let i = 0; i < count; i++) {
    const lie = LIES[i % (LIES.length + 1)];
    made.push(
      await rogue(city, {
        handler: (self) => handlerOf(self, lie, { random, honest }),
        address: { ip: `13.${i >> 8}.${i & 255}.1`, port: 4433 },
      }),
    );
  }
  return made;
}

function handlerOf(
  self: NodeRecord,
  lie: Lie | undefined,
  lying: Lying,
): Handler {
  return (from, request) => {
    switch (request.type) {
      case "ping":
        return answer({
          type: "pong",
          record: self.bytes,
          observed: from.addresses[0]!,
        });
      case "find_node":
        if (lie === undefined) return new Promise<Reply>(() => {});
        return answer({ type: "nodes", records: lie(self, lying) });
      case "find_value":
        if (lie === undefined) return new Promise<Reply>(() => {});
        return answer({
          type: "providers",
          providers: lie(self, lying).map((record) => ({
            record,
            holder: self.bytes,
          })),
          more: 0,
          nodes: lie(self, lying),
        });
      case "store":
        return answer({
          type: "stored",
          accepted: request.entries.length,
          refused: 0,
        });
      default:
        return answer({ type: "error", code: "refused", text: "No" });
    }
  };
}

function answer(response: Reply["response"]): Promise<Reply> {
  return Promise.resolve({ response });
}

/** A random point. */
export function anywhere(random: Random): NodeId {
  return nodeId(random.bytes(NODE_ID_BYTES));
}
