/** A running node: whom it knows, who comes to it, and whether its clock and its address are what others see. */
import { codeOf, messageOf } from "@tesseras/core";
import { callControl, type Config, type JsonObject } from "@tesseras/run";
import { advice, type Finding, fine, problem } from "./finding.ts";
import { numberIn, textsIn } from "./json_fields.ts";
import { counted, printSeconds } from "./printed.ts";

/** Peers below which one outage leaves a node alone. */
const PEERS_FEW = 3;
/** How long a node runs before it says something that nobody has dialled it. */
const DIALLED_AFTER_SECS = 600;

/** What a node says of itself; `undefined` where none runs. */
export type NodeReading = {
  readonly node: JsonObject | undefined;
  readonly findings: readonly Finding[];
};

/** Asks the node on a data directory. */
export async function readNode(
  socket: string,
  signal: AbortSignal,
): Promise<NodeReading> {
  const check = "Node";
  try {
    const node = await callControl(socket, "status", {}, () => {}, signal);
    const seconds = numberIn(node, "uptimeSecs");
    const what = `It has been running for ${printSeconds(seconds)}`;
    return { node, findings: [fine(check, what)] };
  } catch (error) {
    const code = codeOf(error);
    if (signal.aborted || code === undefined) throw error;
    const finding = code === "notRunning"
      ? advice(
        check,
        "None runs on this data directory, so nothing is published, fetched or looked after",
        'Start it: "deno task start:node" (or tesd)',
      )
      : problem(check, messageOf(error), "Stop the node, and start it again");
    return { node: undefined, findings: [finding] };
  }
}

/** Whether it knows anybody, and anybody comes. */
export function checkCompany(
  node: JsonObject,
  config: Config | undefined,
): readonly Finding[] {
  const known = numberIn(node, "knownPeers");
  return [peersOf(known, config), ...(known === 0 ? [] : [dialledOf(node)])];
}

function peersOf(known: number, config: Config | undefined): Finding {
  const check = "Peers";
  if (known >= PEERS_FEW) return fine(check, `It knows ${known} peers`);
  if (known > 0) {
    return advice(
      check,
      `It knows ${
        counted(known, "peer", "peers")
      }: too few to spread a tessera over`,
      "Wait for more, or name more entrances in [bootstrap]",
    );
  }
  const what = "It knows nobody";
  const { hardcoded = [], dns_domain = "", directories = [] } =
    config?.bootstrap ?? {};
  const isSeed = hardcoded.length === 0 && dns_domain === "" &&
    directories.length === 0;
  return config !== undefined && isSeed
    ? advice(check, what, "Wait for others, or name an entrance in [bootstrap]")
    : problem(
      check,
      what,
      "Look at [bootstrap] and at the connection of this machine; the log of the node says what it tries",
    );
}

function dialledOf(node: JsonObject): Finding {
  const check = "Reachable";
  const sessionsIn = numberIn(node, "sessionsIn");
  if (sessionsIn > 0) {
    return fine(
      check,
      `${counted(sessionsIn, "peer has", "peers have")} dialled it`,
    );
  }
  if (numberIn(node, "uptimeSecs") < DIALLED_AFTER_SECS) {
    return fine(
      check,
      "Nobody has dialled it yet, which may be for want of time",
    );
  }
  return advice(
    check,
    "Nobody has dialled it",
    "Let its UDP port through the firewall and the router, and say the outer address in [node] advertise_addrs",
  );
}

/** Has the node ask a few peers how they see it. */
export async function checkSight(
  socket: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  return sightFindings(
    await callControl(socket, "checkup", {}, () => {}, signal),
  );
}

/** What its peers said, judged; nothing where nobody answered. */
export function sightFindings(seen: JsonObject): readonly Finding[] {
  const answered = numberIn(seen, "answeredCount");
  return answered === 0 ? [] : [clockOf(seen, answered), addressOf(seen)];
}

function clockOf(seen: JsonObject, answered: number): Finding {
  const check = "Clock";
  const off = numberIn(seen, "outOfTimeCount");
  const peers = counted(answered, "peer", "peers");
  return 2 * off > answered
    ? problem(
      check,
      `By this clock the records of ${off} of ${peers} are of another time`,
      "Set the clock of this machine, best by NTP",
    )
    : fine(check, `The records of ${answered - off} of ${peers} fit it`);
}

function addressOf(seen: JsonObject): Finding {
  const check = "Address";
  const observed = textsIn(seen, "observed");
  const advertised = textsIn(seen, "advertised");
  const counts = Map.groupBy(observed, (one) => one);
  const [most = "", votes = []] =
    [...counts].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? [];
  const peers = counted(observed.length, "peer", "peers");
  if (2 * votes.length <= observed.length) {
    return advice(
      check,
      `${peers} see it at ${counts.size} addresses`,
      "Its router gives it a port for each peer: forward its UDP port, and say the outer address in [node] advertise_addrs",
    );
  }
  return advertised.includes(most)
    ? fine(check, `${votes.length} of ${peers} see it where it says it is`)
    : advice(
      check,
      `${votes.length} of ${peers} see it at ${most}, and it says ${
        advertised.join(", ") || "nothing"
      }`,
      `If that is where it can be reached, say so: [node] advertise_addrs = ["${most}"]`,
    );
}
