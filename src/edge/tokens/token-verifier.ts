import {
  type CryptoKey,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { type Clock, FlockError, systemClock } from "../../base/index.ts";
import { maxTokenBytes, parseScopes, principalOf } from "../../protocol/index.ts";
import type { Grant } from "../room/grant.ts";
import { defaultAudience, invalidToken, parseClaims, requiredClaims } from "./claims.ts";
import { secretBytes, type TokenKey } from "./token-key.ts";

/** How far an issuer's clock may run ahead of the relay's, for `nbf` and `iat`; `exp` is never stretched. */
export const clockToleranceMs = 5_000;

const rotationCoolDownMs = 30_000;
const keysMaxAgeMs = 10 * 60_000;

/** Checks tokens. */
export interface TokenVerifier {
  /**
   * Reads a token for one room.
   *
   * @throws `edge/token-required` where there is none
   * @throws `edge/token-invalid` saying what is wrong, never repeating the token
   * @throws `edge/token-expired`
   * @throws `edge/forbidden` where it is another room's
   * @throws `edge/unavailable` where the issuer's keys cannot be had
   */
  verify(token: string | undefined, room: string): Promise<Grant>;
}

export interface TokenVerifierOptions {
  key: TokenKey;
  /** What `aud` must be or contain; default `flockstate`. */
  audience?: string | undefined;
  /** What `iss` must be; default anything, and none. */
  issuer?: string | undefined;
  clock?: Clock;
  /** Fetches the issuer's keys; default the platform's. */
  fetch?: FetchImplementation | undefined;
}

/** Creates the one place that turns a token into a grant; it fetches an issuer's keys when it first needs them. */
export function createTokenVerifier({
  key,
  audience = defaultAudience,
  issuer,
  clock = systemClock,
  fetch,
}: TokenVerifierOptions): TokenVerifier {
  const checkSignature = signatureCheck(key, fetch);

  async function payloadOf(token: string, now: number): Promise<JWTPayload> {
    const options: JWTVerifyOptions = {
      audience,
      requiredClaims: [...requiredClaims],
      clockTolerance: clockToleranceMs / 1000,
      currentDate: new Date(now),
      ...(issuer !== undefined && { issuer }),
    };
    try {
      return await checkSignature(token, options);
    } catch (failure) {
      throw refusalOf(failure);
    }
  }

  return {
    async verify(token, room) {
      if (token === undefined || token === "") {
        throw new FlockError(
          "edge/token-required",
          "This relay asks for a token: send Authorization: Bearer TOKEN, or the subprotocol bearer.TOKEN.",
        );
      }
      if (token.length > maxTokenBytes) throw invalidToken(`it is longer than ${maxTokenBytes} characters`);
      const now = clock.now();
      const claims = parseClaims(await payloadOf(token, now));
      const expiresAt = Math.floor(claims.exp * 1000);
      if (expiresAt <= now) throw expired();
      const issuedAt = Math.floor((claims.iat ?? 0) * 1000);
      // One from the future would outlive every revocation up to now.
      if (issuedAt > now + clockToleranceMs) throw invalidToken("its claim iat lies in the future");
      if (claims.room !== room) {
        throw new FlockError("edge/forbidden", `The token is of another room than ${room}.`);
      }
      return {
        principal: await principalOf(claims.sub),
        scopes: parseScopes(claims.scope),
        expiresAt,
        tokenId: claims.jti,
        issuedAt,
      };
    },
  };
}

type SignatureCheck = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

function signatureCheck(key: TokenKey, fetch: FetchImplementation | undefined): SignatureCheck {
  switch (key.kind) {
    case "secret":
      return checkWith(secretBytes(key.secret), ["HS256"]);
    case "public-key":
      return checkWith({ ...key.publicKey }, ["EdDSA", "Ed25519"]);
    case "jwks": {
      const keys = createRemoteJWKSet(key.url, {
        cooldownDuration: rotationCoolDownMs,
        cacheMaxAge: keysMaxAgeMs,
        ...(fetch && { [customFetch]: fetch }),
      });
      return checkWithSet(keys, ["EdDSA", "Ed25519", "ES256"]);
    }
  }
}

function checkWith(key: CryptoKey | JWK | Uint8Array, algorithms: string[]): SignatureCheck {
  return async (token, options) => (await jwtVerify(token, key, { ...options, algorithms })).payload;
}

function checkWithSet(keys: JWTVerifyGetKey, algorithms: string[]): SignatureCheck {
  return async (token, options) => (await jwtVerify(token, keys, { ...options, algorithms })).payload;
}

/** No cause is kept: jose's carry the claims. */
function refusalOf(failure: unknown): FlockError {
  if (failure instanceof errors.JWTExpired) return expired();
  if (failure instanceof errors.JWTClaimValidationFailed) {
    return invalidToken(
      failure.reason === "missing"
        ? `it lacks the claim ${failure.claim}`
        : `its claim ${failure.claim} does not hold`,
    );
  }
  if (failure instanceof errors.JWSSignatureVerificationFailed)
    return invalidToken("its signature does not hold");
  if (failure instanceof errors.JOSEAlgNotAllowed) {
    return invalidToken("its algorithm is not that of the relay's key");
  }
  if (failure instanceof errors.JWKSNoMatchingKey || failure instanceof errors.JWKSMultipleMatchingKeys) {
    return invalidToken("it does not name one key of its issuer");
  }
  if (
    failure instanceof errors.JWTInvalid ||
    failure instanceof errors.JWSInvalid ||
    failure instanceof errors.JOSENotSupported
  ) {
    return invalidToken("it is no signed JSON Web Token");
  }
  return new FlockError("edge/unavailable", "The issuer's keys could not be had: try again.", {
    cause: failure,
  });
}

function expired(): FlockError {
  return new FlockError("edge/token-expired", "The token has expired: fetch another.");
}
