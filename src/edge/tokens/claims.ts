import { z } from "zod";
import { FlockError, isId } from "../../base/index.ts";
import { parseScopes } from "../../protocol/index.ts";

/** The last second that a `Date` can name: a later one is no time. */
const maxSeconds = 8_640_000_000_000;
const seconds = z.number({ error: "must be a number of seconds" }).min(0).max(maxSeconds);

/** The audience that tokens name where nothing else is agreed. */
export const defaultAudience = "flockstate";

/** Claims without which no token is one, in the order in which they are missed. */
export const requiredClaims = ["aud", "room", "sub", "scope", "exp", "jti"] as const;

/** What a token says; `aud`, `iss` and `nbf` are checked where the signature is. */
const claimsSchema = z.object({
  room: z.string().refine(isId, { error: "must be the id of a room: 1-64 characters of A-Za-z0-9_-" }),
  sub: z.string().min(1, { error: "must not be empty" }).max(1024, { error: "is too long" }),
  scope: z.string().refine((scope) => parseScopes(scope).length > 0, { error: "names no scope of ours" }),
  exp: seconds,
  iat: seconds.optional(),
  jti: z.string().min(1, { error: "must not be empty" }).max(64, { error: "is longer than 64 characters" }),
});

/** The claims of a token that the relay reads. */
export type Claims = z.infer<typeof claimsSchema>;

/**
 * Reads claims whose signature holds.
 *
 * @throws `edge/token-invalid` naming the first claim that is wrong, never its value.
 */
export function parseClaims(payload: unknown): Claims {
  const parsed = claimsSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidToken(`its claim ${String(issue?.path[0])} does not hold: ${issue?.message}`);
}

/** A refusal of a token, for a reason that repeats nothing of it. */
export function invalidToken(reason: string): FlockError {
  return new FlockError("edge/token-invalid", `The token is not valid: ${reason}.`);
}
