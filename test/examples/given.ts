import { sha256Hex } from "../../src/base/index.ts";
import type { Reference } from "../../src/protocol/index.ts";

// What examples may use without making it: names that a reader understands at once.

/** A small file. */
export const bytes: Uint8Array<ArrayBuffer> = new TextEncoder().encode("city,high\nSeattle,12.8\n");

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
