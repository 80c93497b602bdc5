import { concat, utf8 } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { noise } from "@tesseras/testing/archive";
import { WebmPassage } from "./webm_passage.ts";

function fateOf(file: Uint8Array, pieceBytes: number): string {
  const passage = new WebmPassage();
  const out: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += pieceBytes) {
    out.push(...passage.pass(file.slice(at, at + pieceBytes)));
  }
  out.push(...passage.end());
  assertEquals(concat(out), file);
  return passage.seen().place;
}

Deno.test("a tag for a place in a WebM is noticed wherever it lies, in pieces of any size", () => {
  for (const name of ["LOCATION", "RECORDING_LOCATION", "location-eng"]) {
    for (const beforeBytes of [0, 1, 999, 1_021]) {
      const film = noise(beforeBytes, 1);
      const file = concat([film, utf8(`LL${name}`), noise(500, 2)]);
      for (const pieceBytes of [1, 3, 7, 8, 9, 64, 1_024, file.length]) {
        assertEquals(fateOf(file, pieceBytes), "unread");
      }
    }
  }
});

Deno.test("a WebM without such a tag tells of none", () => {
  const tags = utf8("ENCODER LOCATIO LOCALE locations".slice(0, 22));
  for (const pieceBytes of [1, 5, 4_096]) {
    const film = noise(20_000, 3);
    assertEquals(fateOf(concat([film, tags, film]), pieceBytes), "none");
  }
});
