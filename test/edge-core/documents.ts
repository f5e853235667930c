import * as Y from "yjs";
import { laneName, pageRoot } from "../../src/protocol/index.ts";

/** A document whose updates are collected as a transport would. */
export interface EditedDocument {
  doc: Y.Doc;
  /** The updates since the last call. */
  take(): Uint8Array[];
}

export function editedDocument(clientID?: number): EditedDocument {
  const doc = new Y.Doc();
  if (clientID !== undefined) doc.clientID = clientID;
  let updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array, origin: unknown) => {
    if (origin !== remote) updates.push(update);
  });
  return {
    doc,
    take() {
      const taken = updates;
      updates = [];
      return taken;
    },
  };
}

export const remote = Symbol("remote");

/** The updates that append these values to a new page, one update each. */
export function pageUpdates(client: number, values: readonly unknown[]): Uint8Array[] {
  const page = editedDocument(client);
  for (const value of values) page.doc.getArray(pageRoot).push([value]);
  return page.take();
}

export function pageOf(client: number, writer = "anon.planner.x7"): string {
  return laneName(writer, { number: 0, client });
}

/** What a replica of a page reads, after these updates in this order. */
export function readPage(updates: readonly Uint8Array[]): unknown[] {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update, remote);
  return doc.getArray(pageRoot).toArray();
}
