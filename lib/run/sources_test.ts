import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  codeOf,
  formatAddress,
  keyOf,
  type NodeId,
  toHex,
  utf8,
} from "@tesseras/core";
import { SOURCE_PEERS_MAX } from "@tesseras/core/limits";
import type { Entry } from "@tesseras/node";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import {
  type Source,
  type SourceName,
  type SourceParts,
  sourcesOf,
} from "./sources.ts";

const nowhere = () => Promise.resolve([]);

function partsFor(
  { node, state }: Inhabitant,
  changes: Partial<SourceParts>,
): SourceParts {
  return { node, state, texts: [], find: nowhere, ...changes };
}

function named(sources: readonly Source[], name: SourceName): Source {
  const source = sources.find((one) => one.name === name);
  assertTrue(source !== undefined, `there is a source ${name}`);
  return source;
}

const idsOf = (entries: readonly Entry[]): string[] =>
  entries.map((one) => "bytes" in one ? keyOf(one.id) : formatAddress(one));

const pinned = ({ node, address }: Inhabitant): string =>
  `${toHex(node.id)}@${formatAddress(address)}`;

Deno.test("a node has the sources it was given, its own past first", async () => {
  await using world = new World(1);
  const one = await world.add([]);
  const all = sourcesOf(partsFor(one, {
    texts: ["192.0.2.1:1"],
    dns: { domain: "a.test", findTexts: nowhere },
    directories: {
      urls: ["https://a.test"],
      read: () => Promise.resolve(utf8("")),
    },
    findLocal: nowhere,
  }));
  assertEquals(all.map(({ name, isAtHand }) => [name, isAtHand]), [
    ["saved", true],
    ["configured", true],
    ["dns", false],
    ["directory", false],
    ["mdns", false],
  ]);
  const least = sourcesOf(partsFor(one, {}));
  assertEquals(least.map(({ name }) => name), ["saved"]);
});

Deno.test("TXT records lead to peers, pinned ones only to those whose key it is; rubbish is counted", async () => {
  await using world = new World(2);
  const [one, good, other] = [
    await world.add([]),
    await world.add([]),
    await world.add([]),
  ];
  const lie = pinned(good).slice(0, 41) + formatAddress(other.address);
  const dns = named(
    sourcesOf(partsFor(one, {
      dns: {
        domain: "a.test",
        findTexts: () =>
          Promise.resolve([
            ["v=tesseras1 ", `peer=${pinned(good)}`],
            [`v=tesseras1 peer=${lie} peer=nonsense`],
            ["v=spf1 -all"],
          ]),
      },
    })),
    "dns",
  );
  const entries = await world.run(dns.entries(never));
  assertEquals(idsOf(entries), [keyOf(good.node.id)]);
  assertEquals(one.runtime.counters.get("source.dns_refused"), 2);
});

Deno.test("a domain that names nobody fails with a sentence, a name server that says nothing at its deadline, and a flood of peers is bounded", async () => {
  await using world = new World(3);
  const one = await world.add([]);
  const through = (findTexts: NonNullable<SourceParts["dns"]>["findTexts"]) =>
    named(
      sourcesOf(partsFor(one, { dns: { domain: "a.test", findTexts } })),
      "dns",
    );
  await assertRejectsCode(
    through(nowhere).entries(never),
    "absent",
    /a\.test names no peers/,
  );
  const silent = through((_, signal) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    )
  );
  const askedMs = world.clock.monotonicMs();
  const asked = world.run(silent.entries(never));
  await assertRejectsCode(asked, "timeout");
  assertEquals(world.clock.monotonicMs() - askedMs, 5_000);
  const flood = through(() =>
    Promise.resolve(Array.from({ length: 64 }, (_, n) => [
      Array.from({ length: 20 }, (_, m) => `peer=192.0.2.${n}:${m + 1}`)
        .reduce((text, word) => `${text} ${word}`, "v=tesseras1"),
    ]))
  );
  const entries = await world.run(flood.entries(never));
  assertEquals(entries.length, 16);
  const names = Array.from({ length: 16 }, (_, n) => `peer=n${n}.test:4433`);
  const victims = Array.from({ length: 9 }, (_, n) => `192.0.2.${n + 1}`);
  const aimed = named(
    sourcesOf(partsFor(one, {
      dns: {
        domain: "a.test",
        findTexts: () => Promise.resolve([["v=tesseras1 ", names.join(" ")]]),
      },
      find: () => Promise.resolve(victims),
    })),
    "dns",
  );
  assertEquals((await world.run(aimed.entries(never))).length, 32);
});

/** A page as a directory serves it. */
function pageOf(records: readonly Uint8Array[]): Uint8Array {
  const peers = records.map((bytes) => ({
    record: btoa(String.fromCharCode(...bytes))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""),
  }));
  return utf8(JSON.stringify({ v: 1, peers }));
}

Deno.test("records of directory pages are verified one by one; liars among directories do not hide the honest", async () => {
  await using world = new World(4);
  const one = await world.add([]);
  const good = await world.add([]);
  const forged = good.node.record().bytes.slice();
  forged[forged.length - 1]! ^= 1;
  const pages: Readonly<Record<string, () => Promise<Uint8Array>>> = {
    "https://honest.test": () =>
      Promise.resolve(
        pageOf([good.node.record().bytes, one.node.record().bytes]),
      ),
    "https://liar.test": () => Promise.resolve(pageOf([forged])),
    "https://rubbish.test": () => Promise.resolve(utf8("<html>")),
    "https://slow.test": () => new Promise(() => {}),
  };
  const read = async (url: string, signal: AbortSignal) => {
    const stopped = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
    return await Promise.race([pages[url]!(), stopped]);
  };
  const through = (urls: readonly string[]) =>
    named(
      sourcesOf(partsFor(one, { directories: { urls, read } })),
      "directory",
    );
  const entries = await world.run(
    through(Object.keys(pages)).entries(never),
  );
  assertEquals(idsOf(entries), [keyOf(good.node.id)]);
  assertEquals(one.runtime.counters.get("source.directory_refused"), 1);
  const failed = await world.run(
    through(["https://rubbish.test"]).entries(never)
      .catch((error: unknown) => error),
  );
  assertEquals(codeOf(failed), "unreachable");
  assertTrue(/rubbish\.test: .*no JSON/.test(String(failed)));
});

Deno.test("a peer of the local network counts only once it has shown the key of its id", async () => {
  await using world = new World(5);
  const [one, good, other] = [
    await world.add([]),
    await world.add([]),
    await world.add([]),
  ];
  const claim = (id: NodeId, { address }: Inhabitant) => ({ id, address });
  const local = named(
    sourcesOf(partsFor(one, {
      findLocal: () =>
        Promise.resolve([
          claim(good.node.id, good),
          claim(good.node.id, other),
          ...Array.from(
            { length: 2 * SOURCE_PEERS_MAX },
            (_, n) => ({
              id: other.node.id,
              address: { ip: "11.0.99.99", port: n + 1 },
            }),
          ),
        ]),
    })),
    "mdns",
  );
  const entries = await world.run(local.entries(never));
  assertEquals(idsOf(entries), [keyOf(good.node.id)]);
});
