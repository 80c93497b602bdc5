import { assertEquals, assertTrue } from "@tesseras/testing";
import { fromHex, fromUtf8, toHex, utf8 } from "@tesseras/core";
import * as limits from "@tesseras/core/limits";
import {
  CAPABILITIES,
  decodeMessage,
  encodeFrame,
  frameLength,
  readNodeRecord,
  REGISTRY,
  WIRE_CODES,
} from "@tesseras/wire";
import { RECORD_RULES, type RecordVector } from "./vectors/record_samples.ts";
import { type Json, loadVectors } from "./vectors/vector_file.ts";

const document = await Deno.readTextFile(
  new URL("../docs/PROTOCOL.md", import.meta.url),
);

/** The cells of the table between two marks, its head left out. */
function tableOf(mark: string): readonly (readonly string[])[] {
  const parts = document.split(`<!-- ${mark} -->`);
  assertEquals(parts.length, 2, `PROTOCOL.md marks ${mark} once`);
  const [inside, rest] = parts[1]!.split(`<!-- /${mark} -->`);
  assertTrue(rest !== undefined, `PROTOCOL.md ends ${mark}`);
  return inside!.trim().split("\n").slice(2).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

function unquoted(cell: string | undefined): string {
  return (cell ?? "").replaceAll("`", "");
}

Deno.test("PROTOCOL.md lists every message with its kind, answer and bulk", () => {
  const written = tableOf("messages").map(([name, kind, answer, bulk]) => ({
    name: unquoted(name),
    kind,
    answer: unquoted(answer),
    bulk,
  }));
  const real = Object.entries(REGISTRY).map(([name, definition]) => ({
    name,
    kind: definition.kind as string,
    answer: definition.answer ?? "",
    bulk: definition.hasBulk ? "yes" : "no",
  }));
  assertEquals(written, real);
});

Deno.test("PROTOCOL.md lists every field of every message in its order", async () => {
  const { valid } = await loadVectors("messages");
  const fieldsOf = new Map<string, string[]>();
  for (const { value } of valid) {
    const { body } = value as { body: { [name: string]: Json } };
    const { type, ...fields } = body;
    const known = fieldsOf.get(String(type)) ?? [];
    const fresh = Object.keys(fields).filter((name) => !known.includes(name));
    fieldsOf.set(String(type), [...known, ...fresh]);
  }
  for (const [name, , , , fields] of tableOf("messages")) {
    const written = fields === "" ? [] : fields!.split("; ")
      .map((field) => /^`(\w+)`/.exec(field)?.[1]);
    assertEquals(written, fieldsOf.get(unquoted(name)), unquoted(name));
  }
});

Deno.test("PROTOCOL.md lists every capability with its bit", () => {
  const written = tableOf("capabilities").map(([bit, name]) =>
    [unquoted(name), 2 ** Number(bit)] as const
  );
  assertEquals(Object.fromEntries(written), { ...CAPABILITIES });
});

Deno.test("PROTOCOL.md lists every error code that travels", () => {
  const written = tableOf("codes").map(([code]) => unquoted(code));
  assertEquals(written, [...WIRE_CODES]);
});

Deno.test("PROTOCOL.md gives every limit its real value", () => {
  const rows = tableOf("limits");
  assertTrue(rows.length > 20);
  const real: Readonly<Record<string, unknown>> = limits;
  for (const [name, value] of rows) {
    assertEquals(Number(value), real[unquoted(name)], unquoted(name));
  }
  assertTrue(new RegExp(`ALPN\\s+\`${limits.ALPN}\``).test(document));
});

Deno.test("PROTOCOL.md names the tags that are really signed", async () => {
  const { valid } = await loadVectors("records");
  for (const vector of valid) {
    const { name, signed } = vector as typeof vector & { signed: string };
    const bytes = fromHex(signed);
    const tag = fromUtf8(bytes.subarray(0, bytes.indexOf(0x0a)));
    assertTrue(document.includes(`\`${tag}\\n\``), name);
  }
});

/** The column in which meanings begin. */
const MEANING_AT = 29;

/** The bytes of a block of the appendix: hexadecimal, from {@link MEANING_AT} on what it means, more hexadecimal below. */
function bytesOf(mark: string): Uint8Array {
  const [, inside] = document.split(new RegExp(`<!-- /?${mark} -->`));
  const rows: { hex: string; readonly meaning: string }[] = [];
  for (const line of (inside ?? "").trim().split("\n").slice(1, -1)) {
    const hex = line.slice(0, MEANING_AT).replaceAll(" ", "");
    const meaning = line.slice(MEANING_AT).trim();
    if (meaning === "") rows.at(-1)!.hex += hex;
    else rows.push({ hex, meaning });
  }
  assertTrue(rows.length > 5, `PROTOCOL.md shows the ${mark}`);
  for (const { hex, meaning } of rows) {
    const [, text] = /"([^"]+)"/.exec(meaning) ?? [];
    assertTrue(text === undefined || hex.includes(toHex(utf8(text))), meaning);
  }
  return fromHex(rows.map(({ hex }) => hex).join(""));
}

Deno.test("the exchange in PROTOCOL.md is that of the vectors, byte by byte", async () => {
  const question = bytesOf("question");
  const messages = await loadVectors("messages");
  const asked = messages.valid.find(({ hex }) => hex === toHex(question));
  assertEquals(asked?.name, "find_node for storage");

  const answer = bytesOf("answer");
  assertEquals(frameLength(answer.subarray(0, 4)), answer.length - 4);
  const envelope = decodeMessage(answer.subarray(4));
  assertEquals(envelope.id, decodeMessage(question.subarray(4)).id);
  assertEquals(encodeFrame(envelope), answer);
  const { body } = envelope;
  assertTrue(body.type === "nodes" && body.records.length === 1);
  const record = body.records[0]!;
  const records = await loadVectors<RecordVector>("records");
  const named = records.valid.find(({ hex }) => hex === toHex(record));
  assertEquals(named?.name, "node record with one address");
  assertTrue(
    document.includes(`\`${toHex(readNodeRecord(record, RECORD_RULES).id)}\``),
  );
  assertTrue(
    document.includes(`by \`key\` over ${named!.signed.length / 2} bytes`),
  );
  for (const { length } of [question, answer]) {
    assertTrue(document.includes(`writes these ${length} bytes`));
  }
});
