import * as z from "zod/mini";

const idPattern = /^[0-9a-f]{64}$/;
/** `type/subtype` with optional parameters, all printable ASCII, so that it is safe as a header's value. */
const contentTypePattern = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( ?;[ -~]*)?$/;

const maxContentTypeLength = 255;

/** What a message carries in place of large bytes. */
export const referenceSchema = z.object({
  /** SHA-256 of the plain bytes: 64 lower-case hexadecimal digits. */
  id: z.string().check(z.regex(idPattern)),
  /** Length of the plain bytes. */
  size: z.int().check(z.nonnegative()),
  contentType: z.string().check(z.maxLength(maxContentTypeLength), z.regex(contentTypePattern)),
});

/** Names bytes by their SHA-256: `id` alone decides which bytes are meant, `size` and `contentType` describe them. */
export type Reference = z.infer<typeof referenceSchema>;

/** Tells whether a value is the id of a reference: 64 lower-case hexadecimal digits. */
export function isReferenceId(value: unknown): value is string {
  return typeof value === "string" && idPattern.test(value);
}

/** The reference that plain JSON says; undefined where it does not fit the schema. */
export function readReference(value: unknown): Reference | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, size, contentType } = value as Record<string, unknown>;
  if (!isReferenceId(id) || !Number.isSafeInteger(size) || (size as number) < 0) return undefined;
  if (typeof contentType !== "string" || contentType.length > maxContentTypeLength) return undefined;
  return contentTypePattern.test(contentType) ? { id, size: size as number, contentType } : undefined;
}
