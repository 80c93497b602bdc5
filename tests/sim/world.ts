/** A whole network in one process: real nodes, roles and archives on a seeded transport under a virtual clock. */
import { Archive, type FolderScan, type SourceFile } from "@tesseras/archive";
import { type Blobs, MemoryBlobs } from "@tesseras/blobs";
import {
  Counters,
  RecordingLog,
  type Runtime,
  SeededRandom,
  type TesseraId,
  utf8,
  VirtualClock,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import {
  type CreatorKeys,
  creatorKeysFromSeed,
  mintNode,
  nobleMlDsa,
} from "@tesseras/crypto";
import { Admission } from "@tesseras/net";
import { SimNetwork, type SimOptions } from "@tesseras/net/sim";
import { join, Node, type Role } from "@tesseras/node";
import { bootstrapRole, dhtRole, storeRole } from "@tesseras/roles";
import { MemoryState, type State } from "@tesseras/state";
import { kindOf, type Plan } from "@tesseras/tessera";

/** Never aborts. */
export const never = new AbortController().signal;

/** What a simulated node offers. */
export type SimRole = "bootstrap" | "dht" | "store";

/** A node with what it keeps. */
export type Inhabitant = {
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
  readonly archive: Archive;
  readonly runtime: Runtime & { readonly log: RecordingLog };
};

/** Nodes on a seeded network. */
export class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly inhabitants: Inhabitant[] = [];
  readonly #gone = new Set<Inhabitant>();

  constructor(seed: number, options: Partial<SimOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork({
      clock: this.clock,
      random: this.random.fork(),
      ...options,
    });
  }

  /** Starts a node in a /24 of its own; it has not joined yet. */
  async add(
    roles: readonly SimRole[],
    change: (roles: readonly Role[], node: Node) => readonly Role[] = (r) => r,
  ): Promise<Inhabitant> {
    const number = this.inhabitants.length + 1;
    const runtime = {
      clock: this.clock,
      random: this.random.fork(),
      log: new RecordingLog(),
      counters: new Counters(),
    };
    const identity = await mintNode(
      this.random.bytes(32),
      { powBits: POW_BITS_MIN, clock: new VirtualClock() },
      never,
    );
    const address = { ip: `11.${number >> 8}.${number & 255}.7`, port: 4433 };
    const admission = new Admission({}, runtime);
    const transport = this.network.transport({
      identity,
      address,
      admit: admission.admit,
    });
    const state = new MemoryState();
    const blobs = new MemoryBlobs();
    const suite = nobleMlDsa;
    const node = Node.open(
      {
        identity,
        transport,
        admission,
        addresses: [address],
        powBits: POW_BITS_MIN,
      },
      (made) =>
        change(
          roles.map((role) => {
            if (role === "bootstrap") return bootstrapRole();
            if (role === "dht") return dhtRole(made, { state });
            return storeRole(made, { state, blobs, suite, freeSpaceMin: 0 });
          }),
          made,
        ),
      runtime,
    );
    const archive = new Archive({ state, blobs, suite, runtime });
    const inhabitant = { node, state, blobs, archive, runtime };
    this.inhabitants.push(inhabitant);
    return inhabitant;
  }

  /** Starts nodes that join through the first. */
  async grow(count: number, roles: readonly SimRole[]): Promise<Inhabitant[]> {
    const grown: Inhabitant[] = [];
    for (let i = 0; i < count; i++) {
      const one = await this.add(roles);
      await this.run(join(one.node, this.#entries(one), never));
      grown.push(one);
    }
    return grown;
  }

  /** Moves time until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  /** A node dies without a word. */
  crash(inhabitant: Inhabitant): void {
    this.network.crash(inhabitant.node.record().addresses[0]!);
    this.#gone.add(inhabitant);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(
      Promise.all(
        this.inhabitants.map(({ node }) => node[Symbol.asyncDispose]()),
      ),
    );
  }

  #entries(one: Inhabitant) {
    const first = this.inhabitants[0];
    return first === undefined || first === one
      ? []
      : [first.node.record().addresses[0]!];
  }
}

/** Keys of a creator, the same for the same number. */
export function creator(seed: number): CreatorKeys {
  return creatorKeysFromSeed(new SeededRandom(seed).bytes(32));
}

/** Makes a tessera of one text of so many bytes, and its plan. */
export async function keep(
  at: Inhabitant,
  keys: CreatorKeys,
  bytes: number,
): Promise<{ readonly id: TesseraId; readonly plan: Plan }> {
  const { id } = await at.archive.create(
    {
      folder: folderOf({ "story.txt": textOf(bytes) }),
      keepPlaces: true,
      title: "A story",
      createdAtMs: 1_760_000_000_000,
      language: "en",
      tags: [],
      visibility: "public",
    },
    keys,
    () => {},
    never,
  );
  const plan = await at.archive.prepare(id, keys, () => {}, never);
  return { id, plan };
}

/** A text whose every line differs, so that a misplaced byte shows. */
function textOf(bytes: number): Uint8Array {
  const text = new Uint8Array(bytes).fill(0x20);
  for (let at = 0, line = 0; at < bytes; at += 64, line++) {
    text.set(utf8(`line ${line}\n`).subarray(0, bytes - at), at);
  }
  return text;
}

function folderOf(files: Readonly<Record<string, Uint8Array>>): FolderScan {
  const found = Object.entries(files).map(([name, content]): SourceFile => ({
    name,
    kind: kindOf(name)!,
    bytes: content.length,
    modifiedAtMs: 1_750_000_000_000,
    open() {
      let at = 0;
      return Promise.resolve({
        read(into) {
          const part = content.subarray(at, at + into.length);
          into.set(part);
          at += part.length;
          return Promise.resolve(part.length);
        },
        checkUnchanged: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  }));
  return {
    path: "memory",
    files: found,
    leftOut: [],
    bytes: found.reduce((sum, file) => sum + file.bytes, 0),
  };
}
