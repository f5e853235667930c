import type { Clock, FlockError } from "../../base/index.ts";
import type { RoomObserver } from "../operations/observer.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { RoomLimits } from "./limits.ts";
import type { Egress } from "./pacing/egress.ts";
import type { Intake } from "./pacing/intake.ts";
import type { Outflow } from "./pacing/outflow.ts";
import type { Replays } from "./pacing/replay.ts";
import type { RoomStorage } from "./ports.ts";
import type { PresenceBoard } from "./sockets/presence.ts";
import type { PresenceIds } from "./sockets/presence-ids.ts";
import type { RoomSession, Session } from "./sockets/session.ts";

/** What the handlers of both kinds of socket work on. */
export interface RoomState {
  readonly storage: RoomStorage;
  readonly clock: Clock;
  readonly limits: RoomLimits;
  readonly observer: RoomObserver;
  readonly ledger: Ledger<Session>;
  readonly presence: PresenceBoard;
  readonly presenceIds: PresenceIds;
  readonly outflow: Outflow;
  readonly replays: Replays;
  readonly egress: Egress;
  readonly intake: Intake;
  /** Every open session, the live view. */
  readonly sessions: Iterable<Session>;
  /** The random id of this storage's history. */
  epoch(): string;
  /** Goes on with a session under another token, once it is checked. */
  renew(session: RoomSession, token: string): void;
  /** What was sent has been taken, by this session if one is named: whoever waited for that is sent more. */
  resume(session?: Session): void;
  /** Tells a session why, closes it and forgets it; the turn goes on. */
  expel(session: Session, problem: FlockError): void;
}
