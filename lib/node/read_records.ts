/** Reading the records that a peer names. */
import { codeOf, type Runtime } from "@tesseras/core";
import type { NodeRecord } from "@tesseras/wire";
import type { RecordReader } from "./options.ts";

/** Reads records a peer named, leaving out those that do not hold; each of those is counted. */
export function readRecords(
  list: readonly Uint8Array[],
  reader: RecordReader,
  { clock, counters }: Runtime,
): NodeRecord[] {
  const nowMs = clock.nowMs();
  const records: NodeRecord[] = [];
  for (const bytes of list) {
    try {
      records.push(reader.node(bytes, nowMs));
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      counters.add("record.refused");
      if (code === "refused") counters.add("record.out_of_time");
    }
  }
  return records;
}
