import { FlockError, isFlockError } from "../../base/index.ts";
import { bearerPrefix } from "../../protocol/index.ts";
import type { Log } from "../operations/log.ts";
import { developmentGrant, type Grant } from "../room/grant.ts";
import { createTokenVerifier, type TokenVerifier } from "../tokens/token-verifier.ts";
import { parseSettings, type RelaySettings, type RelayVariables, settingVariables } from "./settings.ts";
import { isUpgrade, offeredSubprotocols } from "./upgrade.ts";

/** Who gets into a relay with its settings. */
export interface Access {
  readonly settings: RelaySettings;
  /**
   * Whom a token speaks for in a room.
   *
   * @throws as {@link TokenVerifier}, and `edge/not-configured` where there is nothing to check tokens with
   */
  readonly tokens: TokenVerifier;
}

/** Opens the access that settings describe. */
export function createAccess(settings: RelaySettings): Access {
  return { settings, tokens: tokensOf(settings) };
}

function tokensOf({ development, key, audience, issuer }: RelaySettings): TokenVerifier {
  if (development) return { verify: async () => developmentGrant };
  if (key) return createTokenVerifier({ key, audience, issuer });
  return {
    async verify() {
      throw new FlockError(
        "edge/not-configured",
        "This relay has no key to check tokens with: set FLOCKSTATE_TOKEN_SECRET, FLOCKSTATE_TOKEN_PUBLIC_KEY or FLOCKSTATE_JWKS_URL.",
      );
    },
  };
}

/**
 * Creates what reads a Worker's environment: once for all requests under the same settings, so that an issuer's keys
 * are fetched once and wrong settings are logged once.
 *
 * @throws `edge/invalid-settings` at each reading of settings that cannot be
 */
export function createAccessReader(log: Log): (variables: RelayVariables) => Access {
  let read: { fingerprint: string; outcome: Access | FlockError } | undefined;
  return (variables) => {
    const fingerprint = JSON.stringify(settingVariables(variables));
    if (read?.fingerprint !== fingerprint) read = { fingerprint, outcome: readAccess(variables, log) };
    if (isFlockError(read.outcome)) throw read.outcome;
    return read.outcome;
  };
}

function readAccess(variables: RelayVariables, log: Log): Access | FlockError {
  try {
    return createAccess(parseSettings(variables));
  } catch (problem) {
    if (!isFlockError(problem)) throw problem;
    log.write("error", "invalid settings", { code: problem.code, reason: problem.message });
    return problem;
  }
}

/** The token that a request brings: among a socket's subprotocols, or in `Authorization`. One in its URL is ignored. */
export function bearerOf(request: Request): string | undefined {
  if (isUpgrade(request)) {
    const offered = offeredSubprotocols(request).find((name) => name.startsWith(bearerPrefix));
    return offered?.slice(bearerPrefix.length);
  }
  return /^bearer +([^ ]+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

/** Tells whom a request speaks for in a room. */
export async function grantOf(access: Access, request: Request, room: string): Promise<Grant> {
  return access.tokens.verify(bearerOf(request), room);
}
