import { FlockError } from "../../base/index.ts";
import { closureOf } from "./condition.ts";
import { allows, type Grant } from "./grant.ts";
import type { RoomLimits } from "./limits.ts";
import type { Intake } from "./pacing/intake.ts";
import type { RoomStorage } from "./ports.ts";
import { isRevoked } from "./revocations.ts";
import type { Session } from "./sockets/session.ts";

/** Why a grant opens the room no more; undefined where it does. The Worker has checked its signature. */
export function refusalOfGrant(storage: RoomStorage, grant: Grant, now: number): FlockError | undefined {
  const expired = refusalOfTime(grant, now);
  if (expired) return expired;
  if (isRevoked(storage, grant)) {
    return new FlockError("edge/token-revoked", `The token ${grant.tokenId} was revoked: fetch another.`);
  }
  if (!allows(grant, "read")) {
    return new FlockError("edge/forbidden", "A socket takes the scope `read`: ask for a token with it.");
  }
  return undefined;
}

/** Why a grant holds no more by now, by its time alone. */
export function refusalOfTime({ expiresAt, tokenId }: Grant, now: number): FlockError | undefined {
  if (expiresAt === undefined || now < expiresAt) return undefined;
  return new FlockError("edge/token-expired", `The token ${tokenId} has expired: fetch another.`);
}

/**
 * Lets a message of an open socket in.
 *
 * @throws `edge/token-expired`, `edge/rate-limited`
 */
export function assertAdmitted(session: Session, bytes: number, intake: Intake, now: number): void {
  const { grant } = session.attachment;
  const refusal = refusalOfTime(grant, now) ?? intake.take(grant.principal, bytes);
  if (refusal) throw refusal;
}

/** Why the room does not take one more socket of this grant; undefined where it does. */
export function refusalOfOpening(
  {
    storage,
    sessions,
    limits,
    intake,
  }: { storage: RoomStorage; sessions: Iterable<Session>; limits: RoomLimits; intake: Intake },
  grant: Grant,
  now: number,
): FlockError | undefined {
  // The cheapest first: it is what a flood meets.
  const refusal =
    intake.refusalOfOpening(grant.principal) ?? closureOf(storage) ?? refusalOfGrant(storage, grant, now);
  if (refusal) return refusal;
  let all = 0;
  let own = 0;
  for (const session of sessions) {
    all++;
    if (session.attachment.grant.principal === grant.principal) own++;
  }
  const { connections, connectionsPerPrincipal } = limits;
  if (all < connections && own < connectionsPerPrincipal) return undefined;
  const whose =
    all < connections ? `${grant.principal} has ${own} connections` : `The room has ${all} connections`;
  return new FlockError("edge/too-many-connections", `${whose}, as many as it may: close some.`);
}
