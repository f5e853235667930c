import { FlockError, isFlockError } from "../../base/index.ts";
import { refusalOfGrant } from "./access.ts";
import type { Grant } from "./grant.ts";
import type { RoomState } from "./room-state.ts";
import { answer } from "./sockets/answers.ts";
import { grantedPart } from "./sockets/join.ts";
import { type RoomSession, saveSession } from "./sockets/session.ts";

/** Renews the grants of open sockets. A token is checked without holding up the socket, which has its old grant meanwhile. */
export interface Renewals {
  /** Checks a token and goes on with it; of those that come meanwhile only the last is checked. */
  renew(session: RoomSession, token: string): void;
}

export interface RenewalsOptions {
  /** Undefined where there are no tokens: the grant stays. */
  verifyToken: ((token: string) => Promise<Grant>) | undefined;
  /** Runs what a check has led to as an event of the room. */
  guarded(task: () => void): () => void;
  /** Closes a session after what it has sent is stored. */
  dismiss(session: RoomSession, problem: FlockError): void;
  /** A session has another grant. */
  renewed(session: RoomSession): void;
}

/** Creates the renewals of a room. */
export function createRenewals(room: RoomState, options: RenewalsOptions): Renewals {
  const { verifyToken, guarded, dismiss, renewed } = options;

  function check(session: RoomSession, token: string, verify: (token: string) => Promise<Grant>): void {
    session.renewal = { next: undefined };
    const finish = (outcome: () => void) =>
      guarded(() => {
        const next = session.renewal?.next;
        session.renewal = undefined;
        if (session.isGone) return;
        if (next === undefined) outcome();
        else check(session, next, verify);
      })();
    verify(token).then(
      (grant) => finish(() => settle(session, grant)),
      (cause: unknown) => finish(() => dismiss(session, toProblem(cause))),
    );
  }

  function settle(session: RoomSession, grant: Grant): void {
    const { attachment } = session;
    const refusal =
      refusalOfRenewal(attachment.grant, grant) ?? refusalOfGrant(room.storage, grant, room.clock.now());
    if (refusal) {
      dismiss(session, refusal);
      return;
    }
    attachment.grant = grant;
    if (!grant.scopes.includes("presence")) room.presence.change(session, undefined);
    saveSession(session);
    renewed(session);
    answer(room, session, grantedPart(grant));
  }

  return {
    renew(session, token) {
      if (!verifyToken) answer(room, session, grantedPart(session.attachment.grant));
      else if (session.renewal) session.renewal.next = token;
      else check(session, token, verifyToken);
    },
  };
}

function refusalOfRenewal({ principal }: Grant, next: Grant): FlockError | undefined {
  if (next.principal === principal) return undefined;
  const message = `The socket speaks for ${principal}, and the token for ${next.principal}: open another socket.`;
  return new FlockError("edge/forbidden", message);
}

function toProblem(cause: unknown): FlockError {
  if (isFlockError(cause)) return cause;
  return new FlockError("edge/unavailable", "The token could not be checked: connect again.", { cause });
}
