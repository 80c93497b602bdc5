/// <reference lib="deno.worker" />
/** A thread of the pool: codes the row it is sent and sends it back. */
import { messageOf } from "@tesseras/core";
import type { PoolAnswer, PoolRequest } from "./pool.ts";
import { coderOf, type CodeRow, windowsOf } from "./rows.ts";

/** Coders kept for jobs that go on: making one for 48 shards takes milliseconds. */
const CODERS_MAX = 4;

const coders = new Map<number, CodeRow>();

self.onmessage = (event: MessageEvent<PoolRequest>) => {
  const { id, memory, layout } = event.data;
  try {
    const { inputs, outputs } = windowsOf(memory, layout);
    coderFor(event.data)(inputs, outputs);
  } catch (error) {
    return answer({ id, message: messageOf(error) });
  }
  answer({ id, memory }, [memory]);
};
answer({ ready: true });

function coderFor({ jobId, task }: PoolRequest): CodeRow {
  const coder = coders.get(jobId) ?? coderOf(task);
  // The one used longest ago is first.
  coders.delete(jobId);
  coders.set(jobId, coder);
  if (coders.size > CODERS_MAX) coders.delete(coders.keys().next().value!);
  return coder;
}

function answer(message: PoolAnswer, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}
