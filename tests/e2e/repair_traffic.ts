/** What processes count of their repairs, the dead among them included. */
import type { ChildInfo } from "@tesseras/ops/cluster";
import { counted, until } from "./lab.ts";

const COUNTERS = {
  begun: "repair.begun",
  done: "repair.done",
  failed: "repair.failed",
  /** Fragments made and given to somebody. */
  placed: "repair.placed",
  /** Bytes. */
  fetched: "repair.fetched_bytes",
  sent: "repair.sent_bytes",
} as const;
const KEYS = Object.keys(COUNTERS) as (keyof typeof COUNTERS)[];

/** Counts by what they count. */
export type Traffic = Readonly<Record<keyof typeof COUNTERS, number>>;

/** Adds up what all have counted who ever lived. */
export class TrafficBook {
  readonly #buried: Traffic[] = [];

  /** Remembers what somebody has counted who is about to die. */
  async bury(info: ChildInfo): Promise<void> {
    this.#buried.push(await countedBy(info));
  }

  /** The sum. Who repairs at this moment has not counted it yet, and is waited for. @throws `timeout` */
  async of(living: readonly ChildInfo[]): Promise<Traffic> {
    let all: readonly Traffic[] = [];
    await until("no repair is under way", async () => {
      all = await Promise.all(living.map(countedBy));
      return all.every(({ begun, done, failed }) => begun <= done + failed);
    });
    return sumOf([...this.#buried, ...all]);
  }
}

async function countedBy(info: ChildInfo): Promise<Traffic> {
  const values = await Promise.all(
    KEYS.map((key) => counted(info, COUNTERS[key])),
  );
  return Object.fromEntries(KEYS.map((key, i) => [key, values[i]!])) as Traffic;
}

function sumOf(all: readonly Traffic[]): Traffic {
  return Object.fromEntries(
    KEYS.map((key) => [key, all.reduce((sum, one) => sum + one[key], 0)]),
  ) as Traffic;
}
