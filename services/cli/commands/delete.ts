/** `tes delete`: a tessera leaves this disk. */
import { quoted } from "@tesseras/archive";
import { TesserasError, toHex } from "@tesseras/core";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { openArchive } from "../open_archive.ts";
import { counted } from "../printed.ts";
import { UsageError } from "../usage_error.ts";

/** Asks on a terminal, wants `--yes` elsewhere, and never touches what others hold. */
export async function deleteCommand(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime, person } = context;
  const sure = context.flag("yes");
  if (!sure && person === undefined) {
    throw new UsageError(
      "Cannot delete: nobody is here to ask; say --yes to delete without asking",
    );
  }
  await using opened = await openArchive(
    await context.paths(),
    runtime,
    signal,
  );
  const { archive, state } = opened;
  const id = await archive.resolve(argumentAt(context, 0), signal);
  const hash = toHex(id);
  const row = await state.tessera(id, signal);
  const title = quoted(row?.title ?? "");
  const published = await state.publication(id, signal) !== undefined;
  if (!sure) {
    person?.say(
      `${title}, ${
        counted(row?.memoryCount ?? 0, "memory", "memories")
      }: ${hash}`,
    );
    if (!published) {
      person?.say("It was never published: this may be the only copy");
    }
    if (!person?.confirm("Delete it from this disk?", false)) {
      throw new TesserasError(
        "cancelled",
        "Stopped on request, nothing was deleted",
      );
    }
  }
  const removed = await archive.remove(id, signal);
  return {
    json: { hash, removed, published },
    lines: [
      `Deleted ${title} from this disk: ${hash}`,
      ...(published
        ? ["Fragments in the network are not touched; tes fetch brings it back"]
        : []),
    ],
  };
}
