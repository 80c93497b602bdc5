import { directoryContract } from "@tesseras/testing/directory";
import { MemoryDirectory } from "./memory.ts";

directoryContract(
  "MemoryDirectory",
  ({ clock, random }) =>
    Promise.resolve(
      new MemoryDirectory({ nowMs: () => clock.nowMs(), random }),
    ),
);
