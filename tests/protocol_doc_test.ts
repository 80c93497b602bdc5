import { assertEquals, assertTrue } from "@tesseras/testing";
import { fromHex, fromUtf8 } from "@tesseras/core";
import * as limits from "@tesseras/core/limits";
import { CAPABILITIES, REGISTRY, WIRE_CODES } from "@tesseras/wire";
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
