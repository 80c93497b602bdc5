/** `tes doctor`: looks at a data directory and the node on it, and says what to do. It changes nothing. */
import { codeOf, messageOf } from "@tesseras/core";
import type { Context, Outcome } from "../context.ts";
import {
  checkPorts,
  checkWaysIn,
  readConfiguration,
} from "../doctor_config.ts";
import { checkDatabase } from "../doctor_database.ts";
import {
  checkLeftovers,
  checkPrivacy,
  checkSpace,
  lookAt,
} from "../doctor_files.ts";
import { checkCreator, checkNodeKey } from "../doctor_identity.ts";
import { checkCompany, checkSight, readNode } from "../doctor_node.ts";
import { type Finding, problem } from "../finding.ts";
import { counted } from "../printed.ts";

/** Runs every check; fails when one found a problem. */
export async function doctor(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { dataDir } = await context.paths();
  const found = await lookAt(dataDir);
  if (found === undefined) {
    return outcomeOf([
      problem(
        "Data directory",
        `There is none: ${dataDir}`,
        "Run tes init, or choose another with --data-dir",
      ),
    ]);
  }
  return outcomeOf(await examine(context, signal));
}

async function examine(
  context: Context,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { runtime } = context;
  const paths = await context.paths();
  const nowMs = runtime.clock.nowMs();
  const { config, findings: configured } = readConfiguration(paths);
  const { node, findings: running } = await readNode(paths.socket, signal);
  const none = (): Promise<readonly Finding[]> => Promise.resolve([]);
  const checks:
    readonly (readonly [string, () => Promise<readonly Finding[]>])[] = [
      ["Permissions", () => checkPrivacy(paths)],
      ["Free space", () => checkSpace(paths, config)],
      ["Leftovers", () => checkLeftovers(paths, nowMs)],
      ["Identity", () => checkCreator(paths)],
      ["Node key", () => checkNodeKey(paths, config)],
      ["Configuration", () => Promise.resolve(configured)],
      ["Entrances", config ? () => checkWaysIn(config, runtime, signal) : none],
      ["Node", () => Promise.resolve(running)],
      [
        "Ports",
        config && node === undefined
          ? () => Promise.resolve(checkPorts(config))
          : none,
      ],
      [
        "Peers",
        node ? () => Promise.resolve(checkCompany(node, config)) : none,
      ],
      ["Clock", node ? () => checkSight(paths.socket, signal) : none],
      ["Database", () => checkDatabase(paths, nowMs, signal)],
    ];
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    findings.push(...await attempted(name, check, signal));
  }
  return findings;
}

/** A check that cannot be made is a finding, too. */
async function attempted(
  name: string,
  check: () => Promise<readonly Finding[]>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    const isForeseen = codeOf(error) !== undefined || isRefused(error);
    if (signal.aborted || !isForeseen) throw error;
    return [problem(
      name,
      `It could not be looked at: ${messageOf(error)}`,
      "See that this user may read it, and run tes doctor again",
    )];
  }
}

/** Whether the system would not let us. */
function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    (error instanceof Error && "code" in error &&
      typeof error.code === "string" && /^E[A-Z]+$/.test(error.code));
}

function outcomeOf(findings: readonly Finding[]): Outcome {
  const countOf = (level: Finding["level"]): number =>
    findings.filter((one) => one.level === level).length;
  const problemCount = countOf("problem");
  const adviceCount = countOf("advice");
  return {
    failed: problemCount > 0,
    json: {
      problemCount,
      adviceCount,
      findings: findings.map(({ check, level, what, todo }) => ({
        check,
        level,
        what,
        todo: todo ?? null,
      })),
    },
    lines: [
      ...findings.flatMap(linesOf),
      "",
      `${
        counted(problemCount, "problem", "problems")
      }, ${adviceCount} of advice`,
    ],
  };
}

function linesOf({ check, level, what, todo }: Finding): readonly string[] {
  return [
    `[${level}] ${check}: ${what}`,
    ...(todo === undefined ? [] : [`    ${todo}`]),
  ];
}
