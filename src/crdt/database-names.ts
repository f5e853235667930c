import type { KeyValueStore, Persistence } from "./persistence/port.ts";
import { clientPrefix } from "./shared/own-clients.ts";
import { relayedPrefix } from "./shared/shared-document.ts";
import { listWriters } from "./writers/writer-pool.ts";

/** The name of the room's own database. */
export const recordsDatabase = (prefix: string): string => `${prefix}records`;
/** The name of a writer's. */
export const writerDatabase = (prefix: string, writer: string): string => `${prefix}writer/${writer}`;
/** The name of a shared document's. */
export const documentDatabase = (prefix: string, document: string): string => `${prefix}document/${document}`;

/**
 * The databases of a room's documents, as its own records name them; those come last, so that whoever deletes them in
 * order and is cut short finds the rest again.
 */
export async function listDatabases(
  prefix: string,
  persistence: Pick<Persistence, "open">,
  open: { documents: Iterable<string>; writers: Iterable<string> },
): Promise<string[]> {
  const writers = new Set(open.writers);
  const documents = new Set(open.documents);
  let records: KeyValueStore | undefined;
  try {
    // A handle of its own, because the room may be closed.
    records = await persistence.open(recordsDatabase(prefix));
    for (const writer of await listWriters(records)) writers.add(writer);
    for (const [key] of await records.entries(clientPrefix)) {
      documents.add(key.slice(clientPrefix.length, key.lastIndexOf(":")));
    }
    for (const [key] of await records.entries(relayedPrefix)) documents.add(key.slice(relayedPrefix.length));
  } catch {
    // Where they can't be read, what is open has to do; the failure is told as any other.
  } finally {
    await records?.close();
  }
  return [
    ...[...writers].map((writer) => writerDatabase(prefix, writer)),
    ...[...documents].map((document) => documentDatabase(prefix, document)),
    recordsDatabase(prefix),
  ];
}
