import * as z from "zod/mini";
import { FlockError, parseWriterId, timestampToMs, toUtf8 } from "../../base/index.ts";
import type { Entry } from "../../crdt/index.ts";
import {
  type Json,
  type JsonObject,
  type MessageBody,
  messageBodySchema,
  messageKind,
  type Reference,
} from "../../protocol/index.ts";

/** A message as its lane holds it. */
export interface Message {
  /** `writer/page/index`: unique in the room, for good. */
  readonly id: string;
  readonly type: string;
  /** The agent that really wrote it, `principal.agent`: the lane's owner, never a claim of the payload. */
  readonly from: string;
  readonly writer: string;
  readonly to?: string;
  readonly topic?: string;
  /** Milliseconds since the epoch, by the sender's hybrid clock. */
  readonly sentAt: number;
  /** Bytes of the content, by value or by reference. */
  readonly sizeBytes: number;
  /** The content where it travels by value. */
  readonly content?: Json;
  /** The content where it travels by reference. */
  readonly reference?: Reference;
  /** The id of the message that this one answers. */
  readonly parent?: string;
  readonly conversation?: string;
  /** From 0 to 1. */
  readonly confidence?: number;
  readonly metadata?: JsonObject;
  readonly schemaVersion: string;
  /** The version of its type's own schema; absent is 1. */
  readonly contentVersion?: number;
  /** From 0 to 9; absent is 4. */
  readonly priority?: number;
  /** Milliseconds since the epoch: past it nobody handles it any more, nor waits for its reply. */
  readonly expiresAt?: number;
  /** One message of the sender's agent for each key. */
  readonly idempotencyKey?: string;
  /** `request`: its sender waits for replies. `reply`: to the request that is its parent. `stream`: it opens a stream. */
  readonly role?: "request" | "reply" | "stream";
  /** Further entries that it was made from; with the parent, its provenance. */
  readonly sources?: readonly string[];
  /** What it, or something that it was made from, was marked with. */
  readonly labels?: readonly string[];
  readonly problemContext?: JsonObject;
  readonly analysisResults?: JsonObject;
  readonly suggestedActions?: readonly JsonObject[];
}

/** A message whose content is here, however it travelled. */
export type ReceivedMessage = Omit<Message, "content"> & { readonly content: Json | Uint8Array };

/** Reads the message of an entry; undefined where it holds none, or one that does not fit the schema. */
export function readMessage(entry: Entry): Message | undefined {
  if (entry.kind !== messageKind) return undefined;
  const parsed = z.safeParse(messageBodySchema, entry.body);
  const parts = parseWriterId(entry.writer);
  if (!parsed.success || !parts) return undefined;
  return Object.freeze({
    ...definedOf(parsed.data),
    id: entry.id,
    from: `${parts.principal}.${parts.agent}`,
    writer: entry.writer,
    sentAt: timestampToMs(entry.clock),
    sizeBytes: parsed.data.reference?.size ?? toUtf8(JSON.stringify(parsed.data.content)).length,
  });
}

function definedOf(body: MessageBody): Omit<Message, "id" | "from" | "writer" | "sentAt" | "sizeBytes"> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof definedOf
  >;
}

/**
 * Returns the body of a message to be sent.
 *
 * @throws `messaging/invalid-message`, naming the field.
 */
export function parseMessageBody(body: unknown): MessageBody {
  const parsed = z.safeParse(messageBodySchema, body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw new FlockError(
    "messaging/invalid-message",
    `The message is not valid${path ? ` at ${path}` : ""}: ${issue?.message}. A message has a type, exactly one of to and topic, and content of plain JSON or bytes.`,
    { details: { path } },
  );
}
