/** `tes verify`: is every byte of a tessera what its creator signed? */
import { basename, resolve } from "node:path";
import { quoted } from "@tesseras/archive";
import { parseTesseraId, type TesseraId, toHex } from "@tesseras/core";
import { nativeMlDsa } from "@tesseras/crypto/native";
import {
  type FileReport,
  UNLISTED_PATHS,
  type VerifyReport,
  verifyTessera,
} from "@tesseras/tessera";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { openArchive } from "../open_archive.ts";
import { openSource } from "../open_source.ts";

/** Verifies a stored tessera by its hash, or one in a folder or tar, which needs no archive. */
export async function verify(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const what = argumentAt(context, 0);
  const report = /^[0-9a-fA-F]+$/.test(what)
    ? await verifyStored(context, what, signal)
    : await verifyOutside(context, what, signal);
  return outcomeOf(report);
}

async function verifyStored(
  context: Context,
  text: string,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const paths = await context.paths();
  await using opened = await openArchive(paths, context.runtime, signal);
  const id = await opened.archive.resolve(text, signal);
  const { length } = await opened.state.filesOf(id, signal);
  return await opened.archive.verify(id, counter(context, length), signal);
}

async function verifyOutside(
  context: Context,
  path: string,
  signal: AbortSignal,
): Promise<VerifyReport> {
  await using source = await openSource(path, signal);
  const { length } = await source.list(signal);
  return await verifyTessera(source, {
    suite: await nativeMlDsa(),
    onFile: counter(context, length),
    ...expectedIn(path),
  }, signal);
}

/** Files are judged one by one, but for the few that the MANIFEST does not list. */
function counter(
  { progress }: Context,
  fileCount: number,
): (report: FileReport) => void {
  const total = fileCount - UNLISTED_PATHS.length;
  let done = 0;
  return () => progress.show("Verifying", ++done, total, "files");
}

/** A folder or tar that is named after a tessera must be that one. */
function expectedIn(path: string): { readonly expectedId?: TesseraId } {
  const digits = /^tessera-([0-9a-f]{64})(?:\.tar)?$/.exec(
    basename(resolve(path)),
  )?.[1];
  return digits === undefined ? {} : { expectedId: parseTesseraId(digits) };
}

function outcomeOf(report: VerifyReport): Outcome {
  const { id, signatures, files, problems, passed } = report;
  const hash = toHex(id);
  return {
    json: { hash, passed, signatures, files: files.map(fileJson), problems },
    lines: [
      `Tessera: ${hash}`,
      `Signature: ${signatureLine(report)}`,
      ...files.map(fileLine),
      ...problems.map((problem) => `  [FAILED] ${problem}`),
      `Verification: ${passed ? "PASSED" : "FAILED"}`,
    ],
    failed: !passed,
  };
}

function signatureLine({ signatures }: VerifyReport): string {
  const { ed25519, mlDsa } = signatures;
  if (ed25519 && mlDsa) return "VALID (Ed25519 and ML-DSA-65)";
  const word = (valid: boolean): string => valid ? "valid" : "not valid";
  return `INVALID (Ed25519 ${word(ed25519)}, ML-DSA-65 ${word(mlDsa)})`;
}

const MARKS: Readonly<Record<FileReport["status"], string>> = {
  ok: "OK",
  failed: "FAILED",
  missing: "MISSING",
  unexpected: "UNEXPECTED",
};

function fileLine({ path, status, detail }: FileReport): string {
  const reason = detail === undefined ? "" : `: ${detail}`;
  // Paths of the tessera itself have a closed grammar; those of strangers beside it do not.
  const shown = status === "unexpected" ? quoted(path) : path;
  return `  [${MARKS[status]}] ${shown}${reason}`;
}

function fileJson({ path, status, detail }: FileReport) {
  return { path, status, ...(detail === undefined ? {} : { detail }) };
}
