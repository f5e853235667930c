import { z } from "zod";
import { isId } from "../../base/index.ts";
import { isReferenceId, readDocumentName } from "../../protocol/index.ts";
import type {
  DocumentSummary,
  ImportedRoom,
  Revocation,
  RevocationList,
  RoomStatus,
} from "../room/administration.ts";
import type { StoredAuditEntry } from "../room/ports.ts";

const idPattern = "^[A-Za-z0-9_-]{1,64}$";
const maxPageLength = 1_000;
const count = z.int().nonnegative();
const moment = z.int().nonnegative().meta({ description: "Milliseconds since 1970." });

/** The id of a room, in an address. */
export const roomSchema = z
  .string()
  .refine(isId, { error: "a room's id is 1-64 characters of A-Za-z0-9_-" })
  .meta({ pattern: idPattern, description: "The id of a room." });

/** The id of a reference, in an address. */
export const referenceIdSchema = z
  .string()
  .refine(isReferenceId, { error: "the id of a reference is 64 lower-case hexadecimal digits" })
  .meta({ pattern: "^[0-9a-f]{64}$", description: "The SHA-256 of the bytes." });

/** The name of a shared document, in an address. */
export const sharedDocumentSchema = z
  .string()
  .refine((name) => readDocumentName(name)?.kind === "shared", {
    error: "a stock client gets shared or shared/NAME",
  })
  .meta({ pattern: "^shared(/[A-Za-z0-9_-]{1,64})?$", description: "The name of a shared document." });

/** Which part of a list is asked for. */
export const pageSchema = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .meta({ description: "The number of the last entry of the page before." }),
  limit: z.coerce.number().int().positive().max(maxPageLength).default(100),
});

/** What `/health` says. */
export const healthSchema = z.object({ status: z.literal("ok"), version: z.string() });

/** RFC 9457, and the code of `docs/errors.md`. */
export const problemSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().meta({ description: "The request's X-Request-ID." }),
  code: z.string(),
});

const documentSchema = z.object({
  id: count,
  name: z.string(),
  rows: count,
  bytes: count,
}) satisfies z.ZodType<DocumentSummary>;

/** A page of a room's documents. */
export const documentsSchema = z.object({ documents: z.array(documentSchema) });

/** How a room stands. */
export const statusSchema = z.object({
  condition: z.enum(["open", "halted", "importing", "deleted"]),
  epoch: z.string().exactOptional(),
  head: count,
  documents: count,
  rows: count,
  bytes: count,
  revocations: count,
  revokedBefore: moment.exactOptional(),
}) satisfies z.ZodType<RoomStatus>;

/** What an import brought. */
export const importedSchema = z.object({
  epoch: z.string(),
  documents: count,
  updates: count,
  bytes: count,
}) satisfies z.ZodType<ImportedRoom>;

/** What is to be revoked. */
export const revocationSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("token"),
    value: z.string().min(1).max(64).meta({ description: "The token's jti." }),
  }),
  z.strictObject({
    kind: z.literal("principal"),
    value: z.string().refine(isId).meta({ pattern: idPattern, description: "The principal." }),
  }),
  z.strictObject({ kind: z.literal("room") }),
]) satisfies z.ZodType<Revocation>;

/** What a room has revoked. */
export const revocationsSchema = z.object({
  revokedBefore: moment.exactOptional(),
  revocations: z.array(z.object({ kind: z.enum(["token", "principal"]), value: z.string(), before: moment })),
}) satisfies z.ZodType<RevocationList>;

const auditEntrySchema = z.object({
  id: count,
  at: moment,
  principal: z.string(),
  tokenId: z.string(),
  subject: z.string(),
  ranges: z.array(z.object({ client: count, from: count, to: count })),
  bytes: count,
  verdict: z.string(),
}) satisfies z.ZodType<StoredAuditEntry>;

/** A page of a room's audit trail. */
export const auditSchema = z.object({ entries: z.array(auditEntrySchema) });
