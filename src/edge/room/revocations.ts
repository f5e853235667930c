import type { Grant } from "./grant.ts";
import type { RoomStorage } from "./ports.ts";

/** Tokens and principals that one room lists; past it they are revoked all at once. */
export const maxRevocations = 10_000;
/**
 * How far the moment in which a token says that it was issued may lie ahead of its revocation by its id: as far as the
 * relay lets an issuer's clock run ahead. Until then a moment does not stand for the id.
 */
export const issuerAheadMs = 5_000;

/** Tells whether an administrator revoked the token behind a grant. */
export function isRevoked(storage: RoomStorage, { principal, tokenId, issuedAt, expiresAt }: Grant): boolean {
  // Only the grant of development mode never ends: revoked, nobody on this machine could take it back.
  if (expiresAt === undefined) return false;
  if (issuedAt <= Number(storage.setting("revokedBefore") ?? -1)) return true;
  if (storage.revocation("token", tokenId)) return true;
  return issuedAt <= (storage.revocation("principal", principal)?.before ?? -1);
}
