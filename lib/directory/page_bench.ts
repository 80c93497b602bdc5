/** The directory page of a full directory, beside a bare handler of the same router that answers as many bytes. */
import { Hono } from "hono";
import { rateOf, report } from "@tesseras/bench";
import { entryFor } from "@tesseras/testing/directory";
import { SeededRandom } from "@tesseras/core";
import { DIRECTORY_ENTRIES_MAX } from "@tesseras/core/limits";
import { MemoryDirectory } from "./memory.ts";
import { DIRECTORY_PATH, directoryPage } from "./page.ts";
import { sample } from "./sample.ts";

/** Bytes of a node record with one address. */
const RECORD_BYTES = 205;
/** Calls at once, since a handler answers in its own time. */
const AT_ONCE = 100;

const random = new SeededRandom(1);
const nowMs = 1_800_000_000_000;
const directory = new MemoryDirectory({ nowMs: () => nowMs, random });
const entries = Array.from(
  { length: DIRECTORY_ENTRIES_MAX },
  (_, n) =>
    entryFor(n, nowMs, {
      record: random.bytes(RECORD_BYTES),
      subnet: `net ${n >> 1}`,
    }),
);
await directory.put(entries);

let monotonicMs = 0;
let callers = 0;
const page = directoryPage({
  directory,
  clock: { nowMs: () => nowMs, monotonicMs: () => monotonicMs },
  random,
  powBits: 16,
  isLocal: false,
  count() {},
});
const url = `https://boot.example${DIRECTORY_PATH}`;
const text = await (await page.fetch(new Request(url))).text();
const bare = new Hono();
bare.get(DIRECTORY_PATH, (context) => context.body(text));

const pages = await rateOfPages(() => {
  // As fast as all callers together may ask, each of them once.
  monotonicMs += 2;
  const caller = { ip: "192.0.2.1", network: String(callers++) };
  return page.fetch(new Request(url), { caller });
});
const reference = await rateOfPages(() => bare.fetch(new Request(url)));
report(
  { name: `directory pages of ${text.length} bytes`, value: pages },
  "1/s",
  { name: "bare handler, same bytes", value: reference },
);

const rules = { count: 32, perSubnetMax: 2 };
const candidates = entries.slice(0, 256).map(({ subnet }) => ({
  subnet,
  offer: "DHT",
  ageMs: random.below(3_600_000),
}));
report(
  {
    name: "samples of 32 from 256 peers",
    value: rateOf(() => sample(candidates, (c) => c, rules, random), 1),
  },
  "1/s",
  {
    name: "sorting them by age alone",
    value: rateOf(() => candidates.toSorted((a, b) => a.ageMs - b.ageMs), 1),
  },
);

async function rateOfPages(
  ask: () => Response | Promise<Response>,
): Promise<number> {
  let best = 0;
  for (let round = 0; round < 4; round++) {
    const startMs = performance.now();
    let count = 0;
    while (performance.now() - startMs < 500) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, ask));
      const ends = answers.map(async (answer) => {
        if (answer.status !== 200) throw new Error(`status ${answer.status}`);
        await answer.arrayBuffer();
      });
      await Promise.all(ends);
      count += AT_ONCE;
    }
    const perSecond = count / (performance.now() - startMs) * 1_000;
    if (round > 0) best = Math.max(best, perSecond);
  }
  return best;
}
