/** The readers of what a person, a socket or this disk says: addresses and ids, configuration, calls of `tes`, rows. */
import { decode, encode } from "@tesseras/codec";
import {
  formatAddress,
  fromUtf8,
  parseAddress,
  parseHash,
  toHex,
  utf8,
} from "@tesseras/core";
import { LENGTH_BYTES } from "@tesseras/core/limits";
import { printDefaults, readConfig } from "@tesseras/run";
import {
  encodeControl,
  parseJson,
  readControl,
} from "../../lib/run/control_frames.ts";
import * as careColumns from "../../lib/state/libsql_care_columns.ts";
import * as columns from "../../lib/state/libsql_columns.ts";
import type { FuzzTarget } from "./target.ts";

/** The targets. */
export function runTargets(): readonly FuzzTarget[] {
  return [...textTargets(), ...controlTargets(), ...rowTargets()];
}

function textTargets(): readonly FuzzTarget[] {
  const settings = printDefaults().replaceAll(/^#(?=\w+ = )/gm, "");
  return [
    {
      name: "core/parseAddress",
      corpus: ["192.0.2.7:4433", "[2001:db8::7]:1", "[::ffff:192.0.2.7]:9"]
        .map(utf8),
      refuses: ["malformed"],
      isExact: false,
      rewrite: (bytes) => utf8(formatAddress(parseAddress(fromUtf8(bytes)))),
    },
    {
      name: "core/parseHash",
      corpus: ["0f".repeat(32), "AB".repeat(32)].map(utf8),
      refuses: ["malformed"],
      isExact: false,
      rewrite: (bytes) => utf8(toHex(parseHash(fromUtf8(bytes)))),
    },
    {
      name: "run/readConfig",
      corpus: [
        utf8(settings),
        ...settings.split(/(?=^\[)/m).slice(1).map(utf8),
      ],
      refuses: ["unusable", "malformed"],
      isExact: true,
      // A person's file of settings: read once, at the start.
      allocatedPerByte: 1024,
      rewrite(bytes) {
        const file = { name: "config.toml", text: fromUtf8(bytes) };
        readConfig({ file });
        return bytes;
      },
    },
  ];
}

function controlTargets(): readonly FuzzTarget[] {
  const json = JSON.stringify({ tessera: "00", nested: [{ deep: [null, 1] }] });
  const kinds = ["call", "event", "result", "error"] as const;
  return [
    {
      name: "run/readControl",
      corpus: kinds.map((kind) =>
        encodeControl({ kind, name: "publish", json }).slice(LENGTH_BYTES)
      ),
      refuses: ["malformed"],
      isExact: false,
      rewrite: (bytes) => encodeControl(readControl(bytes)).slice(LENGTH_BYTES),
    },
    {
      name: "run/parseJson",
      corpus: [utf8(json), utf8("{}"), utf8('{"__proto__":1}')],
      refuses: ["malformed"],
      isExact: false,
      rewrite: (bytes) => utf8(JSON.stringify(parseJson(fromUtf8(bytes)))),
    },
  ];
}

const ROW_LIMITS = { bytesMax: 1 << 17, depthMax: 1, itemsMax: 64 };

/** Rows of the database, each column of any type; a damaged file must not become anything but `corrupt`. */
function rowTargets(): readonly FuzzTarget[] {
  const id = new Uint8Array(20).fill(1);
  const hash = new Uint8Array(32).fill(2);
  const readers = {
    readTessera: [hash, 1, 2, "A title", "public", 3, 4, 5, "created", hash],
    readFile: ["memories/a/media.jpg", hash, 77],
    readPlan: [hash, hash, new Uint8Array(9)],
    readFragment: [hash, 3, hash, hash, 1000, id, 4, "192.0.2.0/24", 1],
    readHolding: [hash, hash],
    readPlacement: [hash, 3, id, hash, 1000, 5, 6, 7, 8, 9, 1, 0, 10],
    readAudit: [hash, 3, id, 5, "failed", "Leaf 3 is not of this fragment"],
    readWatch: [hash, 5, "repairing", 6, 2, "2 of 24 fragments are lost", 4],
    readLedger: [id, 1000, 2000, 1, 5],
    readTombstone: [hash, hash, new Uint8Array(9), 5, 6, 1],
    readCoverage: [hash, hash, id, new Uint8Array(9), 5, 6],
    readPublication: [hash, hash, "publishing", 6],
    readPointer: [hash, id, hash, id, id, 7, 8, "192.0.2.0/24"],
    readPeer: [id, new Uint8Array(9), 8],
  } as const;
  return Object.entries(readers).map(([name, good]) => ({
    name: `state/${name}`,
    corpus: [encode([...good])],
    refuses: ["malformed", "corrupt"],
    isExact: true,
    rewrite(bytes) {
      const row = asRow(decode(bytes, ROW_LIMITS));
      const read = { ...columns, ...careColumns };
      read[name as keyof typeof readers](row);
      return bytes;
    },
  }));
}

/** What SQLite may hold in a column. */
function asRow(decoded: unknown): (string | bigint | Uint8Array | null)[] {
  const values = Array.isArray(decoded) ? decoded : [decoded];
  return values.map((value) => {
    if (typeof value === "number") return BigInt(value);
    if (typeof value === "string" || value instanceof Uint8Array) return value;
    return typeof value === "bigint" ? value : null;
  });
}
