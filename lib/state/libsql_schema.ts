/**
 * The tables, as numbered migrations. A migration that was released is never
 * edited: the next one changes what it made. The number of those applied is the
 * database's `user_version`.
 */
import { CARE_TABLES } from "./libsql_care_schema.ts";
import { PROOF_TABLES } from "./libsql_proof_schema.ts";

/** Columns of a fragment that say whose share it is of. */
const SHARED_BY = ["owner", "subnet"] as const;

/** Keep `share` true: a fragment counts its bytes, and the first of a plan those of the plan. */
function shareTriggers(column: typeof SHARED_BY[number]): readonly string[] {
  const change = (row: "NEW" | "OLD") =>
    `${row}.bytes + iif(
      EXISTS (SELECT 1 FROM fragment WHERE plan_hash = ${row}.plan_hash
        AND fragment_index <> ${row}.fragment_index AND ${column} = ${row}.${column}),
      0, (SELECT length(bytes) FROM plan WHERE hash = ${row}.plan_hash))`;
  return [
    `CREATE TRIGGER share_of_${column}_grows AFTER INSERT ON fragment
    WHEN NEW.owner IS NOT NULL AND NEW.${column} IS NOT NULL BEGIN
      INSERT INTO share (whose, bytes) VALUES (NEW.${column}, ${change("NEW")})
      ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
    END`,
    `CREATE TRIGGER share_of_${column}_shrinks AFTER DELETE ON fragment
    WHEN OLD.owner IS NOT NULL AND OLD.${column} IS NOT NULL BEGIN
      UPDATE share SET bytes = bytes - (${
      change("OLD")
    }) WHERE whose = OLD.${column};
      DELETE FROM share WHERE whose = OLD.${column} AND bytes <= 0;
    END`,
  ];
}

/** Statements of every migration, oldest first. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE tessera (
      id BLOB PRIMARY KEY,
      created_at_ms INTEGER NOT NULL,
      added_at_ms INTEGER NOT NULL,
      title TEXT NOT NULL,
      visibility TEXT NOT NULL,
      memory_count INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      pack_bytes INTEGER NOT NULL,
      origin TEXT NOT NULL,
      manifest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX tessera_added ON tessera (added_at_ms DESC, id)",
    "CREATE INDEX tessera_manifest ON tessera (manifest)",
    `CREATE TABLE file (
      tessera_id BLOB NOT NULL REFERENCES tessera (id) ON DELETE CASCADE,
      position INTEGER NOT NULL,
      path TEXT NOT NULL,
      hash BLOB NOT NULL,
      bytes INTEGER NOT NULL,
      PRIMARY KEY (tessera_id, position)
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX file_hash ON file (hash)",
    `CREATE TABLE plan (
      hash BLOB PRIMARY KEY,
      tessera_id BLOB NOT NULL,
      bytes BLOB NOT NULL
    ) STRICT`,
    "CREATE INDEX plan_tessera ON plan (tessera_id, hash)",
    `CREATE TABLE fragment (
      plan_hash BLOB NOT NULL REFERENCES plan (hash),
      fragment_index INTEGER NOT NULL,
      tessera_id BLOB NOT NULL,
      blob BLOB NOT NULL,
      bytes INTEGER NOT NULL,
      owner BLOB,
      stored_at_ms INTEGER NOT NULL,
      PRIMARY KEY (plan_hash, fragment_index)
    ) STRICT, WITHOUT ROWID`,
    "CREATE INDEX fragment_tessera ON fragment (tessera_id)",
    "CREATE INDEX fragment_blob ON fragment (blob)",
    "CREATE INDEX fragment_owner ON fragment (owner, bytes) WHERE owner IS NOT NULL",
    `CREATE TABLE placement (
      plan_hash BLOB NOT NULL,
      fragment_index INTEGER NOT NULL,
      holder BLOB NOT NULL,
      record BLOB NOT NULL,
      acked_at_ms INTEGER NOT NULL,
      PRIMARY KEY (plan_hash, fragment_index, holder)
    ) STRICT`,
    `CREATE TABLE publication (
      tessera_id BLOB PRIMARY KEY,
      plan_hash BLOB NOT NULL,
      state TEXT NOT NULL,
      updated_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE pointer (
      tessera_id BLOB NOT NULL,
      holder BLOB NOT NULL,
      plan_hash BLOB NOT NULL,
      record BLOB NOT NULL,
      holder_record BLOB NOT NULL,
      sequence INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL,
      PRIMARY KEY (tessera_id, holder, plan_hash)
    ) STRICT`,
    "CREATE INDEX pointer_expiry ON pointer (expires_at_ms)",
    `CREATE TABLE peer (
      id BLOB PRIMARY KEY,
      record BLOB NOT NULL,
      last_seen_ms INTEGER NOT NULL
    ) STRICT`,
    "CREATE INDEX peer_seen ON peer (last_seen_ms DESC, id)",
    `CREATE TABLE value (
      name TEXT PRIMARY KEY,
      bytes BLOB NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
  // Provider records are bounded by the network of their holder, too.
  ["ALTER TABLE pointer ADD COLUMN subnet TEXT"],
  // What every peer and every subnet has here is read before each fragment that comes, so it is a sum that is kept.
  [
    "ALTER TABLE fragment ADD COLUMN subnet TEXT",
    // A peer is 20 bytes and a subnet a text, which are never equal.
    `CREATE TABLE share (
      whose ANY PRIMARY KEY,
      bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `INSERT INTO share (whose, bytes)
    SELECT owner, sum(bytes) FROM (
      SELECT owner, sum(bytes) + (SELECT length(bytes) FROM plan WHERE hash = plan_hash) AS bytes
      FROM fragment WHERE owner IS NOT NULL GROUP BY owner, plan_hash
    ) GROUP BY owner`,
    ...SHARED_BY.flatMap(shareTriggers),
    "DROP INDEX fragment_owner",
  ],
  // Tesseras are kept alive: audits, repair, accounts, tombstones.
  CARE_TABLES,
  // Who proved something, since when we look, what rotted here.
  PROOF_TABLES,
];

/** The `user_version` of a database of this version of the program. */
export const SCHEMA_VERSION = MIGRATIONS.length;
