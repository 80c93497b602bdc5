// Ways into a network, with real processes and real name servers: about 30 s.
import { assertEquals, assertTrue } from "@tesseras/testing";
import { openDenokv } from "@tesseras/testing/denokv";
import { dnsServers, type Zone } from "@tesseras/testing/dns";
import { multicastWorks } from "@tesseras/testing/multicast";
import { callControl, dataPaths } from "@tesseras/run";
import {
  eventsIn,
  Program,
  temporaryFolder,
  until,
} from "./service_process.ts";

const never = new AbortController().signal;
const SEED = "services/bootstrap/main.ts";
const NODE = "services/node/main.ts";
const DOMAIN = "_tesseras._udp.example.test";

/** No source but those a test names; health pages and identities cost nothing. */
const env = {
  TESSERAS_NODE_POW_BITS: "8",
  TESSERAS_NODE_LISTEN_ADDR: "127.0.0.1:0",
  TESSERAS_NETWORK_SUBNET_DIVERSITY: "false",
  TESSERAS_NETWORK_ENABLE_MDNS: "false",
  TESSERAS_OBSERVABILITY_METRICS_ADDR: "",
  TESSERAS_BOOTSTRAP_HARDCODED: "",
  TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
};

type Running = {
  readonly program: Program;
  readonly dataDir: string;
  /** `id@host:port`. */
  readonly entry: string;
};

async function start(
  script: string,
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Running & AsyncDisposable> {
  const program = Program.start(
    script,
    [`--data-dir=${dataDir}`],
    { ...env, ...settings },
  );
  const { id, address } = await program.event("daemon.listening");
  return {
    program,
    dataDir,
    entry: `${id}@${address}`,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

async function joinedThrough({ program }: Running): Promise<unknown> {
  await program.event("daemon ready");
  return (await program.event("network.joined")).source;
}

async function knownPeers({ dataDir }: Running): Promise<number> {
  const { socket } = dataPaths(dataDir);
  const status = await callControl(socket, "status", {}, () => {}, never);
  return Number(status.knownPeers);
}

Deno.test("a node that knows nobody joins through TXT records, pinned and bare, of each name server there is", async () => {
  await using folder = await temporaryFolder();
  await using seed = await start(SEED, `${folder.path}/seed`);
  const bare = seed.entry.split("@")[1];
  const zone: Zone = {
    [DOMAIN]: [
      ["v=spf1 -all"],
      ["v=tesseras1 peer=nonsense"],
      ["v=tesseras1 ", `peer=${seed.entry}`],
    ],
    "bare.example.test": [[`v=tesseras1 peer=${bare}`]],
  };
  for (const server of await dnsServers(zone)) {
    await using _server = server;
    for (const domain of [DOMAIN, "bare.example.test"]) {
      const dataDir = `${folder.path}/${server.name} ${domain}`;
      await using node = await start(NODE, dataDir, {
        TESSERAS_BOOTSTRAP_DNS_DOMAIN: domain,
        TESSERAS_BOOTSTRAP_DNS_SERVER: `${server.ip}:${server.port}`,
      });
      assertEquals(await joinedThrough(node), "dns", server.name);
      assertTrue(await knownPeers(node) > 0);
    }
  }
});

Deno.test("a node whose seeds and name servers are gone comes back through the peers it knew; one that knew nobody says what to do", async () => {
  await using folder = await temporaryFolder();
  await using seed = await start(SEED, `${folder.path}/seed`);
  const settings = { TESSERAS_BOOTSTRAP_HARDCODED: seed.entry };
  await using steady = await start(NODE, `${folder.path}/steady`, settings);
  await joinedThrough(steady);
  const dataDir = `${folder.path}/leaving`;
  const gone = {
    ...settings,
    TESSERAS_BOOTSTRAP_DNS_DOMAIN: DOMAIN,
    TESSERAS_BOOTSTRAP_DNS_SERVER: "127.0.0.1:9",
    TESSERAS_BOOTSTRAP_DIRECTORIES: "http://127.0.0.1:9",
  };
  {
    await using leaving = await start(NODE, dataDir, gone);
    await joinedThrough(leaving);
    await until(
      async () => await knownPeers(leaving) === 2,
      "the node knows the other one, too",
    );
    leaving.program.signal("SIGTERM");
    await leaving.program.ended();
  }
  seed.program.signal("SIGKILL");
  await seed.program.ended();
  await using back = await start(NODE, dataDir, gone);
  assertEquals(await joinedThrough(back), "saved");
  await using stranger = await start(NODE, `${folder.path}/stranger`, gone);
  const { reason } = await stranger.program.event("network.unreachable");
  assertTrue(
    /^Cannot join a network \(.*configured: .*dns: .*directory: .*\): check that this machine is online, or name a node that runs with --bootstrap HOST:PORT$/
      .test(String(reason)),
    String(reason),
  );
});

async function pageOf({ program }: Running) {
  const { address } = await program.event("directory.listening");
  const url = `http://${address}/.well-known/tesseras`;
  const page = await (await fetch(url)).json();
  return { base: `http://${address}`, page };
}

/** Peers are noted, and pages chosen anew, every quarter of a minute; a caller may ask every other second. */
async function pageOfPeers(seed: Running, count: number) {
  let { page } = await pageOf(seed);
  for (let tries = 0; tries < 60 && page.peers.length < count; tries++) {
    await new Promise((wake) => setTimeout(wake, 3_000));
    ({ page } = await pageOf(seed));
  }
  assertEquals(page.peers.length, count);
  return page;
}

Deno.test("a bootstrap service tells a node about another over HTTP, and still does after kill -9", async () => {
  await using folder = await temporaryFolder();
  const served = { TESSERAS_BOOTSTRAP_DIRECTORY_ADDR: "127.0.0.1:0" };
  await using seed = await start(SEED, `${folder.path}/seed`, served);
  const settings = { TESSERAS_BOOTSTRAP_HARDCODED: seed.entry };
  await using first = await start(NODE, `${folder.path}/first`, settings);
  await joinedThrough(first);
  const page = await pageOfPeers(seed, 2);
  assertEquals(page.observed, "127.0.0.1");
  seed.program.signal("SIGKILL");
  await seed.program.ended();
  await using again = await start(SEED, `${folder.path}/seed`, served);
  const after = await pageOf(again);
  assertEquals(
    after.page.peers.map(({ id }: { id: string }) => id).sort(),
    page.peers.map(({ id }: { id: string }) => id).sort(),
  );
  await using second = await start(NODE, `${folder.path}/second`, {
    TESSERAS_BOOTSTRAP_DIRECTORIES: after.base,
  });
  assertEquals(await joinedThrough(second), "directory");
  assertTrue(await knownPeers(second) > 0);
});

Deno.test("two nodes on one local network that were told of nobody find each other", async () => {
  if (!await multicastWorks("127.0.0.1")) return;
  await using folder = await temporaryFolder();
  const settings = {
    TESSERAS_NETWORK_ENABLE_MDNS: "true",
    TESSERAS_NETWORK_MDNS_INTERFACES: "127.0.0.1",
  };
  await using first = await start(NODE, `${folder.path}/first`, settings);
  await using second = await start(NODE, `${folder.path}/second`, settings);
  await until(async () => {
    const peers = [await knownPeers(first), await knownPeers(second)];
    return peers.every((count) => count > 0);
  }, "both know each other");
  await until(async () => {
    const sources = await Promise.all([first, second].map(sourcesOf));
    return sources.flat().includes("mdns");
  }, "one has joined the other");
});

/** Through what a program has joined so far: nothing, when others came to it. */
async function sourcesOf({ program }: Running): Promise<unknown[]> {
  return await program.said((stdout) =>
    eventsIn(stdout).filter(({ event }) => event === "network.joined")
      .map(({ source }) => source)
  );
}

Deno.test("two bootstrap services that share a denokv server tell of each other's peers, and go on when it dies", async () => {
  await using shared = await openDenokv();
  if (shared === undefined) return;
  await using folder = await temporaryFolder();
  const served = {
    TESSERAS_BOOTSTRAP_DIRECTORY_ADDR: "127.0.0.1:0",
    TESSERAS_BOOTSTRAP_DIRECTORY_KV: shared.url,
  };
  await using east = await start(SEED, `${folder.path}/east`, served);
  await using west = await start(SEED, `${folder.path}/west`, served);
  await using node = await start(NODE, `${folder.path}/node`, {
    TESSERAS_BOOTSTRAP_HARDCODED: east.entry,
  });
  await joinedThrough(node);
  // The two never met: what the west tells of the node and of the east, it has from the server they share.
  const page = await pageOfPeers(west, 3);
  const ids = page.peers.map(({ id }: { readonly id: string }) => id);
  assertTrue(ids.includes(node.entry.split("@")[0]));
  await shared.kill();
  await using late = await start(NODE, `${folder.path}/late`, {
    TESSERAS_BOOTSTRAP_HARDCODED: west.entry,
  });
  await joinedThrough(late);
});
