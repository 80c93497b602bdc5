import { match } from "node:assert/strict";
import { assertEquals } from "@tesseras/testing";
import { LookupBook } from "./lookup_book.ts";
import { Progress } from "./progress.ts";

const question = {
  path: 1,
  depth: 2,
  id: "00ab12cd".padEnd(40, "0"),
  address: "192.0.2.7:4433",
  from: "00ef".padEnd(40, "0"),
  outcome: "answered",
  reason: null,
  askedMs: 20.2,
  endedMs: 152.4,
  learnedCount: 14,
};

const lookup = {
  type: "lookup",
  target: "3f2a9c1e".padEnd(40, "0"),
  tookMs: 440,
  hops: 2,
  foundCount: 20,
  questions: [
    question,
    { ...question, from: null, outcome: "failed", reason: "unreachable" },
    { ...question, address: null, outcome: "late", endedMs: null },
  ],
};

function bookOf(lines: string[]): LookupBook {
  return new LookupBook(
    new Progress({
      terminal: false,
      columns: () => 80,
      write: (text) => lines.push(text),
      monotonicMs: () => 0,
    }),
  );
}

Deno.test("a lookup is told hop by hop, in words", () => {
  const lines: string[] = [];
  assertEquals(bookOf(lines).take(lookup), true);
  match(
    lines[0]!,
    /^Lookup of 3f2a9c1e: 20 peers found in 2 hops with 3 questions, /,
  );
  assertEquals(lines.slice(1), [
    "  path 2, hop 2: 00ab12cd at 192.0.2.7:4433, named by 00ef0000, asked at 20 ms: answered with 14 new peers after 132 ms\n",
    "  path 2, hop 2: 00ab12cd at 192.0.2.7:4433, named by our table, asked at 20 ms: failed (unreachable) after 132 ms\n",
    "  path 2, hop 2: 00ab12cd at no address, named by 00ef0000, asked at 20 ms: late, not waited for\n",
  ]);
});

Deno.test("lookups are kept for machines, up to a limit, and only when they were asked for", () => {
  const book = bookOf([]);
  for (let i = 0; i < 300; i++) book.take(lookup);
  const { trace } = book.json(true) as { trace: { type?: string }[] };
  assertEquals([trace.length, trace[0]?.type], [200, undefined]);
  assertEquals(book.json(false), {});
});

Deno.test("what is no lookup is left to others, and an odd one breaks nothing", () => {
  const book = bookOf([]);
  assertEquals(book.take({ type: "sent" }), false);
  assertEquals(book.take({ type: "lookup" }), true);
  assertEquals(book.take({ type: "lookup", questions: [1, null, []] }), true);
});
