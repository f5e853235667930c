import { isId, sha256, toBase64Url, toUtf8 } from "../base/index.ts";

/** What a token may allow, in the relay's words. */
export const tokenScopes = [
  "read",
  "write:own",
  "write:shared",
  "presence",
  "refs:get",
  "refs:put",
  "admin",
] as const;

/** One permission of a token. */
export type TokenScope = (typeof tokenScopes)[number];

/** Reads the space-separated claim `scope` (RFC 8693); a word that is no scope of ours is left out. */
export function parseScopes(claim: string): TokenScope[] {
  const words = new Set(claim.split(" "));
  return tokenScopes.filter((scope) => words.has(scope));
}

/** The first part of a subprotocol that carries a token; it is never echoed. */
export const bearerPrefix = "bearer.";

/**
 * The principal that a token's `sub` stands for: itself where it is an id, else the first 22 characters of the
 * base64url of its SHA-256.
 *
 * @example
 * ```ts
 * await principalOf("alice"); // "alice"
 * ```
 */
export async function principalOf(subject: string): Promise<string> {
  if (isId(subject)) return subject;
  return toBase64Url(await sha256(toUtf8(subject))).slice(0, 22);
}
