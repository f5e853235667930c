import type { Ledger } from "./ledger.ts";
import type { RoomStorage } from "./ports.ts";
import type { PresenceBoard } from "./presence.ts";
import type { PresenceIds } from "./presence-ids.ts";
import type { Session } from "./session.ts";

/** What the handlers of both kinds of socket work on. */
export interface RoomState {
  readonly storage: RoomStorage;
  readonly ledger: Ledger<Session>;
  readonly presence: PresenceBoard;
  readonly presenceIds: PresenceIds;
  /** Every open session, the live view. */
  readonly sessions: Iterable<Session>;
  /** The random id of this storage's history. */
  epoch(): string;
}
