/** `tes status`: what is alive of tesseras in the network, in plain words. */
import { quoted } from "@tesseras/archive";
import { codeOf, toHex } from "@tesseras/core";
import { assumptionSentences, type LossEstimate } from "@tesseras/preservation";
import { callControl, type JsonObject } from "@tesseras/run";
import type { WatchRow } from "@tesseras/state";
import { printTime } from "@tesseras/tessera";
import { type Context, type Outcome } from "../context.ts";
import { nodeReport } from "../node_report.ts";
import { hasArchive, openArchive } from "../open_archive.ts";
import { outlookJson, outlookLine, outlookOf } from "../outlook.ts";
import { counted } from "../printed.ts";
import { type Reach, reachOf } from "../reach.ts";
import { UsageError } from "../usage_error.ts";

/** One tessera, all of them, or the node. */
export async function status(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const [hash] = context.arguments;
  if (context.flag("node")) {
    if (hash === undefined) return await nodeStatus(context, signal);
    throw new UsageError("Cannot show both: name a tessera or say --node");
  }
  const paths = await context.paths();
  if (hash === undefined && !await hasArchive(paths)) return outcomeOf([]);
  const isRunning = await isNodeRunning(paths.socket, signal);
  await using opened = await openArchive(paths, context.runtime, signal);
  const { archive, state } = opened;
  const ids = hash === undefined
    ? (await state.tesseras(signal)).map(({ id }) => id)
    : [await archive.resolve(hash, signal)];
  const nowMs = context.runtime.clock.nowMs();
  const found: Told[] = [];
  for (const id of ids) {
    const reach = await reachOf(state, { id, nowMs }, signal);
    found.push({ reach, outlook: outlookOf(reach), isRunning });
  }
  if (hash === undefined) return outcomeOf(found);
  const one = found[0]!;
  return {
    json: jsonOf(one),
    lines: [...linesOf(one), ...assumptionLines(one)],
  };
}

/** All that is told of one tessera. */
type Told = {
  readonly reach: Reach;
  readonly outlook: LossEstimate | undefined;
  /** Whether a node runs on this data directory, and keeps what is told up to date. */
  readonly isRunning: boolean;
};

async function isNodeRunning(
  socket: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await callControl(socket, "status", {}, () => {}, signal);
    return true;
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    // What the database says is told all the same.
    return false;
  }
}

function outcomeOf(all: readonly Told[]): Outcome {
  const isEstimated = all.some(({ outlook }) => outlook !== undefined);
  const hint = "tes status HASH says what the chances of loss rest on.";
  return {
    json: { tesseras: all.map(jsonOf) },
    lines: all.length === 0 ? ["No tesseras found."] : [
      ...all.flatMap((one) => [...linesOf(one), ""]),
      ...(isEstimated ? [hint] : []),
    ].slice(0, isEstimated ? undefined : -1),
  };
}

function jsonOf({ reach, outlook, isRunning }: Told): JsonObject {
  const { id, title, state, plan, updatedAtMs, lastAudit, watch } = reach;
  return {
    hash: toHex(id),
    title,
    state,
    plan: plan === undefined ? null : toHex(plan.hash),
    dataCount: plan?.dataCount ?? null,
    parityCount: plan?.parityCount ?? null,
    placedCount: reach.placedCount,
    aliveCount: reach.aliveCount,
    silentCount: reach.silentCount,
    peerCount: reach.peerCount,
    subnetCount: reach.subnetCount,
    survivesLossOf: reach.survivesLossOf ?? null,
    updatedAt: updatedAtMs === undefined ? null : printTime(updatedAtMs),
    lastAudit: lastAudit === undefined ? null : {
      at: printTime(lastAudit.atMs),
      askedCount: lastAudit.askedCount,
      passedCount: lastAudit.passedCount,
    },
    repair: watch === undefined ? null : {
      state: watch.state,
      since: printTime(watch.sinceMs),
      due: printTime(watch.dueAtMs),
      attempts: watch.attempts,
      detail: watch.detail,
    },
    loss: outlook === undefined ? null : outlookJson(outlook),
    isNodeRunning: isRunning,
    holders: reach.holders,
  };
}

function linesOf({ reach, outlook, isRunning }: Told): readonly string[] {
  const { id, title, state, plan, updatedAtMs } = reach;
  const head = [`${quoted(title)}`, `  Tessera:   ${toHex(id)}`];
  if (plan === undefined || updatedAtMs === undefined) {
    return [...head, "  State:     Local (only on this disk; tes publish)"];
  }
  return [
    ...head,
    `  State:     ${state} (${printTime(updatedAtMs)})`,
    `  Fragments: ${fragmentsOf(reach, plan)}`,
    `  Where:     ${counted(reach.peerCount, "peer", "peers")} in ${
      counted(reach.subnetCount, "subnet", "subnets")
    }`,
    `  Survives:  ${survivalOf(reach)}`,
    `  Audit:     ${auditOf(reach)}`,
    `  Repair:    ${repairOf(reach.watch, isRunning)}`,
    `  Loss:      ${
      outlook === undefined
        ? "no estimate, too few fragments are out there"
        : outlookLine(outlook)
    }`,
  ];
}

function fragmentsOf(
  { aliveCount, silentCount }: Reach,
  { dataCount, fragments }: {
    dataCount: number;
    fragments: readonly unknown[];
  },
): string {
  const silent = silentCount === 0
    ? ""
    : ` (${silentCount} of them silent just now)`;
  return `${aliveCount} of ${fragments.length} alive${silent}, ${
    dataCount === 1 ? "each a whole copy" : `any ${dataCount} rebuild it`
  }`;
}

function survivalOf({ survivesLossOf, peerCount }: Reach): string {
  if (survivesLossOf === undefined) {
    return "not without this disk, too few fragments are out there";
  }
  if (survivesLossOf === 0) return "without this disk, if every peer stays";
  return `without this disk, and with the loss of any ${survivesLossOf} of the ${
    counted(peerCount, "peer", "peers")
  }`;
}

function auditOf({ lastAudit }: Reach): string {
  if (lastAudit === undefined) return "none yet";
  const { atMs, askedCount, passedCount } = lastAudit;
  return `${
    printTime(atMs)
  }, ${passedCount} of ${askedCount} asked proved what they keep`;
}

function repairOf(watch: WatchRow | undefined, isRunning: boolean): string {
  const from = isRunning
    ? ""
    : "; no node runs here, so nobody looks from here";
  if (watch === undefined) return `not looked at yet${from}`;
  const why = watch.detail === "" ? "" : `: ${watch.detail}`;
  switch (watch.state) {
    case "idle":
      return `nothing to do, next look ${
        printTime(watch.dueAtMs)
      }${why}${from}`;
    case "waiting":
      return `needed since ${printTime(watch.sinceMs)}, our turn ${
        printTime(watch.dueAtMs)
      } unless another was first${why}${from}`;
    case "repairing":
      return `in progress since ${printTime(watch.sinceMs)}${why}${from}`;
  }
}

function assumptionLines({ outlook }: Told): readonly string[] {
  if (outlook === undefined) return [];
  return [
    "",
    "What the chances of loss rest on, assumed and not measured:",
    ...assumptionSentences(outlook).map((line) => `  ${line}`),
  ];
}

async function nodeStatus(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { socket } = await context.paths();
  const node = await callControl(socket, "status", {}, () => {}, signal);
  return { json: node, lines: nodeReport(node) };
}
