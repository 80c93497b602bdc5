/** Which place of a directory an entry has, and who may take it. */
import { DIRECTORY_ENTRIES_MAX } from "@tesseras/core/limits";
import type { DirectoryEntry } from "./entry.ts";

/**
 * The place of an id. Its last digits choose it, for its first bits are the zeros of its proof of work.
 *
 * @param id 40 hexadecimal digits
 */
export function placeOf(id: string): number {
  return Number.parseInt(id.slice(-8), 16) % DIRECTORY_ENTRIES_MAX;
}

/** Whether an entry may take the place of another: its own earlier one, or one that has expired. */
export function mayTake(
  entry: DirectoryEntry,
  held: DirectoryEntry | undefined,
  nowMs: number,
): boolean {
  if (entry.expiresAtMs <= nowMs) return false;
  if (held === undefined || held.expiresAtMs <= nowMs) return true;
  return held.id === entry.id && held.seenMs <= entry.seenMs;
}
