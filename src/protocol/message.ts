import * as z from "zod/mini";
import { parseWriterId } from "../base/index.ts";
import { isJson, type Json, type JsonObject } from "./json.ts";
import { referenceSchema } from "./reference.ts";

/** The twelve message types of the agent protocol; applications add names of their own. */
export const messageTypes = [
  "TASK_REQUEST",
  "TASK_RESULT",
  "QUERY",
  "QUERY_RESPONSE",
  "PROBLEM_ANALYSIS",
  "CODE_ANALYSIS",
  "RELATIONSHIP_ANALYSIS",
  "REPAIR_SUGGESTION",
  "VERIFICATION_RESULT",
  "ERROR",
  "STATUS",
  "LOG",
] as const;

/** The version of the message schema that this code writes. */
export const messageSchemaVersion = "1.0";
/** The kind of the lane entries that hold messages. */
export const messageKind = "message";

const json = z.custom<Json>(isJson, "not plain JSON, or nested past 32 levels");
const jsonObject = z.custom<JsonObject>(
  (value) => isJson(value) && typeof value === "object" && value !== null && !Array.isArray(value),
  "not a plain JSON object",
);
const typeName = z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/));
const topicName = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$/));
/** `planner` for every principal's planner, or `alice.planner`. */
const addressee = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?$/));

/**
 * The body of a message's entry. Who sent it, when, and under which id is never in it:
 * that is the lane's owner, the batch's clock and the entry's place.
 */
export const messageBodySchema = z
  .strictObject({
    type: typeName,
    to: z.optional(addressee),
    topic: z.optional(topicName),
    /** The content by value; exactly one of `content` and `reference` is there. */
    content: z.optional(json),
    reference: z.optional(referenceSchema),
    parent: z.optional(z.string().check(z.maxLength(300))),
    conversation: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    confidence: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    metadata: z.optional(jsonObject),
    schemaVersion: z.string().check(z.maxLength(16)),
    problemContext: z.optional(jsonObject),
    analysisResults: z.optional(jsonObject),
    suggestedActions: z.optional(z.array(jsonObject).check(z.maxLength(1000))),
  })
  .check(
    z.refine((body) => (body.to === undefined) !== (body.topic === undefined), "exactly one of to and topic"),
    z.refine(
      (body) => (body.content === undefined) !== (body.reference === undefined),
      "exactly one of content and reference",
    ),
  );

/** The body of a message's entry, as lanes carry it. */
export type MessageBody = z.infer<typeof messageBodySchema>;

/** Tells whether an address (`planner`, `alice.planner`) names the agent of this writer. */
export function addresses(to: string, writer: string): boolean {
  const parts = parseWriterId(writer);
  return parts !== undefined && (to === parts.agent || to === `${parts.principal}.${parts.agent}`);
}
