/** What the vectors of the tessera format say: manifests, plans and tars, good ones and bad ones made from them. */
import { assert, concat, fromUtf8, hash, tesseraId, toHex, utf8 } from "@tesseras/core";
import { blake3, creatorKeysFromSeed } from "@tesseras/crypto";
import {
  creatorOf,
  draftPlan,
  indexTar,
  type Manifest,
  packLayout,
  packReader,
  type Plan,
  printManifest,
  printTime,
  signPlan,
  signTombstone,
} from "@tesseras/tessera";
import type { Json } from "./vector_file.ts";

const SEED = new Uint8Array(32).fill(1);
const keys = creatorKeysFromSeed(SEED);
const never = new AbortController().signal;

/** One file of vectors, as JSON. Invalid ones are a valid one with something replaced. */
export type TesseraVectors = {
  readonly about: string;
  readonly valid: readonly { readonly name: string; readonly [key: string]: Json }[];
  readonly invalid: readonly InvalidSample[];
};

/** A valid vector with bytes written over it, cut or added to. */
export type InvalidSample = {
  readonly name: string;
  /** Name of the valid vector. */
  readonly of: string;
  /** Keep this many bytes of it; all where it is left out. */
  readonly keep?: number;
  /** Then write these bytes (hexadecimal) at this offset; behind the end they are added. */
  readonly at: number;
  readonly hex: string;
};

/** The bytes that an invalid vector stands for. */
export function applySample(
  valid: Uint8Array,
  { keep = valid.length, at, hex }: InvalidSample,
): Uint8Array {
  const patch = Uint8Array.fromHex(hex);
  const kept = valid.slice(0, keep);
  const bytes = new Uint8Array(Math.max(kept.length, at + patch.length));
  bytes.set(kept);
  bytes.set(patch, at);
  return bytes;
}

/** `manifests.json` */
export function manifestVectors(): TesseraVectors {
  const plain = sampleManifest({});
  const full = sampleManifest({
    title: " Café \\ 家族\n\u202eend ",
    tags: ["family", "two words"],
    location: "Florianópolis",
    extras: [{ key: "salt", value: "00ff" }],
  });
  const text = fromUtf8(printManifest(plain));
  const replace = (name: string, from: string, to: string): InvalidSample => {
    assert(text.includes(from), `a manifest with ${JSON.stringify(from)}`);
    const at = utf8(text.slice(0, text.indexOf(from))).length;
    const tail = text.slice(text.indexOf(from) + from.length);
    return { name, of: "plain", keep: at, at, hex: toHex(utf8(to + tail)) };
  };
  return {
    about:
      "MANIFEST (docs/FORMAT.md, 3). `text` is the file, `id` its BLAKE3. An invalid vector is the valid one named by `of`, cut to `keep` bytes, with `hex` written at `at`.",
    valid: [manifestVector("plain", plain), manifestVector("everything", full)],
    invalid: [
      replace("another version", "v1", "v2"),
      replace("a title with a raw control character", "Sunday", "Sun\tday"),
      replace("a title with a mark that turns the direction", "Sunday", "Sun\u202eday"),
      replace("an escape that was not needed", "Sunday", "\\u{53}unday"),
      replace("an unknown escape", "Sunday", "Sun\\day"),
      replace("a space at the end of a title", "Sunday", "Sunday "),
      replace("a date that no calendar has", "2026-02-14", "2026-02-30"),
      replace("a time without Z", "00Z", "00"),
      replace("a language that is no code", "en", "e_n"),
      replace("an unknown visibility", "public", "open"),
      replace("a key in capitals", "creator-ed25519: 24101179bc", "creator-ed25519: 24101179BC"),
      replace("keys out of order", "language: en\nvisibility: public", "visibility: public\nlanguage: en"),
      replace("a missing key", "language: en\n", ""),
      replace("a known key after an unknown one", "visibility", "later: x\nvisibility"),
      replace("a path that climbs", "README.decode", "../decode"),
      replace("an absolute path", "README.decode", "/etc/passwd"),
      replace("a hidden file", "README.decode", ".hidden"),
      replace("a path that cannot be listed", "README.decode", "CHECKSUMS.b3"),
      replace("a path that differs from MANIFEST only in case", "README.decode", "Manifest"),
      replace("a file that is also a folder", "README.decode", "identity"),
      replace("a size with a leading zero", " 3146 ", " 03146 "),
      replace("a size beyond a tessera", " 3146 ", " 1000000001 "),
      replace("files out of order", "README.decode", "zzz"),
      replace("no memory", "media.txt", "text.txt"),
      replace("CRLF", "\n", "\r\n"),
      replace("a byte order mark", "TESSERA", "\ufeffTESSERA"),
      { name: "no line end", of: "plain", keep: utf8(text).length - 1, at: 0, hex: "54" },
      { name: "no UTF-8", of: "plain", at: 30, hex: "ff" },
    ],
  };
}

function sampleManifest(changes: Partial<Manifest>): Manifest {
  const file = (path: string, bytes: number, mime: string) => ({
    path,
    bytes,
    mime,
    blake3: blake3(utf8(path)),
  });
  const folder = `memories/${toHex(blake3(utf8("memory")))}`;
  return {
    title: "Sunday",
    createdAtMs: 1_771_066_800_000,
    language: "en",
    tags: [],
    visibility: "public",
    creatorEd25519: keys.publicKeys.ed25519,
    creatorMlDsa: blake3(keys.publicKeys.mlDsa),
    extras: [],
    files: [
      file("README.decode", 3_146, "text/plain"),
      file("identity/creator.pub.ed25519", 113, "application/x-pem-file"),
      file("identity/creator.pub.ml-dsa-65", 2_726, "application/x-pem-file"),
      file(`${folder}/media.txt`, 17, "text/plain"),
    ],
    ...changes,
  };
}

function manifestVector(name: string, manifest: Manifest) {
  const bytes = printManifest(manifest);
  return {
    name,
    text: fromUtf8(bytes),
    id: toHex(blake3(bytes)),
    value: {
      title: manifest.title,
      created: printTime(manifest.createdAtMs),
      language: manifest.language,
      tags: manifest.tags,
      location: manifest.location ?? null,
      visibility: manifest.visibility,
      extras: manifest.extras.map(({ key, value }) => [key, value]),
      files: manifest.files.map(({ path, bytes }) => [path, bytes]),
    },
  };
}

/** `plans.json` */
export function planVectors(): TesseraVectors {
  const medium = samplePlan(5 * 1024 * 1024, 24);
  const replace = (name: string, at: number, hex: string): InvalidSample => ({ name, of: "16 + 8", at, hex });
  const { length } = medium.bytes;
  return {
    about:
      "Plans (docs/FORMAT.md, 10), signed by the creator of the 32-byte master seed `seed`. Invalid ones are malformed or, where only a signature can tell, forged; they are made as in manifests.json.",
    valid: [
      planVector("1 + 6", samplePlan(2_048, 1)),
      planVector("16 + 8", medium),
      planVector("48 + 24", samplePlan(256 * 1024 * 1024, 72)),
    ],
    invalid: [
      replace("another version", 14, "32"),
      replace("a pack of no bytes", 48, "0000000000000000"),
      replace("a pack larger than a tessera", 48, "00000000ffffffff"),
      replace("a pack of another tier", 48, "0000000000001000"),
      replace("fragments of another length", 56, "00050001"),
      replace("another k", 60, "11"),
      replace("another m", 61, "07"),
      replace("another tessera", 16, "00"),
      replace("another Ed25519 key", 62, "00"),
      replace("another ML-DSA-65 key", 94, "ffff"),
      replace("another fragment hash", 2_046, "ffff"),
      replace("another Ed25519 signature", length - 3_373, "ffff"),
      replace("another ML-DSA-65 signature", length - 3_309, "ffff"),
      replace("a byte more", length, "00"),
      { name: "a byte less", of: "16 + 8", keep: length - 1, at: 0, hex: "54" },
      { name: "copies that differ", of: "1 + 6", at: 2_046, hex: "ffff" },
    ],
  };
}

function samplePlan(packBytes: number, count: number): Plan {
  const fragments = Array.from(
    { length: count === 1 ? 7 : count },
    (_, i) => blake3(Uint8Array.of(count === 1 ? 0 : i)),
  );
  return signPlan(draftPlan({ tesseraId: sampleId(), packBytes, fragments }), keys);
}

function planVector(name: string, plan: Plan) {
  return {
    name,
    seed: toHex(SEED),
    hex: toHex(plan.bytes),
    hash: toHex(plan.hash),
    value: {
      tesseraId: toHex(plan.tesseraId),
      packBytes: plan.packBytes,
      shardBytes: plan.shardBytes,
      dataCount: plan.dataCount,
      parityCount: plan.parityCount,
      fragments: plan.fragments.map(toHex),
    },
  };
}

/** `tombstones.json` */
export function tombstoneVectors(): TesseraVectors {
  const tesseraId = sampleId();
  const createdAtMs = 1_800_000_000_000;
  const tombstone = signTombstone({ tesseraId, createdAtMs }, keys);
  const replace = (name: string, at: number, hex: string): InvalidSample => ({ name, of: "a tombstone", at, hex });
  const { length } = tombstone.bytes;
  return {
    about:
      "Tombstones (docs/FORMAT.md, 11), signed by the creator of the 32-byte master seed `seed`, who signed the plans of plans.json, too. Invalid ones are malformed or, where only a signature can tell, forged; they are made as in manifests.json.",
    valid: [{
      name: "a tombstone",
      seed: toHex(SEED),
      creator: toHex(creatorOf(keys.publicKeys)),
      hex: toHex(tombstone.bytes),
      value: { tesseraId: toHex(tesseraId), createdAtMs },
    }],
    invalid: [
      replace("another version", 19, "32"),
      replace("a plan's first line", 8, toHex(utf8("PLAN v1\n"))),
      replace("another tessera", 21, "00"),
      replace("made a millisecond later", 60, "01"),
      replace("made at no time", 53, "ffffffffffffffff"),
      replace("made so late that it has no end", 53, "001fffffffffffff"),
      replace("another Ed25519 signature", 61, "ffff"),
      replace("an Ed25519 signature of zeros", 61, "00".repeat(64)),
      replace("another ML-DSA-65 signature", 125, "ffff"),
      replace("an ML-DSA-65 signature with another end", length - 1, "ff"),
      replace("a byte more", length, "00"),
      { name: "a byte less", of: "a tombstone", keep: length - 1, at: 0, hex: "54" },
      { name: "nothing but its first line", of: "a tombstone", keep: 21, at: 0, hex: "54" },
    ],
  };
}

function sampleId() {
  return tesseraId(hash(blake3(utf8("tessera"))));
}

/** `tars.json` */
export async function tarVectors(): Promise<TesseraVectors> {
  const files = new Map([["MANIFEST", utf8("first\n")], ["memories/a/media.txt", utf8("x".repeat(513))]]);
  const layout = packLayout([...files].map(([path, { length }]) => ({ path, bytes: length })));
  const pack = new Uint8Array(layout.bytes);
  await using reader = packReader(layout, (path) =>
    Promise.resolve({
      read(offset, into) {
        const part = files.get(path)!.subarray(offset, offset + into.length);
        into.set(part);
        return Promise.resolve(part.length);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }));
  await reader.read(0, pack, never);
  const header = (name: string, changes: readonly (readonly [number, string])[]): InvalidSample => {
    const block = pack.slice(0, 512);
    for (const [at, text] of changes) block.set(utf8(text), at);
    block.set(utf8("        "), 148);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.set(utf8(sum.toString(8).padStart(6, "0") + "\0 "), 148);
    return { name, of: "two files", at: 0, hex: toHex(block) };
  };
  const entries = await indexTar({ bytes: pack.length, read: (offset, into) => {
    const part = pack.subarray(offset, offset + into.length);
    into.set(part);
    return Promise.resolve(part.length);
  } }, never);
  return {
    about:
      "Packs (docs/FORMAT.md, 8). `entries` are path, offset and bytes of the contents. Invalid ones are made as in manifests.json.",
    valid: [{
      name: "two files",
      hex: toHex(pack),
      entries: entries.map(({ path, offset, bytes }) => [path, offset, bytes]),
    }],
    invalid: [
      header("a hard link", [[156, "1"]]),
      header("a symbolic link", [[156, "2"]]),
      header("a device", [[156, "3"]]),
      header("a pipe", [[156, "6"]]),
      header("a path that climbs", [[0, "../evil\0"]]),
      header("an absolute path", [[0, "/etc/evil\0"]]),
      header("a path with a line feed", [[0, "a\nb\0"]]),
      header("the same path twice", [[0, "memories/a/media.txt\0"]]),
      header("a size in another base", [[124, "\x7f"]]),
      header("a size beyond the tar", [[124, "00000777777"]]),
      { name: "a wrong header sum", of: "two files", at: 0, hex: "4e" },
      { name: "no end", of: "two files", keep: pack.length - 1_024, at: 0, hex: "4d" },
      { name: "half an end", of: "two files", keep: pack.length - 512, at: 0, hex: "4d" },
      { name: "cut in a file", of: "two files", keep: 1_600, at: 0, hex: "4d" },
      { name: "something behind the end", of: "two files", at: pack.length, hex: toHex(concat([utf8("x")])) },
    ],
  };
}
