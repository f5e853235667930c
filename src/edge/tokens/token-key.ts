import type { JWK } from "jose";
import { z } from "zod";
import { FlockError, toUtf8 } from "../../base/index.ts";

/** The shortest secret, in bytes: as many as the hash of HS256 has (RFC 7518, 3.2). */
export const minSecretBytes = 32;

/** What a relay checks tokens with; its kind alone decides which algorithms are taken. */
export type TokenKey =
  /** HS256, for a backend and a relay that share the secret. */
  | { readonly kind: "secret"; readonly secret: string }
  /** EdDSA, for one issuer whose key does not change. */
  | { readonly kind: "public-key"; readonly publicKey: PublicJwk }
  /** EdDSA or ES256, for an issuer that publishes its keys and rotates them. */
  | { readonly kind: "jwks"; readonly url: URL };

/** The public half of an Ed25519 key, as a JSON Web Key (RFC 8037). */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
}

const ed25519Bytes = /^[\w-]{43}$/;
const p256Bytes = /^[\w-]{43}$/;

/** Takes no private key: one that reached a relay's settings by mistake would mint as well. */
export const publicJwkSchema = z
  .looseObject({
    kty: z.literal("OKP", { error: "must be OKP" }),
    crv: z.literal("Ed25519", { error: "must be Ed25519" }),
    x: z.string().regex(ed25519Bytes, { error: "must be 32 bytes in base64url" }),
    d: z.never({ error: "is the private half, which belongs to the issuer alone" }).optional(),
    alg: z.enum(["EdDSA", "Ed25519"], { error: "must be EdDSA" }).optional(),
  })
  .transform(({ kty, crv, x }): PublicJwk => ({ kty, crv, x }));

/** Reads a secret; throws where it is too short to be one. */
export function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = toUtf8(secret);
  if (bytes.length >= minSecretBytes) return bytes;
  throw new FlockError(
    "edge/invalid-settings",
    `The token secret has ${bytes.length} bytes: use at least ${minSecretBytes} random ones.`,
  );
}

const keyIdSchema = z.string().max(256).optional();
const privateJwkSchema = z.discriminatedUnion("crv", [
  z.looseObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().regex(ed25519Bytes),
    d: z.string().regex(ed25519Bytes),
    kid: keyIdSchema,
  }),
  z.looseObject({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    x: z.string().regex(p256Bytes),
    y: z.string().regex(p256Bytes),
    d: z.string().regex(p256Bytes),
    kid: keyIdSchema,
  }),
]);

/** A key to sign with, and the header that goes with it. */
export interface SigningKey {
  readonly key: Uint8Array | JWK;
  readonly header: { readonly alg: string; readonly kid?: string };
}

/** Whoever mints holds either the relay's own secret, or the private half of an issuer's key. */
export type MintingKey = { secret: string; privateKey?: never } | { privateKey: JWK; secret?: never };

/**
 * Reads a key to mint with; the algorithm follows from it.
 *
 * @throws `edge/invalid-settings`
 */
export function signingKey({ secret, privateKey }: MintingKey): SigningKey {
  if (secret !== undefined) return { key: secretBytes(secret), header: { alg: "HS256" } };
  const parsed = privateJwkSchema.safeParse(privateKey);
  if (!parsed.success) {
    throw new FlockError(
      "edge/invalid-settings",
      "The private key is none that tokens can be signed with: pass an Ed25519 or P-256 key as a JSON Web Key.",
    );
  }
  const { kid, ...key } = parsed.data;
  const alg = key.crv === "Ed25519" ? "EdDSA" : "ES256";
  const bare: JWK = key.crv === "Ed25519" ? pick(key) : { ...pick(key), y: key.y };
  return { key: bare, header: kid === undefined ? { alg } : { alg, kid } };
}

/** What a key says of its use is its issuer's affair, and would only confuse the import. */
function pick({ kty, crv, x, d }: { kty: "OKP" | "EC"; crv: string; x: string; d: string }): JWK {
  return { kty, crv, x, d };
}
