/** What a request costs whoever answers it: known before (work) or only with the answer (its size). Decides only. */
import { unreachable } from "@tesseras/core";
import {
  ANSWER_BYTES_PER_TOKEN,
  BULK_BYTES_MAX,
  BULK_BYTES_PER_TOKEN,
} from "@tesseras/core/limits";
import type { Request } from "@tesseras/wire";

/**
 * Work of an audit, however few leaves it names: their paths may need every byte of the fragment read and hashed again, and
 * how long it is only the answerer knows.
 */
const AUDIT_WORK = 1 + BULK_BYTES_MAX / BULK_BYTES_PER_TOKEN;
/** Work of `forget`: its ML-DSA-65 signature takes 0.5 ms to check, or 2.8 where the platform does not know the scheme (measured). */
const FORGET_WORK = 20;

/**
 * How much work a request makes beyond looking into memory: one for each signature to check, page to look up and MiB to
 * move on the disk. 0 for what every node answers from its routing table.
 */
export function workOf(request: Request): number {
  switch (request.type) {
    case "challenge":
    case "ping":
    case "find_node":
      return 0;
    case "find_value":
    case "get_plan":
    case "attest":
      return 1;
    case "punch_intro":
    case "punch_request":
    case "relay_request":
    case "relay_migrate":
    case "relay_close":
      // One signature to check, and one to make.
      return 1;
    case "store":
      // Each entry is two signatures to check and a row to write.
      return Math.max(1, request.entries.length);
    case "put_fragment":
      return 1 + Math.floor(request.bulk / BULK_BYTES_PER_TOKEN);
    case "get_fragment":
      return 1 + Math.floor(request.length / BULK_BYTES_PER_TOKEN);
    case "audit":
      return AUDIT_WORK;
    case "forget":
      return FORGET_WORK;
    default:
      return unreachable(request);
  }
}

/** What an answer costs beyond the one token of its request, by the bytes of its frame and of its bulk. */
export function answerCost(frameBytes: number, bulkBytes: number): number {
  return Math.floor(frameBytes / ANSWER_BYTES_PER_TOKEN) +
    Math.floor(bulkBytes / BULK_BYTES_PER_TOKEN);
}
