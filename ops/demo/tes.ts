/** Runs the `tes` command as a person would, and reads its JSON. */
import { TesserasError } from "@tesseras/core";
import { ROOT } from "../cluster/cluster.ts";

/** Lines of progress go here while the command runs. */
export type OnLine = (line: string) => void;

/** Runs one command on a data directory. @throws `unusable` with the command's own sentence when it fails */
export async function tes<T>(
  dataDir: string,
  args: readonly string[],
  onLine: OnLine,
): Promise<T> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--cached-only",
      "--frozen",
      "--config",
      `${ROOT}/deno.json`,
      `${ROOT}/services/cli/main.ts`,
      "--data-dir",
      dataDir,
      "--json",
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output, status] = await Promise.all([
    new Response(child.stdout).text(),
    child.status,
    lines(child.stderr, onLine),
  ]);
  if (!status.success) {
    throw new TesserasError(
      "unusable",
      `Cannot run tes ${args[0]}: ${
        sentenceIn(output)
      } (exit code ${status.code})`,
    );
  }
  return JSON.parse(output) as T;
}

async function lines(
  stream: ReadableStream<Uint8Array>,
  onLine: OnLine,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split(/[\n\r]/);
    rest = parts.pop()!;
    for (const line of parts) if (line.trim() !== "") onLine(line.trim());
  }
}

function sentenceIn(output: string): string {
  try {
    return JSON.parse(output).error.message;
  } catch {
    return output.slice(0, 300) || "no word";
  }
}
