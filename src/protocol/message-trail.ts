import * as z from "zod/mini";
import { parseEntryId } from "./batch.ts";
import { isJson, type Json } from "./json.ts";
import { referenceSchema } from "./reference.ts";
import { maxConsumerNameLength } from "./register.ts";

/*
 * What follows a message in lanes: each an entry of the writer who says it, and each rests on the message, so that it
 * folds after it. An entry that does not fit its schema says nothing.
 */

const entryIdText = z.string().check(z.refine((id) => parseEntryId(id) !== undefined));
const consumerName = z.string().check(z.minLength(1), z.maxLength(maxConsumerNameLength));
const reason = z.string().check(z.maxLength(1000));
const json = z.custom<Json>(isJson);

/** Messages that one dead-letter entry may name: they are its parents too. */
export const maxDeadLetters = 64;

export const deadLetterKind = "dead-letter";
/**
 * Why a consumer of the lane's agent passed messages without their handler's having succeeded. `exhausted`: past
 * `maxDeliver`; `terminated`: by the handler; `expired`: before it was handled; `cancelled`: by the requester;
 * `unreadable`: no reader here for its content.
 */
export const deadLetterSchema = z.object({
  consumer: consumerName,
  messages: z.array(entryIdText).check(z.minLength(1), z.maxLength(maxDeadLetters)),
  outcome: z.enum(["exhausted", "terminated", "expired", "cancelled", "unreadable"]),
  reason,
  /** Deliveries that were made. */
  attempts: z.int().check(z.nonnegative()),
});
export type DeadLetterBody = z.infer<typeof deadLetterSchema>;

export const redriveKind = "redrive";
/** Asks a consumer of an agent, or of a group, to handle a message again, with attempts from 1. */
export const redriveSchema = z.object({
  message: entryIdText,
  /** `alice.planner`. */
  agent: z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$/)),
  consumer: consumerName,
});
export type RedriveBody = z.infer<typeof redriveSchema>;

export const cancelKind = "cancel";
/** Takes a request back; only its own agent's word counts. */
export const cancelSchema = z.object({ request: entryIdText, reason });
export type CancelBody = z.infer<typeof cancelSchema>;

export const progressKind = "progress";
/** How far whoever handles a message has come with it. */
export const progressSchema = z.object({
  of: entryIdText,
  /** From 0 to 1. */
  done: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  note: z.optional(reason),
  data: z.optional(json),
});
export type ProgressBody = z.infer<typeof progressSchema>;

/** Base64url without padding. */
const base64Url = z.string().check(z.regex(/^([\w-]{4})*([\w-]{2,3})?$/));

export const streamKind = "stream";
/**
 * A part of a stream: `of` is the message of the role `stream` that opened it, in the same lane. An empty one says that the
 * stream is still open.
 */
export const streamPartSchema = z.union([
  z.object({
    of: entryIdText,
    /** Where the part begins: UTF-16 code units of text, or bytes. */
    at: z.int().check(z.nonnegative()),
    text: z.string(),
  }),
  z.object({ of: entryIdText, at: z.int().check(z.nonnegative()), bytes: base64Url }),
]);
export type StreamPart = z.infer<typeof streamPartSchema>;

export const streamEndKind = "stream-end";
/** The end of a stream: whole, with the digest and the sealed whole; or given up, with why. */
export const streamEndSchema = z.object({
  of: entryIdText,
  /** How long it has become, in the unit of its parts. */
  at: z.int().check(z.nonnegative()),
  /** The whole, whose id is the SHA-256 of its bytes (of text: as UTF-8); absent where the stream was given up. */
  reference: z.optional(referenceSchema),
  /** What the whole is, and `at` counts; absent is text. */
  unit: z.optional(z.enum(["text", "bytes"])),
  failure: z.optional(reason),
});
export type StreamEndBody = z.infer<typeof streamEndSchema>;
