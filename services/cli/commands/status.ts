/** `tes status`: how far tesseras are in the network, in plain words. */
import { type Context, type Outcome } from "../context.ts";
import { quoted } from "@tesseras/archive";
import { toHex } from "@tesseras/core";
import { callControl } from "@tesseras/run";
import { printTime } from "@tesseras/tessera";
import { nodeReport } from "../node_report.ts";
import { hasArchive, openArchive } from "../open_archive.ts";
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
  await using opened = await openArchive(paths, context.runtime, signal);
  const { archive, state } = opened;
  const ids = hash === undefined
    ? (await state.tesseras(signal)).map(({ id }) => id)
    : [await archive.resolve(hash, signal)];
  const found: Reach[] = [];
  for (const id of ids) found.push(await reachOf(state, id, signal));
  return hash === undefined ? outcomeOf(found) : {
    json: jsonOf(found[0]!),
    lines: linesOf(found[0]!),
  };
}

function outcomeOf(all: readonly Reach[]): Outcome {
  return {
    json: { tesseras: all.map(jsonOf) },
    lines: all.length === 0
      ? ["No tesseras found."]
      : all.flatMap((one) => [...linesOf(one), ""]).slice(0, -1),
  };
}

function jsonOf(reach: Reach) {
  const { id, title, state, plan, updatedAtMs } = reach;
  return {
    hash: toHex(id),
    title,
    state,
    plan: plan === undefined ? null : toHex(plan.hash),
    dataCount: plan?.dataCount ?? null,
    parityCount: plan?.parityCount ?? null,
    placedCount: reach.placedCount,
    peerCount: reach.peerCount,
    subnetCount: reach.subnetCount,
    survivesLossOf: reach.survivesLossOf ?? null,
    updatedAt: updatedAtMs === undefined ? null : printTime(updatedAtMs),
    holders: reach.holders,
  };
}

function linesOf(reach: Reach): readonly string[] {
  const { id, title, state, plan, updatedAtMs } = reach;
  const head = [`${quoted(title)}`, `  Tessera:   ${toHex(id)}`];
  if (plan === undefined || updatedAtMs === undefined) {
    return [...head, "  State:     Local (only on this disk; tes publish)"];
  }
  const total = plan.fragments.length;
  return [
    ...head,
    `  State:     ${state} (${printTime(updatedAtMs)})`,
    `  Fragments: ${reach.placedCount} of ${total} acknowledged, ${
      plan.dataCount === 1
        ? "each a whole copy"
        : `any ${plan.dataCount} rebuild it`
    }`,
    `  Where:     ${counted(reach.peerCount, "peer", "peers")} in ${
      counted(reach.subnetCount, "subnet", "subnets")
    }`,
    `  Survives:  ${survivalOf(reach)}`,
  ];
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

async function nodeStatus(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { socket } = await context.paths();
  const node = await callControl(socket, "status", {}, () => {}, signal);
  return { json: node, lines: nodeReport(node) };
}
