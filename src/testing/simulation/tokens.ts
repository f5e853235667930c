import { fromUtf8, toBase64Url, toUtf8 } from "../../base/index.ts";
import type { TokenScope } from "../../protocol/index.ts";

/** Whom a simulated socket speaks for. */
export interface RelayGrant {
  principal: string;
  scopes: readonly TokenScope[];
  /** In milliseconds since 1970; absent never. */
  expiresAt?: number;
  tokenId: string;
  issuedAt: number;
}

/** Writes a grant as a token. Nobody signs here: platforms sign in threads whose order no seed decides. */
export function sealGrant(grant: RelayGrant): string {
  return toBase64Url(toUtf8(JSON.stringify(grant)));
}

/** Reads a token that `sealGrant` wrote. */
export function openGrant(token: string): RelayGrant {
  const binary = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(fromUtf8(Uint8Array.from(binary, (character) => character.charCodeAt(0)))) as RelayGrant;
}
