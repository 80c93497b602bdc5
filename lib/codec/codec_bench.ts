/** Speed of the gate beside bare msgpackr: `deno run -A lib/codec/codec_bench.ts`. */
import { Packr } from "msgpackr/index-no-eval";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { scan } from "./scan.ts";

const LIMITS = { bytesMax: 65536, depthMax: 8, itemsMax: 4096 };
/** Byte strings copied, as ours are: what keeps a view of a frame keeps the whole frame. */
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: false,
  copyBuffers: true,
});
const record = new Uint8Array(230).fill(7);
const list = Array.from({ length: 20 }, () => ({ record, holder: record }));

/** A full answer to a lookup, and a plain question. */
const SAMPLES = {
  answer: {
    v: 1,
    id: 7,
    body: { type: "providers", providers: list, more: 3, nodes: [record] },
  },
  question: {
    v: 1,
    id: 4_000_000_000,
    body: { type: "find_node", target: record.slice(0, 20), want: 2 },
  },
} as const;

for (const [name, value] of Object.entries(SAMPLES)) {
  const bytes = encode(value);
  const bare = perSecond(() => packr.unpack(bytes));
  const megabytes = (rate: number): number => rate * bytes.length / 1e6;
  const row = (what: string, rate: number, reference: number): void =>
    print({
      name: `codec.${what}.${name}`,
      value: megabytes(rate),
      reference: megabytes(reference),
    });
  row("scan", perSecond(() => scan(bytes, LIMITS)), bare);
  row("decode", perSecond(() => decode(bytes, LIMITS)), bare);
  const barePack = perSecond(() => packr.pack(value).slice());
  row("encode", perSecond(() => encode(value)), barePack);
}

/** Calls a second, the best of five runs of 200 ms after a warm-up. */
function perSecond(call: () => unknown): number {
  let best = 0;
  for (let run = 0; run < 6; run++) {
    const startMs = performance.now();
    let count = 0;
    while (performance.now() - startMs < 200) {
      for (let i = 0; i < 100; i++) call();
      count += 100;
    }
    const rate = 1000 * count / (performance.now() - startMs);
    if (run > 0) best = Math.max(best, rate);
  }
  return best;
}

function print(
  row: {
    readonly name: string;
    readonly value: number;
    readonly reference: number;
  },
): void {
  console.log(JSON.stringify({
    name: row.name,
    value: Math.round(row.value),
    unit: "MB/s",
    reference: { name: "msgpackr alone", value: Math.round(row.reference) },
    ratio: Number((row.value / row.reference).toFixed(2)),
  }));
}
