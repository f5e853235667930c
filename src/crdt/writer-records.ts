import * as z from "zod/mini";
import {
  type DocumentName,
  formatPageName,
  type PageName,
  parsePageName,
  readDocumentName,
  registerName,
} from "../protocol/index.ts";
import type { KeyValueStore, StoredValue } from "./persistence/port.ts";

// The keys of a writer's own database.
const pagePrefix = "page/";
export const registerRecordKey = "register";
const acknowledgedKey = "acknowledged";

/** The key of one batch's update; in the order of the keys the updates of a page are in order. */
export function batchKey(page: PageName, clock: number): string {
  return `${pagePrefix}${formatPageName(page)}/${String(clock).padStart(6, "0")}`;
}

/** The stored updates of every page, by page. */
export async function readPages(
  records: KeyValueStore,
): Promise<{ name: PageName; updates: Uint8Array[] }[]> {
  const pages = new Map<string, { name: PageName; updates: Uint8Array[] }>();
  for (const [key, value] of await records.entries(pagePrefix)) {
    const [, text = ""] = key.split("/");
    const name = parsePageName(text);
    if (!name || !(value instanceof Uint8Array)) continue;
    const page = pages.get(text) ?? { name, updates: [] };
    pages.set(text, page);
    page.updates.push(value);
  }
  return [...pages.values()];
}

/** What a writer's database has, without opening the writer: for the tabs beside the one that writes. */
export async function* readWriter(
  id: string,
  records: KeyValueStore,
): AsyncGenerator<[name: DocumentName, update: Uint8Array]> {
  for (const { name, updates } of await readPages(records)) {
    const document = readDocumentName(`lane/${id}/${formatPageName(name)}`);
    for (const update of document ? updates : []) yield [document as DocumentName, update];
  }
  const record = await records.get(registerRecordKey);
  const register = readDocumentName(registerName(id));
  if (register && record instanceof Uint8Array) yield [register, record];
}

const acknowledgedSchema = z.object({ epoch: z.string(), clocks: z.record(z.string(), z.number()) });

/** What a relay is known to have: its epoch, and the next clock of each page's document by name. */
export type Acknowledged = z.infer<typeof acknowledgedSchema>;

/** Nothing, where it was not remembered: then it costs one repeated upload. */
export async function readAcknowledged(records: KeyValueStore): Promise<Acknowledged> {
  const parsed = z.safeParse(acknowledgedSchema, await records.get(acknowledgedKey));
  return parsed.success ? parsed.data : { epoch: "", clocks: {} };
}

/** Remembers what the relay has; a failure is not worth telling, as the next join finds out again. */
export async function writeAcknowledged(records: KeyValueStore, acknowledged: Acknowledged): Promise<void> {
  const value: StoredValue = acknowledged;
  await records.write({ put: [[acknowledgedKey, value]] }).catch(() => undefined);
}
