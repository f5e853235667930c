import * as z from "zod/mini";
import { parseWriterId } from "../base/index.ts";
import { parseEntryId } from "./batch.ts";
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
/** `planner` for every principal's planner, `alice.planner`, a writer `alice.planner.x7`, or `*` for every agent. */
const addressee = z.string().check(z.regex(/^(\*|[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,2})$/));
const entryIdText = z
  .string()
  .check(z.refine((id) => parseEntryId(id) !== undefined, "not the id of an entry: writer/page/index"));
const label = z.string().check(z.regex(/^[A-Za-z0-9_.:-]{1,64}$/));

/** The address of every agent. */
export const everyone = "*";
/** Priorities are 0 to 9, the highest first; a message without one has the middle. */
export const defaultPriority = 4;
export const maxPriority = 9;
/** Entries that one message may say it was derived from. */
export const maxSources = 32;
/** Labels that one message may carry. */
export const maxLabels = 16;

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
    /** Further entries that it was made from; with the parent, its provenance. */
    sources: z.optional(z.array(entryIdText).check(z.minLength(1), z.maxLength(maxSources))),
    /** What it, or something that it was made from, was marked with. */
    labels: z.optional(z.array(label).check(z.minLength(1), z.maxLength(maxLabels))),
    conversation: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    confidence: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    metadata: z.optional(jsonObject),
    schemaVersion: z.string().check(z.maxLength(16)),
    /** The version of its type's own schema, where that is registered and past 1. */
    contentVersion: z.optional(z.int().check(z.positive())),
    /** From 0 to 9; absent is 4. */
    priority: z.optional(z.int().check(z.nonnegative(), z.maximum(maxPriority))),
    /** Milliseconds since the epoch: past it nobody handles it any more, nor waits for its reply. */
    expiresAt: z.optional(z.int().check(z.nonnegative())),
    /** One message of the sender's agent for each key. */
    idempotencyKey: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    /** `request`: its sender waits for replies. `reply`: to the request that is its parent. `stream`: stream entries follow. */
    role: z.optional(z.enum(["request", "reply", "stream"])),
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
