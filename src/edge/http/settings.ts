import { z } from "zod";
import { FlockError, isFlockError } from "../../base/index.ts";
import { defaultRoomLimits, type RoomLimits } from "../room/limits.ts";
import { defaultAudience } from "../tokens/claims.ts";
import { minSecretBytes, publicJwkSchema, secretBytes, type TokenKey } from "../tokens/token-key.ts";
import { isLocal } from "./local-only.ts";

/** The relay's settings as its environment gives them; `docs/deploy.md` says what each does. */
export interface RelayVariables {
  FLOCKSTATE_TOKEN_SECRET?: string;
  FLOCKSTATE_TOKEN_PUBLIC_KEY?: string;
  FLOCKSTATE_JWKS_URL?: string;
  FLOCKSTATE_AUDIENCE?: string;
  FLOCKSTATE_ISSUER?: string;
  FLOCKSTATE_ORIGINS?: string;
  FLOCKSTATE_LIMITS?: string;
  FLOCKSTATE_DEVELOPMENT?: string;
}

/** What the relay's environment comes to. */
export interface RelaySettings {
  /** Absent in development mode, and where nobody can be let in. */
  readonly key: TokenKey | undefined;
  readonly audience: string;
  readonly issuer: string | undefined;
  /** Origins besides the relay's own whose pages are served. */
  readonly origins: readonly string[] | "*";
  readonly limits: Readonly<RoomLimits>;
  /** Serves this machine alone, and asks for no tokens. */
  readonly development: boolean;
}

const limitsSchema = z.strictObject(
  Object.fromEntries(
    Object.keys(defaultRoomLimits).map((name) => [name, z.int().positive().optional()]),
  ) as Record<keyof RoomLimits, z.ZodOptional<z.ZodInt>>,
);

const originsSchema = z
  .string()
  .transform((list) =>
    list
      .split(",")
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ""),
  )
  .pipe(
    z.union([
      z.tuple([z.literal("*")]).transform(() => "*" as const),
      z.array(z.string().refine(isOrigin, { error: "is no origin such as https://app.example.com" })),
    ]),
  );

const keysUrlSchema = z
  .url()
  .transform((url) => new URL(url))
  .refine(({ protocol, href }) => protocol === "https:" || (protocol === "http:" && isLocal(href)));

const names = {
  secret: "FLOCKSTATE_TOKEN_SECRET",
  publicKey: "FLOCKSTATE_TOKEN_PUBLIC_KEY",
  keysUrl: "FLOCKSTATE_JWKS_URL",
} as const;

/**
 * Reads the settings; an empty variable counts as none.
 *
 * @throws `edge/invalid-settings` naming the variable, never its value.
 */
export function parseSettings(variables: RelayVariables): RelaySettings {
  const value = (name: keyof RelayVariables) => variables[name]?.trim() || undefined;
  const development = value("FLOCKSTATE_DEVELOPMENT");
  if (development !== undefined && development !== "1") {
    throw invalid("FLOCKSTATE_DEVELOPMENT", "is 1, or absent");
  }
  const key = parseKey(value);
  if (development && key) {
    throw invalid("FLOCKSTATE_DEVELOPMENT", "asks for no tokens, so no key to check them with can be set");
  }
  const origins = value("FLOCKSTATE_ORIGINS");
  const limits = value("FLOCKSTATE_LIMITS");
  return {
    key,
    audience: value("FLOCKSTATE_AUDIENCE") ?? defaultAudience,
    issuer: value("FLOCKSTATE_ISSUER"),
    origins: origins === undefined ? [] : parsed("FLOCKSTATE_ORIGINS", originsSchema, origins),
    limits: {
      ...defaultRoomLimits,
      ...(limits !== undefined && withoutAbsent(parsedJson("FLOCKSTATE_LIMITS", limitsSchema, limits))),
    },
    development: development === "1",
  };
}

function parseKey(value: (name: keyof RelayVariables) => string | undefined): TokenKey | undefined {
  const given = Object.values(names).filter((name) => value(name) !== undefined);
  if (given.length > 1) throw invalid(given.join(" and "), "exclude each other: keep one");
  const secret = value(names.secret);
  if (secret !== undefined) {
    try {
      secretBytes(secret);
    } catch (problem) {
      if (!isFlockError(problem)) throw problem;
      throw invalid(names.secret, `has fewer than ${minSecretBytes} bytes`);
    }
    return { kind: "secret", secret };
  }
  const publicKey = value(names.publicKey);
  if (publicKey !== undefined) {
    return { kind: "public-key", publicKey: parsedJson(names.publicKey, publicJwkSchema, publicKey) };
  }
  const url = value(names.keysUrl);
  if (url === undefined) return undefined;
  const keysUrl = keysUrlSchema.safeParse(url);
  if (!keysUrl.success) throw invalid(names.keysUrl, "is no https URL");
  return { kind: "jwks", url: keysUrl.data };
}

function parsedJson<T>(name: string, schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would repeat the value.
    throw invalid(name, "is no JSON");
  }
  return parsed(name, schema, value);
}

function parsed<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.join(".");
  throw invalid(name, `does not hold${place ? ` at ${place}` : ""}: ${issue?.message}`);
}

function invalid(name: string, reason: string): FlockError {
  return new FlockError("edge/invalid-settings", `The setting ${name} ${reason}.`);
}

function isOrigin(text: string): boolean {
  try {
    return new URL(text).origin === text;
  } catch {
    // No URL, and so no origin.
    return false;
  }
}

function withoutAbsent(limits: { [Name in keyof RoomLimits]?: number | undefined }): Partial<RoomLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}
