import { concat, u32be, utf8 } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { noise } from "@tesseras/testing/archive";
import fc from "fast-check";
import { WavPassage } from "./wav_passage.ts";

/** A WAV with these chunks around its sound. */
function wav(before: readonly string[], after: readonly string[] = []) {
  const chunk = (id: string, data: Uint8Array) =>
    concat([
      utf8(id),
      u32be(data.length).reverse(),
      data,
      new Uint8Array(data.length % 2),
    ]);
  const notes = (id: string) => chunk(id, utf8("INFO of odd length"));
  return concat([
    utf8("RIFF....WAVE"),
    chunk("fmt ", new Uint8Array(16)),
    ...before.map(notes),
    chunk("data", concat([utf8("LIST"), noise(3_001, 2)])),
    ...after.map(notes),
  ]);
}

function fateOf(file: Uint8Array, pieceBytes = 100): string {
  const passage = new WavPassage();
  const out: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += pieceBytes) {
    const piece = file.slice(at, at + pieceBytes);
    out.push(...passage.pass(piece));
  }
  out.push(...passage.end());
  assertEquals(concat(out), file);
  return passage.seen().place;
}

Deno.test("notes in a WAV are noticed before and after its sound, in pieces of any size", () => {
  for (const id of ["LIST", "id3 ", "_PMX", "bext", "iXML"]) {
    for (const file of [wav([id]), wav([], ["fact", id])]) {
      for (const pieceBytes of [1, 7, 64, file.length]) {
        assertEquals(fateOf(file, pieceBytes), "unread");
      }
    }
  }
});

Deno.test("a WAV of sound alone has no notes, whatever the sound is like", () => {
  assertEquals(fateOf(wav([])), "none");
  assertEquals(fateOf(wav(["fact"], ["cue "])), "none");
});

Deno.test("noise passes through", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    fateOf(concat([utf8("RIFF....WAVE"), bytes]), 13);
  }));
});
