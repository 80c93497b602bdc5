// Real sockets, a disk and a database, so this file takes some seconds.
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Counters, formatAddress, RecordingLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { MemoryState } from "@tesseras/state";
import { CAPABILITIES, hasCapabilities } from "@tesseras/wire";
import { readConfig } from "./config.ts";
import { startDaemon } from "./daemon.ts";
import { temporaryFolder } from "./folder_for_tests.ts";
import { openRelaying } from "./relaying.ts";

const never = new AbortController().signal;

function configOf(nat: Readonly<Record<string, string>>) {
  const settings = Object.entries(nat).map(([key, value]) =>
    [`TESSERAS_NAT_${key.toUpperCase()}`, value] as const
  );
  return readConfig({
    env: {
      TESSERAS_NODE_LISTEN_ADDR: "127.0.0.1:0",
      TESSERAS_NODE_POW_BITS: "8",
      TESSERAS_BOOTSTRAP_HARDCODED: "",
      TESSERAS_BOOTSTRAP_DNS_DOMAIN: "",
      TESSERAS_NETWORK_ENABLE_MDNS: "false",
      TESSERAS_OBSERVABILITY_METRICS_ADDR: "127.0.0.1:0",
      ...Object.fromEntries(settings),
    },
  });
}

function runtime() {
  return {
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
    counters: new Counters(),
  };
}

Deno.test("relay_enabled makes a relay of any node, which says so and shows it", async () => {
  await using folder = await temporaryFolder();
  const config = configOf({ relay_enabled: "true", relay_max_sessions: "7" });
  const asked = { name: "test", config, dataDir: folder.path, roles: [] };
  await using daemon = await startDaemon(asked, runtime(), never);
  assertEquals(daemon.node.roles.map(({ name }) => name), ["relay"]);
  const { capabilities, relay } = daemon.node.record();
  assertTrue(hasCapabilities(capabilities, CAPABILITIES.RELAY));
  assertEquals([relay?.address, relay?.freeSlots], [daemon.listening, 7]);
  const base = `http://${formatAddress(daemon.health!)}`;
  const metrics = await (await fetch(`${base}/metrics`)).text();
  assertTrue(/^tesseras_relay_slots_free 7$/m.test(metrics), metrics);
});

Deno.test("settings of relaying reach its limits; without a server of quotas it counts its own", async () => {
  const config = configOf({
    relay_max_sessions: "9",
    relay_reciprocal_kbps: "512",
    relay_bootstrap_kbps: "32",
    relay_idle_timeout_secs: "5",
    relay_peer_sessions: "2",
    relay_subnet_sessions: "3",
    relay_quotas_kv: "/nowhere/at/all.kv",
  });
  const seen = runtime();
  await using state = new MemoryState();
  await using relaying = await openRelaying(config, state, seen, never);
  const { limits, quotas } = relaying;
  assertEquals([limits.sessionsMax, limits.idleMs], [9, 5_000]);
  assertEquals([limits.perPeerMax, limits.perSubnetMax], [2, 3]);
  assertEquals(limits.reciprocalBytesPerSecond, 512 * 1_024);
  assertEquals(limits.strangerBytesPerSecond, 32 * 1_024);
  assertEquals(quotas, undefined);
  assertEquals(seen.log.events.at(0)?.event, "relay.quotas_alone");
});

Deno.test("an IP that is not this machine's is unusable", async () => {
  const config = readConfig({
    env: { TESSERAS_NODE_LISTEN_ADDR: "192.0.2.1:4433" },
  });
  await using state = new MemoryState();
  const opening = openRelaying(config, state, runtime(), never);
  await assertRejectsCode(opening, "unusable");
});
