/** `tes publish`: fragments are made here, where the keys are, and sent by the running node. */
import type { Plan } from "@tesseras/tessera";
import { toHex } from "@tesseras/core";
import {
  callControl,
  type DataPaths,
  type JsonObject,
  loadCreator,
} from "@tesseras/run";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { countIn, numberIn, textIn } from "../json_fields.ts";
import { LookupBook } from "../lookup_book.ts";
import { openArchive } from "../open_archive.ts";
import { counted, printSize } from "../printed.ts";

/** Signs a plan, then has the node place every fragment and tell the network. */
export async function publish(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const paths = await context.paths();
  const { clock } = context.runtime;
  const startMs = clock.monotonicMs();
  const plan = await prepare(context, paths, signal);
  const preparedMs = clock.monotonicMs();
  const lookups = new LookupBook(context.progress);
  const report = await callControl(
    paths.socket,
    "publish",
    { plan: toHex(plan.hash), trace: context.flag("trace") },
    (event) => lookups.take(event) || tell(context, event),
    signal,
  );
  const { dataCount, parityCount, packBytes } = plan;
  const json = {
    hash: toHex(plan.tesseraId),
    ...report,
    plan: toHex(plan.hash),
    dataCount,
    parityCount,
    packBytes,
    prepareSeconds: secondsBetween(startMs, preparedMs),
    seconds: secondsBetween(startMs, clock.monotonicMs()),
    ...lookups.json(context.flag("trace")),
  };
  return { json, lines: linesOf(plan, json) };
}

async function prepare(
  context: Context,
  paths: DataPaths,
  signal: AbortSignal,
): Promise<Plan> {
  const { runtime, progress } = context;
  await using opened = await openArchive(paths, runtime, signal);
  const { archive } = opened;
  const id = await archive.resolve(argumentAt(context, 0), signal);
  // Asked before the long work: a node that is not running would make it wait for nothing.
  await callControl(paths.socket, "status", {}, () => {}, signal);
  return await archive.prepare(
    id,
    await loadCreator(paths),
    ({ doneBytes, totalBytes }) =>
      progress.show("Making fragments", doneBytes, totalBytes),
    signal,
  );
}

function tell({ progress }: Context, event: JsonObject): void {
  const of = (name: string): number => numberIn(event, name);
  switch (event.type) {
    case "peers":
      return progress.note(
        `Found ${
          counted(of("candidateCount"), "node", "nodes")
        } that keep fragments`,
      );
    case "sent":
      return progress.show("Sending", of("sentBytes"), of("totalBytes"));
    case "retry":
      return progress.note(
        `Fragment ${of("index")} was not taken by ${
          textIn(event, "holder").slice(0, 8)
        }, trying another: ${textIn(event, "reason")}`,
      );
    case "announced":
      return progress.note(
        `Told ${counted(of("keeperCount"), "node", "nodes")} where it is`,
      );
  }
}

function linesOf(plan: Plan, report: JsonObject): readonly string[] {
  const of = (name: string): number => numberIn(report, name);
  const unplaced = countIn(report, "unplaced");
  const total = plan.fragments.length;
  return [
    `Published ${toHex(plan.tesseraId)}`,
    `${total - unplaced} of ${total} ${
      plan.dataCount === 1
        ? "copies, of which any one is enough,"
        : `fragments, of which any ${plan.dataCount} rebuild it,`
    } on ${counted(of("peerCount"), "peer", "peers")} in ${
      counted(of("subnetCount"), "subnet", "subnets")
    }`,
    `${printSize(of("sentBytes"))} sent in ${of("seconds").toFixed(1)} s`,
    ...(unplaced > 0
      ? [
        `${
          counted(unplaced, "fragment has", "fragments have")
        } no holder yet: the node keeps trying by itself for as long as it runs`,
      ]
      : []),
  ];
}

function secondsBetween(fromMs: number, toMs: number): number {
  return Math.round(toMs - fromMs) / 1_000;
}
