/**
 * Writes that wait together are committed together: while one transaction is on its way to the disk, those that come meanwhile
 * gather, and the next transaction takes them all (group commit). What a disk can sync in a second then bounds the groups and
 * not the writes.
 */
import {
  codeOf,
  type ErrorCode,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import type { Database, SqlResults, SqlRow, Statement } from "./sql.ts";

/** Writes of one group; so many of the largest, a fragment with its plan, hold up who reads for some 30 ms. */
const GROUP_MAX = 128;
/** Writes that may wait for their group. */
const WAITING_MAX = 4_096;
/** What cannot go better for one write than it went for its group: each would wait as long, or find the same medium. */
const COMMON: readonly (ErrorCode | undefined)[] = [
  "overloaded",
  "unusable",
  "cancelled",
  // Of a server: what became of the group is not known, or it goes the same way again.
  "timeout",
  "unreachable",
  "inUse",
];

type Write = {
  readonly statements: readonly Statement[];
  readonly signal: AbortSignal;
  readonly answer: PromiseWithResolvers<SqlResults>;
};

/** A {@link Database} whose writes share transactions. Each still happens as a whole or not at all. Owns the one below. */
export class GroupCommit implements Database {
  readonly #database: Database;
  #waiting: Write[] = [];
  /** The writing of groups, while there is any. */
  #writing: Promise<void> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  async write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    throwIfAborted(signal);
    if (this.#waiting.length >= WAITING_MAX) {
      throw new TesserasError(
        "overloaded",
        `Cannot use the database: ${WAITING_MAX} writes are waiting for it`,
      );
    }
    const answer = Promise.withResolvers<SqlResults>();
    this.#waiting.push({ statements, signal, answer });
    this.#writing ??= this.#writeAll();
    return await orAbort(answer.promise, signal);
  }

  read(statement: Statement, signal: AbortSignal): Promise<readonly SqlRow[]> {
    return this.#database.read(statement, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#database[Symbol.asyncDispose]();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GROUP_MAX)
        // Who has stopped waiting was told so, and wants nothing written.
        .filter(({ signal }) => !signal.aborted);
      await this.#writeGroup(group);
    }
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Write[]): Promise<void> {
    if (group.length === 0) return;
    try {
      const results = await this.#commit(
        group.flatMap((one) => one.statements),
      );
      let at = 0;
      for (const { statements, answer } of group) {
        answer.resolve(results.slice(at, at += statements.length));
      }
    } catch (error) {
      if (group.length === 1 || COMMON.includes(codeOf(error))) {
        for (const { answer } of group) answer.reject(error);
        return;
      }
      // One of them cannot be written, and nothing was: alone each gets what it deserves.
      for (const one of group) await this.#writeGroup([one]);
    }
  }

  /** Nobody cancels a group: others wait for it. */
  #commit(statements: readonly Statement[]): Promise<SqlResults> {
    return this.#database.write(statements, NEVER);
  }
}

const NEVER = new AbortController().signal;
