import type { Ledger } from "../ledger/ledger.ts";
import { controlPart } from "./parts.ts";
import type { RoomSession, Session } from "./session.ts";

/** What knows the documents of a room by their numbers. */
export interface NamingRoom {
  readonly ledger: Pick<Ledger<Session>, "documentNumbered">;
}

/** The part that names a document, the first time that this socket meets it. */
export function namePart(room: NamingRoom, session: RoomSession, document: number): Uint8Array[] {
  if (session.named.has(document)) return [];
  session.named.add(document);
  return nameOf(room, document);
}

/** The part that names a document. */
export function nameOf({ ledger }: NamingRoom, document: number): Uint8Array[] {
  const name = ledger.documentNumbered(document)?.name.name;
  return name === undefined ? [] : [controlPart({ type: "name", channel: document, name })];
}
