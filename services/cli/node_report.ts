/** What `tes status --node` says of a running node: what it does, and what it turned away and why. */
import { DROP_GROUPS, type DropGroup, DROPS } from "@tesseras/core";
import type { JsonObject } from "@tesseras/run";
import { numberIn, objectIn, textIn, textsIn } from "./json_fields.ts";
import { counted, printSeconds, printSize } from "./printed.ts";

const TITLES: Readonly<Record<DropGroup, string>> = {
  admission: "Admission: who may come in, and how much they may ask",
  lookups: "Lookups: finding peers and talking to them",
  records: "Records: who says they hold what",
  fragments: "Fragments: kept, sent and fetched",
  node: "This node's own trouble",
};

/** The lines a person reads. The node may be of another version: what it does not say is 0 or left out. */
export function nodeReport(node: JsonObject): readonly string[] {
  return [
    `Node:      ${textIn(node, "id")} (pid ${numberIn(node, "pid")})`,
    `Roles:     ${textsIn(node, "roles").join(", ") || "none"}`,
    `Addresses: ${textsIn(node, "addresses").join(", ") || "none"}`,
    `NAT:       ${textIn(node, "nat") || "unknown"}${seenAt(node)}`,
    `Running:   ${printSeconds(numberIn(node, "uptimeSecs"))}, ${
      printSize(numberIn(node, "residentBytes"))
    } of memory`,
    `Network:   ${
      counted(numberIn(node, "knownPeers"), "peer", "peers")
    } known; connections: ${numberIn(node, "sessionsIn")} in, ${
      numberIn(node, "sessionsOut")
    } out`,
    `Keeps:     ${
      counted(numberIn(node, "pointers"), "pointer", "pointers")
    } and ${printSize(numberIn(node, "storedForOthersBytes"))} for others`,
    ...dropLines(objectIn(node, "counters")),
  ];
}

function seenAt(node: JsonObject): string {
  const addresses = textsIn(node, "seenAt");
  return addresses.length === 0 ? "" : `, seen at ${addresses.join(", ")}`;
}

/** What was dropped, by group; only what happened at all. */
function dropLines(counters: JsonObject): readonly string[] {
  const groups = DROP_GROUPS.flatMap((group) => {
    const lines = Object.entries(DROPS[group])
      .map(([name, help]) => ({ name, help, count: numberIn(counters, name) }))
      .filter(({ count }) => count > 0);
    return lines.length === 0 ? [] : [{ title: TITLES[group], lines }];
  });
  if (groups.length === 0) return ["Dropped:   nothing since the start"];
  const all = groups.flatMap(({ lines }) => lines);
  const width = Math.max(...all.map(({ count }) => String(count).length));
  return [
    "Dropped or given up since the start:",
    ...groups.flatMap(({ title, lines }) => [
      `  ${title}`,
      ...lines.map(({ name, help, count }) =>
        `    ${String(count).padStart(width)}  ${help} (${name})`
      ),
    ]),
  ];
}
