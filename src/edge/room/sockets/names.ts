import type { Ledger, LedgerDocument } from "../ledger/ledger.ts";
import { controlPart } from "./parts.ts";
import type { RoomSession, Session } from "./session.ts";

/** What knows the names of a room's documents by their numbers. */
export interface NamingRoom {
  readonly ledger: Pick<Ledger<Session>, "nameOf">;
}

/** The part that names a document, the first time that this socket meets it; it may be gone by now. */
export function namePart({ named }: RoomSession, { id, name }: LedgerDocument): Uint8Array[] {
  if (named.has(id)) return [];
  named.add(id);
  return [controlPart({ type: "name", channel: id, name: name.name })];
}

/** The part that names the document of a row. */
export function nameOf({ ledger }: NamingRoom, document: number): Uint8Array[] {
  const name = ledger.nameOf(document)?.name;
  return name === undefined ? [] : [controlPart({ type: "name", channel: document, name })];
}
