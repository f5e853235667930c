import { controlPart } from "./parts.ts";
import type { RoomState } from "./room-state.ts";
import type { RoomSession } from "./session.ts";

/** The part that names a document, the first time that this socket meets it. */
export function namePart(room: RoomState, session: RoomSession, document: number): Uint8Array[] {
  if (session.named.has(document)) return [];
  session.named.add(document);
  return nameOf(room, document);
}

/** The part that names a document. */
export function nameOf({ ledger }: RoomState, document: number): Uint8Array[] {
  const name = ledger.documentNumbered(document)?.name.name;
  return name === undefined ? [] : [controlPart({ type: "name", channel: document, name })];
}
