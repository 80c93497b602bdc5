/** What every Blobs must do, whatever it is made of. */
import {
  assert,
  concat,
  equal,
  type Hash,
  hash,
  SeededRandom,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { type BlobEntry, type Blobs, readAll, verify } from "@tesseras/blobs";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import * as fc from "fast-check";

const { signal } = new AbortController();

/** Writes and commits a blob of one chunk. */
export async function keep(
  blobs: Blobs,
  content: Uint8Array,
): Promise<BlobEntry> {
  await using writer = await blobs.create(signal);
  await writer.write(content, signal);
  return await writer.commit(signal);
}

/** Everything {@link Blobs.list} tells, as sorted text. */
export async function listed(blobs: Blobs): Promise<readonly string[]> {
  const entries = await Array.fromAsync(blobs.list(signal));
  return entries.map((entry) => `${toHex(entry.hash)} ${entry.bytes}`).sort();
}

/** Tests of fresh blobs by what they claim. */
type Claims = Readonly<Record<string, (blobs: Blobs) => Promise<void>>>;

const writingClaims: Claims = {
  "gives back what was written, however it was cut": async (blobs) => {
    const chunk = fc.uint8Array({ maxLength: 3_000 });
    const property = fc.asyncProperty(fc.array(chunk), async (chunks) => {
      const whole = concat(chunks);
      await using writer = await blobs.create(signal);
      for (const each of chunks) await writer.write(each, signal);
      assertEquals(writer.bytes, whole.length);
      const entry = await writer.commit(signal, blake3(whole));
      assertEquals(entry, { hash: blake3(whole), bytes: whole.length });
      await using reader = await blobs.open(entry.hash, signal);
      assertTrue(reader);
      assertEquals(reader.hash, entry.hash);
      assertEquals(reader.bytes, whole.length);
      assertEquals(await readAll(reader, signal), whole);
      assertEquals(await blobs.size(entry.hash, signal), whole.length);
      assertEquals(await verify(blobs, entry.hash, signal), "ok");
    });
    await fc.assert(property, { numRuns: 40 });
  },

  "gives back cold bytes as hot ones, whatever their number": async (blobs) => {
    const random = new SeededRandom(3);
    const sizes = [1, 4_095, 131_072, 524_288, 557_056, 1_500_003];
    for (const bytes of sizes) {
      const content = random.bytes(bytes);
      await using writer = await blobs.create(signal, "cold");
      for (let at = 0; at < bytes; at += 70_000) {
        await writer.write(content.subarray(at, at + 70_000), signal);
      }
      const { hash } = await writer.commit(signal, blake3(content));
      for (const access of ["cold", "hot"] as const) {
        await using reader = await blobs.open(hash, signal, access);
        assertTrue(reader);
        assertTrue(equal(await readAll(reader, signal), content));
        const part = new Uint8Array(200_000);
        const count = await reader.read(777, part, signal);
        assertEquals(count, Math.max(0, Math.min(200_000, bytes - 777)));
        assertTrue(
          equal(part.subarray(0, count), content.subarray(777, 777 + count)),
        );
      }
    }
  },

  "keeps the bytes when the caller reuses its chunk": async (blobs) => {
    await using writer = await blobs.create(signal);
    const chunk = Uint8Array.of(1, 2, 3);
    await writer.write(chunk, signal);
    chunk.fill(9);
    const { hash } = await writer.commit(signal);
    assertEquals(hash, blake3(Uint8Array.of(1, 2, 3)));
    assertEquals(await contentOf(blobs, hash), Uint8Array.of(1, 2, 3));
  },

  "keeps nothing that was not committed": async (blobs) => {
    const content = Uint8Array.of(1, 2, 3);
    {
      await using writer = await blobs.create(signal);
      await writer.write(content, signal);
      assertEquals(await blobs.size(blake3(content), signal), undefined);
    }
    assertEquals(await blobs.open(blake3(content), signal), undefined);
    assertEquals(await listed(blobs), []);
  },

  "keeps nothing whose hash is not the expected one": async (blobs) => {
    const content = Uint8Array.of(1, 2, 3);
    const expected = blake3(Uint8Array.of(1, 2, 4));
    await using writer = await blobs.create(signal);
    await writer.write(content, signal);
    await assertRejectsCode(
      writer.commit(signal, expected),
      "corrupt",
      /its hash is [0-9a-f]{64}, wanted [0-9a-f]{64}/,
    );
    assertEquals(await listed(blobs), []);
  },

  "keeps one of two equal blobs committed at once": async (blobs) => {
    const content = new SeededRandom(1).bytes(5_000);
    await Promise.all([1, 2, 3].map(() => keep(blobs, content)));
    assertEquals(await listed(blobs), [`${toHex(blake3(content))} 5000`]);
    assertEquals(await verify(blobs, blake3(content), signal), "ok");
  },

  "commits many small blobs at once": async (blobs) => {
    const random = new SeededRandom(2);
    const contents = Array.from({ length: 700 }, () => random.bytes(40));
    const entries = await Promise.all(contents.map((c) => keep(blobs, c)));
    assertEquals(entries.map((e) => e.hash), contents.map(blake3));
    assertEquals(
      await listed(blobs),
      contents.map((c) => `${toHex(blake3(c))} 40`).sort(),
    );
  },

  "stops for a caller that has gone": async (blobs) => {
    const gone = AbortSignal.abort();
    await assertRejectsCode(blobs.create(gone), "cancelled");
    await assertRejectsCode(blobs.scratch(1, gone), "cancelled");
    await using writer = await blobs.create(signal);
    await writer.write(Uint8Array.of(1), signal);
    await assertRejectsCode(writer.write(Uint8Array.of(2), gone), "cancelled");
    await assertRejectsCode(writer.commit(gone), "cancelled");
    assertEquals(await listed(blobs), []);
  },
};

const readingClaims: Claims = {
  "reads any range, from many calls at once": async (blobs) => {
    const content = new SeededRandom(3).bytes(100_000);
    const { hash } = await keep(blobs, content);
    await using reader = await blobs.open(hash, signal);
    assertTrue(reader);
    const ranges = Array.from({ length: 200 }, (_, at) => 507 * at);
    const parts = await Promise.all(ranges.map(async (offset) => {
      const into = new Uint8Array(900);
      const count = await reader.read(offset, into, signal);
      return into.subarray(0, count);
    }));
    for (const [at, part] of parts.entries()) {
      const offset = ranges[at]!;
      assertEquals(toHex(part), toHex(content.subarray(offset, offset + 900)));
    }
    assertEquals(await reader.read(100_000, new Uint8Array(9), signal), 0);
    assertEquals(await reader.read(2 ** 40, new Uint8Array(9), signal), 0);
    assertEquals(await reader.read(99_997, new Uint8Array(9), signal), 3);
  },

  "tells an absent blob from an empty one": async (blobs) => {
    const empty = await keep(blobs, new Uint8Array(0));
    const absent = hash(new Uint8Array(32));
    assertEquals(await blobs.size(empty.hash, signal), 0);
    assertEquals(await verify(blobs, empty.hash, signal), "ok");
    assertEquals(await blobs.size(absent, signal), undefined);
    assertEquals(await blobs.open(absent, signal), undefined);
    assertEquals(await blobs.remove(absent, signal), false);
    assertEquals(await verify(blobs, absent, signal), "absent");
  },

  "forgets what is removed, and readers go on": async (blobs) => {
    const content = new SeededRandom(4).bytes(3_000);
    const { hash } = await keep(blobs, content);
    await using reader = await blobs.open(hash, signal);
    assertTrue(reader);
    assertEquals(await blobs.remove(hash, signal), true);
    assertEquals(await blobs.remove(hash, signal), false);
    assertEquals(await blobs.open(hash, signal), undefined);
    assertEquals(await listed(blobs), []);
    assertEquals(await readAll(reader, signal), content);
    await keep(blobs, content);
    assertEquals(await verify(blobs, hash, signal), "ok");
  },

  "tells how much room is left": async (blobs) => {
    const before = await blobs.freeBytes(signal);
    assertTrue(Number.isSafeInteger(before) && before > 0);
  },
};

const asideClaims: Claims = {
  "removes a blob that is not needed, and keeps one that is": async (blobs) => {
    const content = Uint8Array.of(1, 2, 3);
    const { hash } = await keep(blobs, content);
    const answers: boolean[] = [];
    const say = (needed: boolean) => () => {
      answers.push(needed);
      return Promise.resolve(needed);
    };
    assertEquals(await blobs.removeUnless(hash, say(true), signal), false);
    assertEquals(await contentOf(blobs, hash), content);
    assertEquals(await blobs.removeUnless(hash, say(false), signal), true);
    assertEquals(await blobs.open(hash, signal), undefined);
    assertEquals(await blobs.removeUnless(hash, say(false), signal), false);
    assertEquals(answers, [true, false]);
  },

  "has whoever looks for a blob wait until it is known whether it goes": async (
    blobs,
  ) => {
    const { hash } = await keep(blobs, Uint8Array.of(1, 2, 3));
    for (const needed of [true, false]) {
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<boolean>();
      const removing = blobs.removeUnless(hash, () => {
        asked.resolve();
        return answer.promise;
      }, signal);
      await asked.promise;
      const sizes = [blobs.size(hash, signal), blobs.size(hash, signal)];
      const opening = blobs.open(hash, signal);
      const again = blobs.removeUnless(hash, () => answer.promise, signal);
      answer.resolve(needed);
      assertEquals(await removing, !needed);
      assertEquals(await again, false);
      const bytes = needed ? 3 : undefined;
      assertEquals(await Promise.all(sizes), [bytes, bytes]);
      await using reader = await opening;
      assertEquals(reader?.bytes, bytes);
    }
  },

  "keeps a blob when nobody can tell whether it is needed": async (blobs) => {
    const { hash } = await keep(blobs, Uint8Array.of(1, 2, 3));
    const failing = () =>
      Promise.reject(new TesserasError("overloaded", "Cannot tell"));
    await assertRejectsCode(
      blobs.removeUnless(hash, failing, signal),
      "overloaded",
    );
    assertEquals(await verify(blobs, hash, signal), "ok");
  },

  "keeps what is committed anew while the old is removed": async (blobs) => {
    const content = Uint8Array.of(1, 2, 3);
    const { hash } = await keep(blobs, content);
    for (const needed of [false, true]) {
      await blobs.removeUnless(hash, async () => {
        await keep(blobs, content);
        return needed;
      }, signal);
      assertEquals(await contentOf(blobs, hash), content);
    }
  },
};

const scratchClaims: Claims = {
  "takes large and small parts of a scratch file side by side": async (
    blobs,
  ) => {
    const random = new SeededRandom(6);
    const bytes = 300_001;
    const parts = Array.from({ length: 6 }, () => random.bytes(bytes));
    await using scratch = await blobs.scratch(6 * bytes, signal);
    await Promise.all(parts.map(async (part, index) => {
      for (let at = 0; at < bytes; at += 170_000) {
        const chunk = part.subarray(at, at + 170_000);
        await scratch.write(index * bytes + at, chunk, signal);
      }
    }));
    const back = new Uint8Array(6 * bytes);
    assertEquals(await scratch.read(0, back, signal), back.length);
    assertTrue(equal(back, concat(parts)));
  },

  "gives a scratch file of zeros, and takes it back": async (blobs) => {
    const random = new SeededRandom(5);
    const parts = Array.from({ length: 32 }, () => random.bytes(1_000));
    {
      await using scratch = await blobs.scratch(40_000, signal);
      assertEquals(scratch.bytes, 40_000);
      await Promise.all(
        parts.map((part, at) => scratch.write(at * 1_000, part, signal)),
      );
      const back = new Uint8Array(50_000);
      assertEquals(await scratch.read(0, back, signal), 40_000);
      const expected = concat([...parts, new Uint8Array(18_000)]);
      assertEquals(toHex(back), toHex(expected));
      await assertRefused(scratch.write(39_999, Uint8Array.of(1, 2), signal));
      assertEquals(await listed(blobs), []);
    }
    assertEquals(await listed(blobs), []);
  },
};

/** Registers the suite for one kind of blobs; `open` gives fresh empty ones. */
export function blobsContract(name: string, open: () => Promise<Blobs>): void {
  const claims = {
    ...writingClaims,
    ...readingClaims,
    ...asideClaims,
    ...scratchClaims,
  };
  for (const [claim, test] of Object.entries(claims)) {
    Deno.test(`${name}: ${claim}`, async () => {
      await using blobs = await open();
      await test(blobs);
    });
  }
}

/** The content of a blob that is there. */
export async function contentOf(
  blobs: Blobs,
  hash: Hash,
): Promise<Uint8Array> {
  await using reader = await blobs.open(hash, signal);
  assert(reader !== undefined, "the blob is there");
  return await readAll(reader, signal);
}

async function assertRefused(promise: Promise<unknown>): Promise<void> {
  const refused = await promise.then(() => false, () => true);
  assertTrue(refused, "a write beyond the end was taken");
}
