/** The tables and triggers behind `Care`, as the one migration that made them: released, so never edited. */

/** Adds to the account of a peer, and opens it where there is none; `rows` select its columns in order. */
function addTo(rows: string): string {
  return `INSERT INTO ledger (peer, we_keep_bytes, they_keep_bytes, institutional, first_seen_ms)
    ${rows}
    ON CONFLICT DO UPDATE SET we_keep_bytes = we_keep_bytes + excluded.we_keep_bytes,
      they_keep_bytes = they_keep_bytes + excluded.they_keep_bytes`;
}

/** Fragments that somebody owes us for. */
function owedFor(row: string): string {
  return `${row}.owner IS NOT NULL AND ${row}.repair = 0 AND ${row}.bytes > 0`;
}

/** Placements that we owe somebody for, whatever is published. */
function isAlive(row: string): string {
  return `${row}.lost_at_ms IS NULL AND ${row}.bytes > 0`;
}

function isPublished(row: string): string {
  return `EXISTS (SELECT 1 FROM publication WHERE plan_hash = ${row}.plan_hash)`;
}

/** The account of who sent a fragment follows the fragments. */
const FRAGMENT_TRIGGERS = [
  `CREATE TRIGGER ledger_fragment_comes AFTER INSERT ON fragment
  WHEN ${owedFor("NEW")} BEGIN
    ${addTo("VALUES (NEW.owner, NEW.bytes, 0, 0, NEW.stored_at_ms)")};
  END`,
  `CREATE TRIGGER ledger_fragment_goes AFTER DELETE ON fragment
  WHEN ${owedFor("OLD")} BEGIN
    UPDATE ledger SET we_keep_bytes = we_keep_bytes - OLD.bytes WHERE peer = OLD.owner;
  END`,
];

const PLACEMENT_COUNTS = addTo(
  `SELECT NEW.holder, 0, NEW.bytes, 0, NEW.acked_at_ms WHERE ${isAlive("NEW")}`,
);
const PLACEMENT_NO_LONGER_COUNTS =
  `UPDATE ledger SET they_keep_bytes = they_keep_bytes - OLD.bytes
    WHERE peer = OLD.holder AND ${isAlive("OLD")}`;

/** The account of a holder follows the placements of what we published. */
const PLACEMENT_TRIGGERS = [
  `CREATE TRIGGER ledger_placement_comes AFTER INSERT ON placement
  WHEN ${isPublished("NEW")} BEGIN
    ${PLACEMENT_COUNTS};
  END`,
  // What counts anew comes first: an account that is even in between would be closed.
  `CREATE TRIGGER ledger_placement_changes AFTER UPDATE OF bytes, lost_at_ms ON placement
  WHEN ${isPublished("NEW")} BEGIN
    ${PLACEMENT_COUNTS};
    ${PLACEMENT_NO_LONGER_COUNTS};
  END`,
  `CREATE TRIGGER ledger_placement_goes AFTER DELETE ON placement
  WHEN ${isPublished("OLD")} BEGIN
    ${PLACEMENT_NO_LONGER_COUNTS};
  END`,
];

const PLAN_COUNTS = addTo(
  `SELECT holder, 0, sum(bytes), 0, min(acked_at_ms) FROM placement
    WHERE plan_hash = NEW.plan_hash AND ${
    isAlive("placement")
  } GROUP BY holder`,
);
const PLAN_NO_LONGER_COUNTS = `UPDATE ledger
    SET they_keep_bytes = they_keep_bytes - (SELECT sum(bytes) FROM placement
      WHERE plan_hash = OLD.plan_hash AND holder = ledger.peer AND ${
  isAlive("placement")
})
    WHERE peer IN (SELECT holder FROM placement
      WHERE plan_hash = OLD.plan_hash AND ${isAlive("placement")})`;

/** What was placed of a plan counts from when it is published until it is no longer. */
const PUBLICATION_TRIGGERS = [
  `CREATE TRIGGER ledger_publication_comes AFTER INSERT ON publication BEGIN
    ${PLAN_COUNTS};
  END`,
  `CREATE TRIGGER ledger_publication_changes AFTER UPDATE OF plan_hash ON publication
  WHEN NEW.plan_hash <> OLD.plan_hash BEGIN
    ${PLAN_COUNTS};
    ${PLAN_NO_LONGER_COUNTS};
  END`,
  `CREATE TRIGGER ledger_publication_goes AFTER DELETE ON publication BEGIN
    ${PLAN_NO_LONGER_COUNTS};
  END`,
];

/** Bytes of every fragment of a plan as its signed form says them: 4 bytes big-endian at 56 (docs/FORMAT.md), digit by digit. */
const SHARD_BYTES = Array.from(
  { length: 8 },
  (_, at) =>
    `(instr('123456789ABCDEF', substr(hex(substr(plan.bytes, 57, 4)), ${
      at + 1
    }, 1)) << ${28 - 4 * at})`,
).join(" | ");

/** What was known before is counted, too. */
const COUNT_WHAT_IS_THERE = [
  `UPDATE placement SET last_seen_ms = acked_at_ms,
    bytes = coalesce((SELECT ${SHARD_BYTES} FROM plan WHERE hash = plan_hash), 0)`,
  addTo(
    `SELECT owner, sum(bytes), 0, 0, min(stored_at_ms) FROM fragment
    WHERE ${owedFor("fragment")} GROUP BY owner`,
  ),
  addTo(
    `SELECT holder, 0, sum(bytes), 0, min(acked_at_ms) FROM placement
    WHERE ${isAlive("placement")} AND ${
      isPublished("placement")
    } GROUP BY holder`,
  ),
];

/** Statements of the migration. */
export const CARE_TABLES: readonly string[] = [
  "ALTER TABLE fragment ADD COLUMN repair INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE placement ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE placement ADD COLUMN last_seen_ms INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE placement ADD COLUMN lost_at_ms INTEGER",
  "ALTER TABLE placement ADD COLUMN silent_since_ms INTEGER",
  "ALTER TABLE placement ADD COLUMN tried_at_ms INTEGER",
  "ALTER TABLE placement ADD COLUMN try_count INTEGER",
  "ALTER TABLE placement ADD COLUMN evasion_count INTEGER",
  "CREATE INDEX placement_holder ON placement (holder, plan_hash, lost_at_ms)",
  "CREATE INDEX placement_lost ON placement (lost_at_ms) WHERE lost_at_ms IS NOT NULL",
  "CREATE INDEX publication_plan ON publication (plan_hash)",
  `CREATE TRIGGER plan_goes AFTER DELETE ON plan BEGIN
    DELETE FROM placement WHERE plan_hash = OLD.hash;
  END`,
  `CREATE TABLE audit (
    plan_hash BLOB NOT NULL,
    fragment_index INTEGER NOT NULL,
    holder BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (plan_hash, fragment_index, holder),
    FOREIGN KEY (plan_hash, fragment_index, holder) REFERENCES placement ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE watch (
    plan_hash BLOB PRIMARY KEY REFERENCES plan (hash) ON DELETE CASCADE,
    due_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    detail TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX watch_due ON watch (due_at_ms, plan_hash)",
  `CREATE TABLE ledger (
    peer BLOB PRIMARY KEY,
    we_keep_bytes INTEGER NOT NULL,
    they_keep_bytes INTEGER NOT NULL,
    institutional INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX ledger_balance ON ledger (we_keep_bytes - they_keep_bytes DESC, peer)",
  `CREATE TRIGGER ledger_is_even AFTER UPDATE ON ledger
  WHEN NEW.we_keep_bytes = 0 AND NEW.they_keep_bytes = 0 AND NEW.institutional = 0 BEGIN
    DELETE FROM ledger WHERE peer = NEW.peer;
  END`,
  ...COUNT_WHAT_IS_THERE,
  ...FRAGMENT_TRIGGERS,
  ...PLACEMENT_TRIGGERS,
  ...PUBLICATION_TRIGGERS,
  `CREATE TABLE tombstone (
    tessera_id BLOB NOT NULL,
    creator BLOB NOT NULL,
    bytes BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    ours INTEGER NOT NULL,
    PRIMARY KEY (tessera_id, creator)
  ) STRICT`,
  "CREATE INDEX tombstone_expiry ON tombstone (expires_at_ms, tessera_id, creator)",
  "CREATE INDEX tombstone_of_others ON tombstone (expires_at_ms, tessera_id, creator) WHERE ours = 0",
  `CREATE TABLE coverage (
    tessera_id BLOB NOT NULL,
    creator BLOB NOT NULL,
    holder BLOB NOT NULL,
    record BLOB NOT NULL,
    told_at_ms INTEGER,
    confirmed_at_ms INTEGER,
    PRIMARY KEY (tessera_id, creator, holder),
    FOREIGN KEY (tessera_id, creator) REFERENCES tombstone ON DELETE CASCADE
  ) STRICT`,
];
