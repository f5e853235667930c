import { z } from "zod";
import { FlockError, isFlockError } from "../../base/index.ts";
import { maxPresenceBytes, maxUpdateBytes } from "../../protocol/index.ts";
import { logLevels } from "../operations/log.ts";
import { defaultRoomLimits, type RoomLimits } from "../room/limits.ts";
import { defaultAudience } from "../tokens/claims.ts";
import { minSecretBytes, publicJwkSchema, secretBytes, type TokenKey } from "../tokens/token-key.ts";
import { isLocal } from "./local.ts";

const variablePrefix = "FLOCKSTATE_";
const variableNames = {
  FLOCKSTATE_TOKEN_SECRET: true,
  FLOCKSTATE_TOKEN_PUBLIC_KEY: true,
  FLOCKSTATE_JWKS_URL: true,
  FLOCKSTATE_AUDIENCE: true,
  FLOCKSTATE_ISSUER: true,
  FLOCKSTATE_ORIGINS: true,
  FLOCKSTATE_LIMITS: true,
  FLOCKSTATE_RETENTION_DAYS: true,
  FLOCKSTATE_DEVELOPMENT: true,
  FLOCKSTATE_METRICS_TOKEN: true,
  FLOCKSTATE_LOG_LEVEL: true,
} as const;
const keyVariables = [
  "FLOCKSTATE_TOKEN_SECRET",
  "FLOCKSTATE_TOKEN_PUBLIC_KEY",
  "FLOCKSTATE_JWKS_URL",
] as const;

/** The relay's settings as its environment gives them; `docs/deploy.md` says what each does. */
export type RelayVariables = { [Name in keyof typeof variableNames]?: string };

/** What the relay's environment comes to. */
export interface RelaySettings {
  /** Absent in development mode, and where nobody can be let in. */
  readonly key: TokenKey | undefined;
  readonly audience: string;
  readonly issuer: string | undefined;
  /** Origins besides the relay's own whose pages are served. */
  readonly origins: readonly string[] | "*";
  readonly limits: Readonly<RoomLimits>;
  /** After how many days without a write a writer's pages and register are dropped; 0 is never. */
  readonly retentionDays: number;
  /** Serves this machine alone, and asks for no tokens. */
  readonly development: boolean;
  /** What `/metrics` asks for; absent, nobody reads them but in development mode. */
  readonly metricsToken: string | undefined;
  readonly logLevel: (typeof logLevels)[number];
}

/** What a frame and a socket's attachment hold, whatever the settings say. */
const highest: Partial<RoomLimits> = { updateBytes: maxUpdateBytes, presenceBytes: maxPresenceBytes };
const limitsSchema = z.strictObject(
  Object.fromEntries(
    limitNames(defaultRoomLimits).map((name) => {
      const limit = z.int().positive();
      const most = highest[name];
      return [name, (most === undefined ? limit : limit.max(most)).optional()];
    }),
  ),
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

const defaultRetentionDays = 90;
/** A century: far from what dates can say. */
const maxRetentionDays = 36_500;
const retentionSchema = z
  .string()
  .regex(/^\d{1,5}$/, { error: "is no number of days" })
  .default(String(defaultRetentionDays))
  .transform(Number)
  .pipe(z.number().max(maxRetentionDays));

const metricsTokenSchema = z
  .string()
  .min(minSecretBytes, { error: `has fewer than ${minSecretBytes} characters` })
  .optional();
const logLevelSchema = z.enum(logLevels).default("info");

/**
 * Reads the settings; an empty variable counts as none.
 *
 * @throws `edge/invalid-settings` naming the variable, never its value.
 */
export function parseSettings(variables: RelayVariables): RelaySettings {
  const unknown = settingVariables(variables).find(([name]) => !(name in variableNames))?.[0];
  if (unknown !== undefined) throw invalid(unknown, "is not one that the relay knows");
  const value = (name: keyof RelayVariables) => textOf(variables, name);
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
      ...(limits !== undefined &&
        (parsedJson("FLOCKSTATE_LIMITS", limitsSchema, limits) as Partial<RoomLimits>)),
    },
    retentionDays: parsed("FLOCKSTATE_RETENTION_DAYS", retentionSchema, value("FLOCKSTATE_RETENTION_DAYS")),
    development: development === "1",
    metricsToken: parsed("FLOCKSTATE_METRICS_TOKEN", metricsTokenSchema, value("FLOCKSTATE_METRICS_TOKEN")),
    logLevel: parsed("FLOCKSTATE_LOG_LEVEL", logLevelSchema, value("FLOCKSTATE_LOG_LEVEL")),
  };
}

/** What of a Worker's environment is a setting of the relay, in order. */
export function settingVariables(variables: object): [name: string, value: unknown][] {
  return Object.entries(variables)
    .filter(([name]) => name.startsWith(variablePrefix))
    .sort();
}

function parseKey(value: (name: keyof RelayVariables) => string | undefined): TokenKey | undefined {
  const given = keyVariables.filter((name) => value(name) !== undefined);
  if (given.length > 1) throw invalid(given.join(" and "), "exclude each other: keep one");
  const secret = value("FLOCKSTATE_TOKEN_SECRET");
  if (secret !== undefined) {
    try {
      secretBytes(secret);
    } catch (problem) {
      if (!isFlockError(problem)) throw problem;
      throw invalid("FLOCKSTATE_TOKEN_SECRET", `has fewer than ${minSecretBytes} bytes`);
    }
    return { kind: "secret", secret };
  }
  const publicKey = value("FLOCKSTATE_TOKEN_PUBLIC_KEY");
  if (publicKey !== undefined) {
    return {
      kind: "public-key",
      publicKey: parsedJson("FLOCKSTATE_TOKEN_PUBLIC_KEY", publicJwkSchema, publicKey),
    };
  }
  const url = value("FLOCKSTATE_JWKS_URL");
  if (url === undefined) return undefined;
  const keysUrl = keysUrlSchema.safeParse(url);
  if (!keysUrl.success) throw invalid("FLOCKSTATE_JWKS_URL", "is no https URL");
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

function limitNames(limits: RoomLimits): (keyof RoomLimits)[] {
  return Object.keys(limits) as (keyof RoomLimits)[];
}

/** Kept to the byte: a secret may well begin or end with white space. */
function textOf(variables: RelayVariables, name: keyof RelayVariables): string | undefined {
  const value: unknown = variables[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(name, "is no text: write JSON as a string");
  return value.trim() === "" ? undefined : value;
}
