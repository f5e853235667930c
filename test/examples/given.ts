import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/index.ts";
import type { Reference } from "../../src/protocol/index.ts";
import { type Driver, drivers } from "../node/drivers.ts";

// What examples may use without making it: names that a reader understands at once.

/** A small file. */
export const bytes: Uint8Array<ArrayBuffer> = new TextEncoder().encode("city,high\nSeattle,12.8\n");

/** A folder that an agent may have for itself. */
export const directory = join(tmpdir(), `flockstate-examples-${process.pid}`);

/** What an application's backend shares with its relay. */
export const secret = "an example secret of more than 32 bytes";

/** What names that file. */
export const reference: Reference = {
  id: await sha256Hex(bytes),
  size: bytes.length,
  contentType: "text/csv",
};

/** What a test runner offers, for examples of contract cases; a case that fails is an unhandled rejection here. */
export async function test(_title: string, run: () => unknown): Promise<void> {
  await run();
}

const driver: Driver | undefined = drivers.find(({ missing }) => missing === undefined);

/** A driver of SQLite; examples that name it are skipped where there is none. */
export const Database = driver?.Sqlite as NonNullable<Driver["Sqlite"]>;
