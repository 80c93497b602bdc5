/** The lookups a node made during a command, for `--trace`. */
import type { Json, JsonObject } from "@tesseras/run";
import { countIn, numberIn, textIn } from "./json_fields.ts";
import { counted, printSeconds } from "./printed.ts";
import type { Progress } from "./progress.ts";

/** Lookups kept for the answer in JSON; a command makes a handful, or a dozen where a region is searched. */
const LOOKUPS_KEPT_MAX = 200;
/** Digits of an id that tell peers apart. */
const ID_DIGITS = 8;

/** Shows lookups as they end, and keeps them for the answer in JSON. */
export class LookupBook {
  readonly #progress: Progress;
  readonly #lookups: Json[] = [];

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /** Takes an event of the node. @returns whether it was a lookup */
  take(event: JsonObject): boolean {
    if (event.type !== "lookup") return false;
    const { type: _type, ...lookup } = event;
    if (this.#lookups.length < LOOKUPS_KEPT_MAX) this.#lookups.push(lookup);
    for (const line of linesOf(event)) this.#progress.note(line);
    return true;
  }

  /** What goes beside the report in JSON: nothing unless lookups were asked for. */
  json(isAsked: boolean): JsonObject {
    return isAsked ? { trace: this.#lookups } : {};
  }
}

function linesOf(lookup: JsonObject): readonly string[] {
  const of = (name: string): number => numberIn(lookup, name);
  const questions = Array.isArray(lookup.questions) ? lookup.questions : [];
  return [
    `Lookup of ${shortId(lookup, "target")}: ${
      counted(of("foundCount"), "peer", "peers")
    } found in ${counted(of("hops"), "hop", "hops")} with ${
      counted(countIn(lookup, "questions"), "question", "questions")
    }, ${printSeconds(of("tookMs") / 1_000)}`,
    ...questions.filter(isObject).map(questionLine),
  ];
}

function questionLine(question: JsonObject): string {
  const of = (name: string): number => numberIn(question, name);
  const from = shortId(question, "from");
  const ended = typeof question.endedMs === "number"
    ? ` after ${Math.round(of("endedMs") - of("askedMs"))} ms`
    : "";
  return `  path ${of("path") + 1}, hop ${of("depth")}: ${
    shortId(question, "id")
  } at ${textIn(question, "address") || "no address"}, named by ${
    from || "our table"
  }, asked at ${Math.round(of("askedMs"))} ms: ${outcomeOf(question)}${ended}`;
}

function outcomeOf(question: JsonObject): string {
  const reason = textIn(question, "reason");
  switch (question.outcome) {
    case "answered":
      return `answered with ${
        counted(numberIn(question, "learnedCount"), "new peer", "new peers")
      }`;
    case "failed":
      return reason === "" ? "failed" : `failed (${reason})`;
    case "late":
      return "late, not waited for";
    default:
      return "given up with the lookup";
  }
}

function shortId(json: JsonObject, name: string): string {
  return textIn(json, name).slice(0, ID_DIGITS);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
