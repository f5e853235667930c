import { SignJWT } from "jose";
import { type Clock, randomId, systemClock } from "../../base/index.ts";
import { formatShareLink, parseRoomId, type TokenScope, tokenScopes } from "../../protocol/index.ts";
import { defaultAudience, invalidToken, parseClaims } from "./claims.ts";
import { type MintingKey, signingKey } from "./token-key.ts";

const hourMs = 60 * 60 * 1000;
const tokenIdLength = 22;

interface TokenTerms {
  /** The one room that it opens. */
  room: string;
  /** Default `flockstate`; what the relay's `FLOCKSTATE_AUDIENCE` says. */
  audience?: string;
  /** Default none; what the relay's `FLOCKSTATE_ISSUER` says. */
  issuer?: string;
  /** Default an hour. */
  expiresInMs?: number;
  /** The name under which it can be revoked, 1-64 characters; default random. */
  id?: string;
  clock?: Pick<Clock, "now">;
}

/** What a token is to say, and the key to sign it with. */
export type MintTokenOptions = MintingKey &
  TokenTerms & {
    /** Whom it speaks for: becomes the principal. */
    subject: string;
    scopes: readonly TokenScope[];
  };

/** What a share link is to allow, and the key to sign its token with. */
export type MintShareLinkOptions = MintingKey &
  TokenTerms & {
    /** The page that the link opens; what stands in its fragment is replaced. */
    page: string | URL;
    /** Whom all readers of the link count as together; default `guest-` and a random id. */
    subject?: string;
    /** Whether readers show that they are there; default false. */
    presence?: boolean;
  };

/**
 * Mints a token in the application's own backend, whatever that runs on.
 *
 * @example
 * ```ts
 * const token = await mintToken({ secret, room: "team-42", subject: "alice", scopes: ["read", "write:own"] });
 * ```
 *
 * @throws `edge/invalid-settings` where the key cannot sign
 * @throws `edge/token-invalid` where the relay would not take what it is to say
 * @throws `protocol/invalid-room`
 */
export async function mintToken({
  audience = defaultAudience,
  issuer,
  room,
  subject,
  scopes,
  expiresInMs = hourMs,
  id = randomId(undefined, tokenIdLength),
  clock = systemClock,
  ...key
}: MintTokenOptions): Promise<string> {
  parseRoomId(room);
  const unknown = scopes.find((scope) => !tokenScopes.includes(scope));
  if (unknown !== undefined) throw invalidToken(`${JSON.stringify(unknown)} is no scope`);
  const now = clock.now();
  const claims = {
    room,
    sub: subject,
    scope: scopes.join(" "),
    iat: Math.floor(now / 1000),
    exp: Math.floor((now + expiresInMs) / 1000),
    jti: id,
  };
  parseClaims(claims);
  const { key: signer, header } = signingKey(key as MintingKey);
  const token = new SignJWT(claims).setProtectedHeader({ ...header, typ: "JWT" });
  token.setAudience(audience);
  if (issuer !== undefined) token.setIssuer(issuer);
  return token.sign(signer);
}

/**
 * Mints a read-only link to a room: its token lies in the fragment, which no browser sends to a server.
 * The page reads it with `readShareLink`.
 *
 * @example
 * ```ts
 * const link = await mintShareLink({ secret, room: "team-42", page: "https://app.example.com/board" });
 * ```
 *
 * @throws as {@link mintToken}
 */
export async function mintShareLink({
  page,
  subject = `guest-${randomId()}`,
  presence = false,
  ...terms
}: MintShareLinkOptions): Promise<string> {
  const scopes: TokenScope[] = presence ? ["read", "refs:get", "presence"] : ["read", "refs:get"];
  const token = await mintToken({ ...(terms as MintingKey & TokenTerms), subject, scopes });
  return formatShareLink(page, { room: terms.room, principal: subject, token });
}
