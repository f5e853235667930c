import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import type { Persistence } from "../../src/crdt/index.ts";
import type { SqliteClass } from "../../src/node/index.ts";
import {
  localReferenceStoreContract,
  type PersistenceFaults,
  persistenceContract,
  referenceStoreContract,
} from "../../src/testing/index.ts";
import { createDirectories, openStorage } from "./directories.ts";
import { describeDrivers } from "./drivers.ts";
import { createFaultySqlite, type FaultySqlite } from "./faulty-sqlite.ts";

const newDirectory = createDirectories();

describeDrivers("the contract of a persistence, in SQLite", (Real) => {
  const worlds = new WeakMap<Persistence, { directory: string; faulty: FaultySqlite }>();
  const worldOf = (persistence: Persistence) => {
    const world = worlds.get(persistence);
    if (!world) throw new Error("This persistence is not of this test.");
    return world;
  };
  function open(directory: string): Persistence {
    const faulty = createFaultySqlite(Real);
    const { persistence } = openStorage(faulty.Sqlite, directory);
    worlds.set(persistence, { directory, faulty });
    return persistence;
  }
  const faults: PersistenceFaults = {
    another: async (persistence) => open(worldOf(persistence).directory),
    fillDisk: (persistence) => worldOf(persistence).faulty.fill(),
    abortWrite: (persistence) => worldOf(persistence).faulty.failNextCommit(),
    async crash(persistence) {
      const { directory, faulty } = worldOf(persistence);
      faulty.crash();
      return open(directory);
    },
    async appendUpdate(persistence, name, update) {
      await (await persistence.open(name)).close();
      for (const file of filesOf(worldOf(persistence).directory)) {
        withRows(Real, file, (connection) =>
          connection
            .prepare("INSERT INTO updates (database, bytes) SELECT id, ? FROM databases WHERE name = ?")
            .run(update, name),
        );
      }
    },
    async storedBytes(persistence, name) {
      let bytes = 0;
      for (const file of filesOf(worldOf(persistence).directory)) {
        withRows(Real, file, (connection) => {
          const row = connection
            .prepare(
              "SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM updates WHERE database = (SELECT id FROM databases WHERE name = ?)",
            )
            .get(name);
          bytes += (row as { bytes: number }).bytes;
        });
      }
      return bytes;
    },
  };
  for (const { id, title, run } of persistenceContract(async () => open(newDirectory()), faults)) {
    test(`NODE-1, ${id}: ${title}`, run);
  }
});

describeDrivers("the contract of a reference store, in SQLite", (Sqlite) => {
  const open = () => openStorage(Sqlite, newDirectory()).openReferences("room/references");
  for (const { id, title, run } of [...referenceStoreContract(open), ...localReferenceStoreContract(open)]) {
    test(`NODE-1, ${id}: ${title}`, run);
  }
});

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => join(directory, name));
}

function withRows(
  Sqlite: SqliteClass,
  file: string,
  use: (connection: InstanceType<SqliteClass>) => unknown,
): void {
  const connection = new Sqlite(file);
  try {
    use(connection);
  } finally {
    connection.close();
  }
}
