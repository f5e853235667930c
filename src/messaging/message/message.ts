import * as z from "zod/mini";
import { FlockError, timestampToMs } from "../../base/index.ts";
import type { Entry } from "../../crdt/index.ts";
import {
  copyMessageBody,
  freezeJson,
  type Json,
  type JsonObject,
  type MessageBody,
  messageBodySchema,
  messageKind,
  messageSchemaVersion,
  type Reference,
} from "../../protocol/index.ts";

/** A message as its lane holds it, frozen. */
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

const writerPattern = /^[^.]+\.[^.]+\.[^.]+$/;

/**
 * Reads the message of an entry; undefined where it holds none, or one that does not fit the schema. Fields that a later
 * minor version of the schema has are dropped; another major version is not read. It is frozen, with all that is in it.
 * Each call reads anew: to keep what was read by its entry would cost three readings.
 */
export function readMessage({ kind, id, writer, clock, body }: Entry): Message | undefined {
  if (kind !== messageKind) return undefined;
  if (typeof body !== "object" || body === null || !writerPattern.test(writer)) return undefined;
  const message = {
    id,
    from: writer.slice(0, writer.lastIndexOf(".")),
    writer,
    sentAt: timestampToMs(clock),
    sizeBytes: 0,
  };
  const sizeBytes = copyMessageBody(body, message, "drop");
  if (sizeBytes === undefined) return undefined;
  message.sizeBytes = sizeBytes;
  // What is in it is the log's own: views and others read it too.
  return freezeJson(message) as unknown as Message;
}

/**
 * Returns the body of a message to be sent, and the bytes of its content; fields that are undefined are left out.
 *
 * @throws `messaging/invalid-message`, naming the field.
 */
export function parseMessageBody(
  fields: object,
  contentVersion?: number,
): { body: MessageBody; contentBytes: number } {
  const body: Record<string, unknown> = { schemaVersion: messageSchemaVersion };
  if (contentVersion !== undefined) body.contentVersion = contentVersion;
  const contentBytes = copyMessageBody(fields, body, "refuse");
  if (contentBytes !== undefined) return { body: body as MessageBody, contentBytes };
  const [issue] =
    z.safeParse(messageBodySchema, { schemaVersion: messageSchemaVersion, ...fields }).error?.issues ?? [];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])];
  throw invalidMessage(path.join("."), issue?.message);
}

/** The error of a message that can't be sent, or read. */
export function invalidMessage(path: string, why = "it does not fit the schema"): FlockError {
  return new FlockError(
    "messaging/invalid-message",
    `The message is not valid${path ? ` at ${path}` : ""}: ${why}. A message has a type, exactly one of to and topic, and content of plain JSON or bytes.`,
    { details: { path } },
  );
}
