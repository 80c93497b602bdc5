/** State in memory, held to the contract. */
import { MemoryState } from "./memory.ts";
import { stateContract } from "@tesseras/testing/state";

stateContract("MemoryState", () => Promise.resolve(new MemoryState()));
