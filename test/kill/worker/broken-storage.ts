import type { RoomObjectStorage } from "../../../src/edge/index.ts";
import { withMethods } from "./failing-storage.ts";

/**
 * What a broken relay would do, for the suite to catch.
 * `late-rows`: a turn is written after it was acknowledged and passed on.
 * `torn-snapshots`: a compaction deletes in one transaction and inserts in a later one.
 * `late-drops`: a document goes after its drop was acknowledged.
 * `forgotten-presences`: which presence ids are given is not kept.
 */
export type Breakage = "late-rows" | "torn-snapshots" | "late-drops" | "forgotten-presences";

const lateMs = 40;

interface Statement {
  query: string;
  bindings: unknown[];
}

/** Whether a statement of a transaction is put off, or left out, by this breakage. */
const spoils: Record<Breakage, (each: Statement, all: readonly Statement[]) => boolean> = {
  "late-rows": (_, all) => all.some(isInsertedRow) && !all.some(isDeletedRow),
  "torn-snapshots": (each, all) => isInsertedRow(each) && all.some(isDeletedRow),
  "late-drops": (each, all) => isDeletion(each) && all.some(isDeletedDocument),
  "forgotten-presences": ({ bindings }) => bindings[0] === "presences",
};

function isInsertedRow({ query }: Statement): boolean {
  return /INTO rows\b/i.test(query);
}

function isDeletedRow({ query }: Statement): boolean {
  return /^\s*DELETE FROM rows\b/i.test(query);
}

function isDeletion({ query }: Statement): boolean {
  return /^\s*DELETE FROM\b/i.test(query);
}

function isDeletedDocument({ query }: Statement): boolean {
  return /^\s*DELETE FROM documents\b/i.test(query);
}

/** A room's storage that breaks one promise. */
export function brokenStorage(driver: RoomObjectStorage, breakage: Breakage): RoomObjectStorage {
  let recorded: Statement[] | undefined;
  const write = (statements: readonly Statement[]) =>
    driver.transactionSync(() => {
      for (const { query, bindings } of statements) driver.sql.exec(query, ...bindings);
    });
  return withMethods(driver, {
    sql: {
      exec(query: string, ...bindings: unknown[]) {
        if (!recorded || /^\s*SELECT/i.test(query)) return driver.sql.exec(query, ...bindings);
        recorded.push({ query, bindings });
        return [];
      },
    },
    transactionSync<T>(run: () => T): T {
      const all: Statement[] = [];
      recorded = all;
      try {
        const result = run();
        write(all.filter((each) => !spoils[breakage](each, all)));
        const spoilt = all.filter((each) => spoils[breakage](each, all));
        if (breakage !== "forgotten-presences" && spoilt.length > 0) setTimeout(() => write(spoilt), lateMs);
        return result;
      } finally {
        recorded = undefined;
      }
    },
  });
}
