/** The readers of `lib/tessera` and of the key files. */
import { concat, fromUtf8, utf8 } from "@tesseras/core";
import {
  parseNodeKey,
  parsePublicKeyPem,
  printNodeKey,
  printPublicKeyPem,
} from "@tesseras/crypto";
import {
  checkTombstoneFresh,
  draftPlan,
  escapeText,
  parseManifest,
  parseTime,
  printManifest,
  printTime,
  readExif,
  readPlan,
  readTombstone,
  unescapeText,
} from "@tesseras/tessera";
import { sampleKeys } from "@tesseras/testing/tessera";
import manifests from "@tesseras/vectors/manifests.json" with { type: "json" };
import plans from "@tesseras/vectors/plans.json" with { type: "json" };
import tombstones from "@tesseras/vectors/tombstones.json" with {
  type: "json",
};
import { applySample } from "../vectors/tessera_samples.ts";
import type { FuzzTarget } from "./target.ts";

/** A day after the tombstone of the vectors was made. */
const NOW_MS = 1_800_000_000_000 + 24 * 3_600_000;
const GARDEN = new URL("../samples/family_sunday/garden.jpg", import.meta.url);

/** The targets, with the vectors and a real photograph as corpus. */
export async function tesseraTargets(): Promise<readonly FuzzTarget[]> {
  const photograph = (await Deno.readFile(GARDEN)).slice(0, 4_096);
  return [...formatTargets(), ...keyTargets(), {
    name: "tessera/readExif",
    corpus: [photograph],
    refuses: [],
    isExact: false,
    rewrite: (bytes) => {
      readExif(bytes);
      return bytes;
    },
  }];
}

function formatTargets(): readonly FuzzTarget[] {
  const texts = new Map(
    manifests.valid.map(({ name, text }) => [name, utf8(text)]),
  );
  const invalid = manifests.invalid.map((sample) =>
    applySample(texts.get(sample.of)!, sample)
  );
  return [
    {
      name: "tessera/parseManifest",
      corpus: [...texts.values(), ...invalid],
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) => printManifest(parseManifest(bytes)),
    },
    {
      name: "tessera/readPlan",
      corpus: plans.valid.map(({ hex }) => Uint8Array.fromHex(hex)),
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) => {
        const plan = readPlan(bytes);
        draftPlan(plan); // the numbers that were read are those that coding would give
        return plan.bytes;
      },
    },
    {
      name: "tessera/readTombstone",
      corpus: tombstones.valid.map(({ hex }) => Uint8Array.fromHex(hex)),
      refuses: ["malformed", "refused"],
      isExact: true,
      rewrite: (bytes) => {
        const tombstone = readTombstone(bytes);
        checkTombstoneFresh(tombstone, NOW_MS);
        return tombstone.bytes;
      },
    },
    {
      name: "tessera/unescapeText",
      corpus: ["Caf\u00e9 \\\\ \\n \\u{202e}", "\\u{20}a\\u{20}"].map(utf8),
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) => utf8(escapeText(unescapeText(fromUtf8(bytes)))),
    },
    {
      name: "tessera/parseTime",
      corpus: ["2026-02-14T11:00:00Z", "0001-01-01T00:00:00Z"].map(utf8),
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) => utf8(printTime(parseTime(fromUtf8(bytes)))),
    },
  ];
}

function keyTargets(): readonly FuzzTarget[] {
  const { publicKeys } = sampleKeys;
  const key = printNodeKey({ seed: publicKeys.ed25519, powNonce: 7n });
  return [
    {
      name: "crypto/parseNodeKey",
      corpus: [key, concat([key, key])],
      refuses: ["malformed", "corrupt"],
      isExact: true,
      rewrite: (bytes) => printNodeKey(parseNodeKey(bytes)),
    },
    {
      name: "crypto/parsePublicKeyPem",
      corpus: [printPublicKeyPem("ed25519", publicKeys.ed25519)],
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) =>
        printPublicKeyPem("ed25519", parsePublicKeyPem("ed25519", bytes)),
    },
  ];
}
