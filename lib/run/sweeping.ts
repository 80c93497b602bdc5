/** Clearing away, now and then, what killed work left on the disk. */
import type { Archive } from "@tesseras/archive";
import { codeOf, messageOf, type Runtime } from "@tesseras/core";

/** How often is swept while nothing waits to be removed. */
const SWEEP_MS = 6 * 3_600_000;
/** How long a blob must have been needed by nobody: far longer than any work between its writing and its listing. */
const SWEEP_GRACE_MS = 3_600_000;

/**
 * Removes blobs that nothing lists, for ever: soon after the start, then every six hours, and when the grace of what was found is
 * over. A disk that cannot be read is said and tried again.
 */
export async function sweepForever(
  archive: Pick<Archive, "sweep">,
  { clock, log, counters }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = SWEEP_GRACE_MS;
  for (;;) {
    await clock.sleep(pauseMs, signal);
    pauseMs = SWEEP_MS;
    try {
      const { removedCount, waitingCount } = await archive.sweep(
        SWEEP_GRACE_MS,
        signal,
      );
      if (waitingCount > 0) pauseMs = SWEEP_GRACE_MS;
      counters.add("sweep.removed", removedCount);
      if (removedCount > 0) log.info("blobs.swept", { removedCount });
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      counters.add("sweep.failed");
      log.warn("sweep.failed", { reason: messageOf(error) });
    }
  }
}
