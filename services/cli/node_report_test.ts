import { Counters, DROP_GROUPS, DROPS } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { nodeReport } from "./node_report.ts";

const NODE = {
  id: "00ab",
  pid: 7,
  roles: ["dht", "store"],
  addresses: ["192.0.2.7:4433"],
  nat: "cone",
  seenAt: ["198.51.100.7:4433"],
  uptimeSecs: 200,
  residentBytes: 84_000_000,
  knownPeers: 1,
  sessionsIn: 5,
  sessionsOut: 3,
  pointers: 210,
  storedForOthersBytes: 1_200_000_000,
};

Deno.test("a node that turned nobody away is told in eight lines", () => {
  const counters = new Counters();
  counters.add("rpc.served", 3);
  assertEquals(nodeReport({ ...NODE, counters: counters.snapshot() }), [
    "Node:      00ab (pid 7)",
    "Roles:     dht, store",
    "Addresses: 192.0.2.7:4433",
    "NAT:       cone, seen at 198.51.100.7:4433",
    "Running:   3 min 20 s, 84 MB of memory",
    "Network:   1 peer known; connections: 5 in, 3 out",
    "Keeps:     210 pointers and 1.2 GB for others",
    "Dropped:   nothing since the start",
  ]);
});

Deno.test("what was dropped stands in its group, with its count and a sentence, and nothing else does", () => {
  const counters = new Counters();
  counters.add("admission.work_rate", 1_200);
  counters.add("hello.weak_work", 7);
  counters.add("fragment.refused_space", 2);
  counters.add("rpc.served", 99);
  const lines = nodeReport({ ...NODE, counters: counters.snapshot() });
  assertEquals(lines.slice(7), [
    "Dropped or given up since the start:",
    "  Admission: who may come in, and how much they may ask",
    "       7  Inbound connections closed because the id behind them shows too little work (hello.weak_work)",
    "    1200  Requests answered with overloaded because their sender asked for too much work (admission.work_rate)",
    "  Fragments: kept, sent and fetched",
    "       2  Fragments refused because the disk must keep some space free (fragment.refused_space)",
  ]);
});

Deno.test("every drop there is can be shown", () => {
  for (const group of DROP_GROUPS) {
    for (const [name, help] of Object.entries(DROPS[group])) {
      const lines = nodeReport({ ...NODE, counters: { [name]: 1 } });
      assertTrue(lines.at(-1)?.includes(help), name);
    }
  }
});

Deno.test("a node of another version is shown as far as it can be understood", () => {
  const lines = nodeReport({
    counters: { "newer.thing": 5, "rpc.slow": "many" },
    roles: "dht",
    sessionsIn: null,
  });
  assertEquals(lines.length, 8);
  assertEquals(lines[1], "Roles:     none");
  assertEquals(lines[7], "Dropped:   nothing since the start");
  assertEquals(nodeReport({ counters: [1] }).length, 8);
});
