import * as Y from "yjs";
import * as z from "zod/mini";
import {
  type DocumentName,
  formatPageName,
  laneName,
  type PageName,
  parsePageName,
  readDocumentName,
  registerName,
} from "../../protocol/index.ts";
import type { KeyValueStore, StoredValue } from "../persistence/port.ts";
import { ownLow, readSealBook } from "../sealing/seal-book.ts";
import { type Clocks, clocksIn } from "./clocks.ts";
import { createRegister } from "./register.ts";

// The keys of a writer's own database.
const pagePrefix = "page/";
export const registerRecordKey = "register";
export const acknowledgedKey = "acknowledged";

/** The key of one batch's update; in the order of the keys the updates of a page are in order. */
export function batchKey(page: PageName, clock: number): string {
  return `${pagePrefix}${formatPageName(page)}/${String(clock).padStart(6, "0")}`;
}

/** What a database has of a page. */
export interface StoredPage {
  name: PageName;
  /** In order. */
  updates: Uint8Array[];
  keys: string[];
}

/** The stored pages of a lane. */
export async function readPages(records: KeyValueStore): Promise<StoredPage[]> {
  const pages = new Map<string, StoredPage>();
  for (const [key, value] of await records.entries(pagePrefix)) {
    const [, text = ""] = key.split("/");
    const name = parsePageName(text);
    if (!name || !(value instanceof Uint8Array)) continue;
    const page = pages.get(text) ?? { name, updates: [], keys: [] };
    pages.set(text, page);
    page.updates.push(value);
    page.keys.push(key);
  }
  return [...pages.values()];
}

/** What a writer's database has, without opening the writer: for the tabs beside the one that writes. */
export async function* readWriter(
  id: string,
  records: KeyValueStore,
): AsyncGenerator<[name: DocumentName, update: Uint8Array]> {
  const record = await records.get(registerRecordKey);
  const register = createRegister();
  const registerDocument = readDocumentName(registerName(id));
  if (registerDocument && record instanceof Uint8Array) {
    Y.applyUpdate(register.document, record);
    yield [registerDocument, record];
  }
  // What is below the mark is sealed, and about to go from the database too.
  const low = ownLow(register.get()?.lane, await readSealBook(records));
  register.document.destroy();
  for (const { name, updates } of await readPages(records)) {
    const document = name.number < low ? undefined : readDocumentName(laneName(id, name));
    for (const update of document ? updates : []) yield [document as DocumentName, update];
  }
}

/** Whether there is anything of a lane or a register. */
export async function hasDocuments(records: KeyValueStore): Promise<boolean> {
  if ((await records.get(registerRecordKey)) !== undefined) return true;
  return (await records.entries(pagePrefix)).length > 0;
}

/** The clocks of a document of the writer, as its database has it. */
export async function readClocks(id: string, records: KeyValueStore, name: string): Promise<Clocks> {
  const document = new Y.Doc({ gc: false });
  for await (const [each, update] of readWriter(id, records)) {
    if (each.name === name) Y.applyUpdate(document, update);
  }
  return clocksIn(document);
}

const clocks = z.record(z.string(), z.number());
const acknowledgedSchema = z.object({ epoch: z.string(), clocks, register: clocks });

/**
 * What a relay is known to have: its epoch, the next clock of each page's document by name, and those of the register by
 * Yjs client.
 */
export type Acknowledged = z.infer<typeof acknowledgedSchema>;

/** Nothing, where it was not remembered: then it costs one repeated upload. */
export async function readAcknowledged(records: KeyValueStore): Promise<Acknowledged> {
  const parsed = z.safeParse(acknowledgedSchema, await records.get(acknowledgedKey));
  return parsed.success ? parsed.data : { epoch: "", clocks: {}, register: {} };
}

/** Remembers what the relay has; a failure is not worth telling, as the next join finds out again. */
export async function writeAcknowledged(records: KeyValueStore, acknowledged: Acknowledged): Promise<void> {
  const value: StoredValue = acknowledged;
  await records.write({ put: [[acknowledgedKey, value]] }).catch(() => undefined);
}
