import { type DocumentName, type TokenScope, tokenScopes } from "../../protocol/index.ts";

/** Whom a socket or request speaks for, what it may do and until when: the checked claims of its token. */
export interface Grant {
  principal: string;
  scopes: readonly TokenScope[];
  /** In milliseconds since 1970; absent never, in development mode alone. */
  expiresAt?: number;
  /** The token's `jti`. */
  tokenId: string;
  /** The token's `iat` in milliseconds; 0 where it says none. */
  issuedAt: number;
}

/** What everybody holds at a relay in development mode, which serves its own machine alone. */
export const developmentGrant: Grant = {
  principal: "anon",
  scopes: tokenScopes,
  tokenId: "development",
  issuedAt: 0,
};

/** Tells whether a grant has a scope. */
export function allows(grant: Grant, scope: TokenScope): boolean {
  return grant.scopes.includes(scope);
}

/** Tells whether the holder may write a document: a shared one, or one that its own writer names. */
export function mayWrite(grant: Grant, document: DocumentName): boolean {
  return document.kind === "shared"
    ? allows(grant, "write:shared")
    : document.principal === grant.principal
      ? allows(grant, "write:own")
      : allows(grant, "admin");
}
