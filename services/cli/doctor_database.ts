/** The database of a data directory, and what is in it that needs a person. It is opened only when that changes nothing in it. */
import { pathToFileURL } from "node:url";
import { quoted } from "@tesseras/archive";
import { PROOF_FRESH_MS } from "@tesseras/preservation";
import { databaseInServer, type DataPaths } from "@tesseras/run";
import type { State } from "@tesseras/state";
import { openLibsqlState, SCHEMA_VERSION } from "@tesseras/state/libsql";
import { advice, type Finding, fine, problem } from "./finding.ts";
import { lookAt } from "./doctor_files.ts";
import { counted } from "./printed.ts";
import { type Reach, reachOf } from "./reach.ts";
import { userVersionOf } from "./sqlite_head.ts";

/** How far a peer's last sign of life may be ahead of our clock. */
const SKEW_MS = 600_000;

const CHECK = "Database";

/** Whether it opens, and what it says of the tesseras. */
export async function checkDatabase(
  paths: DataPaths,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { database } = paths;
  if (await databaseInServer(paths) !== undefined) {
    return [advice(
      CHECK,
      "It is in a libSQL server, which is not looked into from here",
      "Look after it, and after its backups, there",
    )];
  }
  const found = await lookAt(database);
  if (found === undefined) {
    return [advice(CHECK, "There is none yet", "Run tes init")];
  }
  const version = await userVersionOf(database);
  const restore =
    "Stop the node and run tes store check --repair, which rebuilds the index from the disk";
  if (version === undefined) {
    return [problem(CHECK, `${database} is not a database`, restore)];
  }
  if (version > SCHEMA_VERSION) {
    return [problem(
      CHECK,
      `${database} was written by a newer version of Tesseras (schema ${version}, this one knows ${SCHEMA_VERSION})`,
      "Use the newer version",
    )];
  }
  // Opening it would bring it up to date.
  if (version < SCHEMA_VERSION) {
    return [advice(
      CHECK,
      `It is of an earlier version (schema ${version} of ${SCHEMA_VERSION})`,
      "Nothing to do by hand: the next start of the node brings it up to date",
    )];
  }
  const url = pathToFileURL(database).href;
  await using state = await openLibsqlState({ url, worker: false }, signal);
  return [
    fine(CHECK, `It opens, and is of this version (schema ${SCHEMA_VERSION})`),
    ...await checkPast(state, nowMs, signal),
    ...await checkTesseras(state, nowMs, signal),
  ];
}

/** A peer that was last seen tomorrow was seen by a clock that has been set back since. */
async function checkPast(
  state: State,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const [latest] = await state.peers(1, signal);
  if (latest === undefined || latest.lastSeenMs <= nowMs + SKEW_MS) return [];
  return [problem(
    "Clock",
    "It is earlier than when this node last met a peer",
    "Set the clock of this machine, best by NTP",
  )];
}

/** What is not safe in the network, and what nobody has proved lately. */
async function checkTesseras(
  state: State,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const check = "Tesseras";
  const findings: Finding[] = [];
  const ids = (await state.tesseras(signal)).map(({ id }) => id);
  for (const id of ids) {
    const reach = await reachOf(state, { id, nowMs }, signal);
    const finding = findingOf(check, reach, nowMs);
    if (finding !== undefined) findings.push(finding);
  }
  const count = counted(ids.length, "tessera", "tesseras");
  return findings.length > 0 ? findings : [fine(
    check,
    ids.length === 0
      ? "There are none yet"
      : `${count} published, and every fragment has a holder`,
  )];
}

function findingOf(
  check: string,
  reach: Reach,
  nowMs: number,
): Finding | undefined {
  const { plan, aliveCount, updatedAtMs, lastAudit } = reach;
  const name = quoted(reach.title);
  if (plan === undefined || updatedAtMs === undefined) {
    return advice(
      check,
      `${name} is only on this disk`,
      "Publish it: tes publish HASH",
    );
  }
  const total = plan.fragments.length;
  if (aliveCount < plan.dataCount) {
    return problem(
      check,
      `Of ${name} ${aliveCount} of ${total} fragments are alive, and ${plan.dataCount} are needed: it lives only on this disk`,
      "Keep a node running, which goes on placing them, or publish it again: tes publish HASH",
    );
  }
  if (aliveCount < total) {
    return advice(
      check,
      `Of ${name} ${aliveCount} of ${total} fragments are alive`,
      "Keep a node running, which places the others when there are peers for them",
    );
  }
  const sinceMs = Math.max(updatedAtMs, lastAudit?.atMs ?? 0);
  if (nowMs - sinceMs <= PROOF_FRESH_MS) return undefined;
  return advice(
    check,
    `Nobody has proved for more than a week that ${name} is kept`,
    "Keep a node running, which asks its holders",
  );
}
