/** `tes fetch`: the running node brings a tessera back from the network. */
import { codeOf, parseTesseraId, type TesseraId, toHex } from "@tesseras/core";
import { callControl, type JsonObject } from "@tesseras/run";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { countIn, numberIn, textIn } from "../json_fields.ts";
import { LookupBook } from "../lookup_book.ts";
import { hasArchive, openArchive } from "../open_archive.ts";
import { counted, printSize } from "../printed.ts";
import { UsageError } from "../usage_error.ts";

/** Has the node fetch, verify and store it; nothing is done when it is here already. */
export async function fetchCommand(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const text = argumentAt(context, 0);
  const local = await localId(context, text, signal);
  const lookups = new LookupBook(context.progress);
  const isTraced = context.flag("trace");
  if (local !== undefined) return alreadyHere(local, lookups.json(isTraced));
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new UsageError(
      `Cannot fetch ${
        JSON.stringify(text.slice(0, 80))
      }: wanted all 64 hexadecimal digits of the content hash`,
    );
  }
  const id = parseTesseraId(text);
  const { clock } = context.runtime;
  const startMs = clock.monotonicMs();
  const paths = await context.paths();
  const tell = teller(context);
  const report = await callControl(
    paths.socket,
    "fetch",
    { tessera: toHex(id), trace: isTraced },
    (event) => lookups.take(event) || tell(event),
    signal,
  );
  const json = {
    hash: toHex(id),
    ...report,
    status: "fetched",
    seconds: Math.round(clock.monotonicMs() - startMs) / 1_000,
    ...lookups.json(isTraced),
  };
  return { json, lines: linesOf(json) };
}

/** The tessera on this disk that the text means, `undefined` when there is none. */
async function localId(
  context: Context,
  text: string,
  signal: AbortSignal,
): Promise<TesseraId | undefined> {
  const paths = await context.paths();
  if (!await hasArchive(paths)) return undefined;
  await using opened = await openArchive(paths, context.runtime, signal);
  try {
    return await opened.archive.resolve(text, signal);
  } catch (error) {
    // Not here, or not the beginning of one that is: the network is asked by the whole hash.
    const code = codeOf(error);
    if (code === "missing" || code === "unusable") return undefined;
    throw error;
  }
}

function alreadyHere(id: TesseraId, traced: JsonObject): Outcome {
  const hash = toHex(id);
  const nothing = { used: [], rebuiltCount: 0, failedCount: 0 };
  return {
    json: { hash, status: "exists", ...nothing, ...traced },
    lines: [
      `Tessera ${hash} is on this disk already; tes verify checks every byte of it`,
    ],
  };
}

/** Tells what happens. A pack in whole copies is neither cut nor rebuilt. */
function teller({ progress }: Context): (event: JsonObject) => void {
  let isCut = false;
  return (event) => {
    const of = (name: string): number => numberIn(event, name);
    switch (event.type) {
      case "found":
        return progress.note(
          `Found ${counted(of("holderCount"), "holder", "holders")}`,
        );
      case "plan":
        isCut = of("dataCount") > 1;
        return progress.note(planLine(event));
      case "received":
        return progress.show(
          "Receiving",
          of("receivedBytes"),
          of("totalBytes"),
        );
      case "failed":
        return progress.note(
          `Fragment ${of("index")} did not come from ${
            textIn(event, "holder").slice(0, 8)
          }: ${textIn(event, "reason")}`,
        );
      case "rebuilding": {
        const missing = counted(of("missingCount"), "fragment", "fragments");
        if (!isCut || of("missingCount") === 0) return;
        return progress.note(`Rebuilding ${missing} from the others`);
      }
      case "verifying":
        return progress.note("Verifying and storing every file");
    }
  };
}

function planLine(event: JsonObject): string {
  const dataCount = numberIn(event, "dataCount");
  const total = dataCount + numberIn(event, "parityCount");
  const size = printSize(numberIn(event, "packBytes"));
  return dataCount === 1
    ? `${size} in ${total} copies, of which any one is enough`
    : `${size} in ${total} fragments, of which any ${dataCount} are enough`;
}

function linesOf(report: JsonObject): readonly string[] {
  return [
    `Fetched ${textIn(report, "hash")}`,
    `${printSize(numberIn(report, "packBytes"))} from ${
      counted(countIn(report, "used"), "fragment", "fragments")
    }, ${numberIn(report, "rebuiltCount")} rebuilt, in ${
      numberIn(report, "seconds").toFixed(1)
    } s; both signatures and every hash are right`,
  ];
}
