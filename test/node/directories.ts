import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { systemClock } from "../../src/base/index.ts";
import type { SqliteClass } from "../../src/node/index.ts";
import { createStorage } from "../../src/node/platform.ts";

/** Gives directories that go when the tests of the file are over. */
export function createDirectories(): () => string {
  const made: string[] = [];
  afterAll(() => {
    for (const directory of made) rmSync(directory, { recursive: true, force: true });
  });
  return () => {
    const directory = mkdtempSync(join(tmpdir(), "flockstate-node-"));
    made.push(directory);
    return directory;
  };
}

/** What is kept in a directory, as a platform opens it. */
export function openStorage(
  Sqlite: SqliteClass,
  directory: string,
  { clock = systemClock, limitMs = 1_000 } = {},
) {
  return createStorage({
    directory,
    Sqlite,
    durability: "process",
    patience: { clock, limitMs, stepMs: 10 },
  });
}
