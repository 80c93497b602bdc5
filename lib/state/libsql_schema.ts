/**
 * The tables, as numbered migrations. A migration that was released is never
 * edited: the next one changes what it made. The number of those applied is the
 * database's `user_version`.
 */

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
];
