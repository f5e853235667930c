import { createRequire, isBuiltin } from "node:module";
import { describe } from "vitest";
import type { SqliteClass } from "../../src/node/index.ts";

/** A driver that this machine may have. */
export interface Driver {
  name: string;
  Sqlite: SqliteClass | undefined;
  /** Why it can't be used here. */
  missing: string | undefined;
}

const load = createRequire(import.meta.url);

function find(name: string, pick: (module: unknown) => unknown): Driver {
  try {
    const Sqlite = pick(load(name)) as SqliteClass;
    // A native driver is loaded only with its first file, and may be of another Node.
    new Sqlite(":memory:").close();
    return { name, Sqlite, missing: undefined };
  } catch (cause) {
    return { name, Sqlite: undefined, missing: String(cause).split("\n", 1).join() };
  }
}

/**
 * The drivers that this Node could have. Where better-sqlite3 could be neither fetched nor built, the tests of it are
 * skipped, and counted as skipped; `node:sqlite` is left out of a Node that is too old for it.
 */
export const drivers: readonly Driver[] = [
  find("better-sqlite3", (module) => module),
  ...(isBuiltin("node:sqlite")
    ? [find("node:sqlite", (module) => (module as { DatabaseSync: unknown }).DatabaseSync)]
    : []),
];

/** Describes what holds over each driver. */
export function describeDrivers(title: string, define: (Sqlite: SqliteClass, name: string) => void): void {
  for (const { name, Sqlite, missing } of drivers) {
    if (missing === undefined && Sqlite) describe(`${title}, ${name}`, () => define(Sqlite, name));
    else describe.skip(`${title}, ${name}: SKIPPED, ${missing}`, () => define(NoSqlite, name));
  }
}

/** Stands in where tests are only listed. */
class NoSqlite {
  constructor() {
    throw new Error("There is no driver here.");
  }
  exec(): void {}
  prepare(): never {
    throw new Error("There is no driver here.");
  }
  close(): void {}
}
