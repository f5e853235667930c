import * as z from "zod/mini";
import { parseWriterId } from "../base/index.ts";
import { parseEntryId } from "./batch.ts";
import { isJson, type Json, type JsonObject } from "./json.ts";
import {
  addresseePattern,
  labelPattern,
  maxConversationLength,
  maxKeyLength,
  maxLabels,
  maxParentLength,
  maxPriority,
  maxSources,
  maxSuggestedActions,
  messageVersionPattern,
  topicPattern,
  typePattern,
} from "./message-bounds.ts";
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
const typeName = z.string().check(z.regex(typePattern));
const topicName = z.string().check(z.regex(topicPattern));
const addressee = z.string().check(z.regex(addresseePattern));
const entryIdText = z
  .string()
  .check(z.refine((id) => parseEntryId(id) !== undefined, "not the id of an entry: writer/page/index"));
const label = z.string().check(z.regex(labelPattern));

/** Tells whether a value is the name of a message type: a letter and up to 63 of `A-Za-z0-9_.-`. */
export function isMessageType(value: unknown): value is string {
  return typeof value === "string" && typePattern.test(value);
}

/** The address of every agent. */
export const everyone = "*";
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
    parent: z.optional(z.string().check(z.maxLength(maxParentLength))),
    /** Further entries that it was made from; with the parent, its provenance. */
    sources: z.optional(z.array(entryIdText).check(z.minLength(1), z.maxLength(maxSources))),
    /** What it, or something that it was made from, was marked with. */
    labels: z.optional(z.array(label).check(z.minLength(1), z.maxLength(maxLabels))),
    conversation: z.optional(z.string().check(z.minLength(1), z.maxLength(maxConversationLength))),
    confidence: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    metadata: z.optional(jsonObject),
    /** `1.x`; another major version is not read. */
    schemaVersion: z.string().check(z.regex(messageVersionPattern)),
    /** The version of its type's own schema, where that is registered and past 1. */
    contentVersion: z.optional(z.int().check(z.positive())),
    /** From 0 to 9; absent is 4. */
    priority: z.optional(z.int().check(z.nonnegative(), z.maximum(maxPriority))),
    /** Milliseconds since the epoch: past it nobody handles it any more, nor waits for its reply. */
    expiresAt: z.optional(z.int().check(z.nonnegative())),
    /** One message of the sender's agent for each key. */
    idempotencyKey: z.optional(z.string().check(z.minLength(1), z.maxLength(maxKeyLength))),
    /** `request`: its sender waits for replies. `reply`: to the request that is its parent. `stream`: stream entries follow. */
    role: z.optional(z.enum(["request", "reply", "stream"])),
    problemContext: z.optional(jsonObject),
    analysisResults: z.optional(jsonObject),
    suggestedActions: z.optional(z.array(jsonObject).check(z.maxLength(maxSuggestedActions))),
  })
  .check(
    z.refine((body) => (body.to === undefined) !== (body.topic === undefined), {
      path: ["to"],
      error: "exactly one of to and topic",
    }),
    z.refine((body) => (body.content === undefined) !== (body.reference === undefined), {
      path: ["content"],
      error: "exactly one of content and reference",
    }),
  );

/** The body of a message's entry, as lanes carry it. */
export type MessageBody = z.infer<typeof messageBodySchema>;

/** Tells whether an address (`planner`, `alice.planner`, a writer of that agent, or `*`) names the agent of this writer. */
export function addresses(to: string, writer: string): boolean {
  const parts = parseWriterId(writer);
  if (!parts) return false;
  const agent = `${parts.principal}.${parts.agent}`;
  return to === parts.agent || to === agent || to === everyone || agentOf(to) === agent;
}

/** `principal.agent` of a writer; undefined where it is none. */
export function agentOf(writer: string): string | undefined {
  const parts = parseWriterId(writer);
  return parts && `${parts.principal}.${parts.agent}`;
}
