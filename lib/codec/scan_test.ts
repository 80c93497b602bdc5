import { assertThrowsCode } from "@tesseras/testing";
import { fromHex, utf8 } from "@tesseras/core";
import fc from "fast-check";
import { encode } from "./encode.ts";
import { scan } from "./scan.ts";

const LIMITS = { bytesMax: 1024, depthMax: 8, itemsMax: 100 };

function refuses(hex: string, why: RegExp): void {
  assertThrowsCode(() => scan(fromHex(hex), LIMITS), "malformed", why);
}

Deno.test("scan() accepts every kind of value in its shortest form", () => {
  const good = [
    "00 7f cc80 ccff cd0100 cdffff ce00010000 ceffffffff cf0000000100000000 cfffffffffffffffff",
    "ff e0 d0df d080 d1ff7f d18000 d2ffff7fff d280000000 d3ffffffff7fffffff d38000000000000000",
    "c0 c2 c3 a0 a161 80 90 c400 c40105",
  ].join(" ").split(" ");
  for (const hex of good) scan(fromHex(hex), LIMITS);
  scan(fromHex("82a16190a16281a16305"), LIMITS);
});

Deno.test("scan() refuses numbers in a longer form than they need", () => {
  const long = "cc7f cc00 cd00ff ce0000ffff cf00000000ffffffff " +
    "d000 d07f d0e0 d1ff80 d10100 d2ffff8000 d200010000 d3ffffffff80000000 d30000000100000000";
  for (const hex of long.split(" ")) refuses(hex, /longer form .* at byte 1$/);
});

Deno.test("scan() refuses lengths in a longer form than they need", () => {
  const long = [
    "d90161",
    "da000161",
    "db0000000161",
    "dc000100",
    "dd0000000100",
  ]
    .concat("de0001a16105", "df00000001a16105", "c5000105", "c60000000105");
  for (const hex of long) refuses(hex, /longer form/);
});

Deno.test("scan() refuses floats, extensions, timestamps and 0xc1", () => {
  refuses("ca3f800000", /float/);
  refuses("cb3ff0000000000000", /float/);
  for (
    const hex of ["d40000", "d5000000", "c7000100", "c8000001", "c900000000"]
  ) {
    refuses(hex, /extension/);
  }
  refuses("d6ff00000000", /extension/);
  refuses("c1", /0xc1/);
});

Deno.test("scan() refuses keys that are no short text or come twice", () => {
  refuses("810505", /no text/);
  refuses("81c4010505", /no text/);
  refuses(`81da0100${"61".repeat(256)}05`, /no text/);
  refuses("82a16105a16106", /there before at byte 4$/);
  const names = Array.from({ length: 17 }, (_, i) => 0x61 + i);
  const map = (all: readonly number[]) =>
    Uint8Array.from([0xde, 0, all.length, ...all.flatMap((n) => [0xa1, n, 5])]);
  scan(map(names), LIMITS);
  assertThrowsCode(
    () => scan(map([...names, 0x61]), LIMITS),
    "malformed",
    /there before/,
  );
});

Deno.test("scan() tells keys of every length apart, in small maps and large", () => {
  for (const count of [16, 17]) {
    for (const length of [1, 30, 31, 32, 33, 255]) {
      const names = Array.from(
        { length: count },
        (_, i) => String.fromCharCode(0x41 + i) + "a".repeat(length - 1),
      );
      const distinct = encode(new Map(names.map((name) => [name, 0])));
      scan(distinct, { ...LIMITS, bytesMax: 8192 });
      const twin = distinct.slice();
      // The last name's first letter becomes the first name's.
      twin[distinct.length - 1 - length] = 0x41;
      assertThrowsCode(
        () => scan(twin, { ...LIMITS, bytesMax: 8192 }),
        "malformed",
        /there before/,
      );
    }
  }
});

Deno.test("scan() refuses truncation at every byte, and one byte too many", () => {
  const whole = fromHex(
    "85a16190a162cd0100a163d920" + "61".repeat(32) + "a164c4020102a165d0df",
  );
  scan(whole, LIMITS);
  for (let length = 0; length < whole.length; length++) {
    assertThrowsCode(
      () => scan(whole.subarray(0, length), LIMITS),
      "malformed",
    );
  }
  assertThrowsCode(
    () => scan(Uint8Array.from([...whole, 0xc0]), LIMITS),
    "malformed",
    /1 trailing bytes/,
  );
});

Deno.test("scan() refuses counts that cannot fit before it walks them", () => {
  refuses("dd7fffffff05", /2147483647 values announced in 1 bytes/);
  refuses("dfffffffffa161", /8589934590 values announced in 2 bytes/);
  refuses("c6ffffffff", /truncated: 4294967295 bytes wanted/);
  refuses("dbffffffff", /truncated/);
});

Deno.test("scan() holds each limit exactly", () => {
  const nested = (depth: number) =>
    Uint8Array.from([...Array(depth).fill(0x91), 0x05]);
  scan(nested(8), LIMITS);
  assertThrowsCode(() => scan(nested(9), LIMITS), "malformed", /deeper than 8/);
  const flat = (count: number) =>
    Uint8Array.from([0xdc, 0, count, ...Array(count).fill(5)]);
  scan(flat(99), LIMITS);
  assertThrowsCode(
    () => scan(flat(100), LIMITS),
    "malformed",
    /than 100 values/,
  );
  const bytes = (length: number) =>
    Uint8Array.from([
      0xc5,
      length >> 8,
      length & 255,
      ...Array(length).fill(0),
    ]);
  scan(bytes(1021), LIMITS);
  assertThrowsCode(
    () => scan(bytes(1022), LIMITS),
    "malformed",
    /at most 1024/,
  );
});

Deno.test("scan() survives 64 KiB of nested arrays within the default stack", () => {
  const bomb = new Uint8Array(65536).fill(0x91);
  assertThrowsCode(
    () => scan(bomb, { ...LIMITS, bytesMax: 65536 }),
    "malformed",
    /deeper/,
  );
});

Deno.test("scan() agrees with a strict text decoder on what is UTF-8", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  const isUtf8 = (bytes: Uint8Array): boolean => {
    try {
      strict.decode(bytes);
      return true;
    } catch {
      return false; // the decoder's only failure is the one we ask about
    }
  };
  const edge = fc.constantFrom(
    ...fromHex("7f80bfc0c1c2dfe0a09fedeeeff08f90f4f5ff"),
  );
  const mixed = fc.oneof(
    fc.uint8Array({ maxLength: 31 }),
    fc.array(edge, { maxLength: 6 }).map((bytes) => Uint8Array.from(bytes)),
    fc.string({ unit: "binary", maxLength: 7 }).map(utf8),
  );
  fc.assert(
    fc.property(mixed, (text) => {
      const bom = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf;
      const message = Uint8Array.from([0xa0 | text.length, ...text]);
      let accepted = true;
      try {
        scan(message, LIMITS);
      } catch {
        accepted = false;
      }
      return accepted === (isUtf8(text) && !bom);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("scan() refuses text that begins with a byte order mark", () => {
  refuses("a4efbbbf61", /byte order mark/);
  scan(fromHex("a461efbbbf"), LIMITS);
});

Deno.test("scan() throws nothing but malformed on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        scan(bytes, LIMITS);
      } catch (error) {
        assertThrowsCode(() => {
          throw error;
        }, "malformed");
      }
    }),
    { numRuns: 5000 },
  );
});
