/** What was proved by bytes and what rotted here, as the one migration that made room for it: released, so never edited. */

/** Statements of the migration. */
export const PROOF_TABLES: readonly string[] = [
  "ALTER TABLE placement ADD COLUMN proved_since_ms INTEGER",
  // Of others there was only a word: they prove themselves at the next look.
  `UPDATE placement SET proved_since_ms = last_seen_ms
  WHERE lost_at_ms IS NULL AND (
    EXISTS (SELECT 1 FROM publication WHERE publication.plan_hash = placement.plan_hash)
    OR EXISTS (SELECT 1 FROM audit WHERE audit.plan_hash = placement.plan_hash
      AND audit.fragment_index = placement.fragment_index AND audit.holder = placement.holder
      AND outcome = 'passed'))`,
  "ALTER TABLE watch ADD COLUMN watched_since_ms INTEGER",
  `CREATE TABLE struck (
    plan_hash BLOB NOT NULL REFERENCES plan (hash),
    fragment_index INTEGER NOT NULL,
    tessera_id BLOB NOT NULL,
    blob BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    owner BLOB,
    stored_at_ms INTEGER NOT NULL,
    subnet TEXT,
    repair INTEGER NOT NULL,
    struck_at_ms INTEGER NOT NULL,
    PRIMARY KEY (plan_hash, fragment_index)
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX struck_time ON struck (struck_at_ms)",
  `CREATE TRIGGER struck_goes AFTER DELETE ON struck BEGIN
    DELETE FROM plan WHERE hash = OLD.plan_hash
      AND NOT EXISTS (SELECT 1 FROM fragment WHERE plan_hash = plan.hash)
      AND NOT EXISTS (SELECT 1 FROM struck WHERE plan_hash = plan.hash)
      AND NOT EXISTS (SELECT 1 FROM tessera WHERE id = plan.tessera_id)
      AND NOT EXISTS (SELECT 1 FROM publication WHERE tessera_id = plan.tessera_id);
  END`,
  // Whoever brings it again, it is here.
  `CREATE TRIGGER struck_is_back AFTER INSERT ON fragment BEGIN
    DELETE FROM struck WHERE plan_hash = NEW.plan_hash AND fragment_index = NEW.fragment_index;
  END`,
];
