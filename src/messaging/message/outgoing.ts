import { type Json, type JsonObject, type MessageBody, maxLabels } from "../../protocol/index.ts";
import { invalidMessage, type Message, parseMessageBody } from "./message.ts";

/** A message to be sent. */
export interface OutgoingMessage {
  /**
   * Whom it is for: the agent `planner` of every principal, `alice.planner` of one, its writer `alice.planner.x7`, or `*`
   * for every agent. Or give a topic.
   */
  to?: string;
  /** Words of `A-Za-z0-9_-` joined by dots, at most eight; patterns are for those who listen. */
  topic?: string;
  /** One of the twelve names of the protocol, or the application's own. */
  type: string;
  /** Plain JSON, or bytes, which always travel by reference. */
  content: Json | Uint8Array;
  /** The id of the message that this one answers: lists and views have it after that one. */
  parent?: string;
  conversation?: string;
  /** From 0 to 1. */
  confidence?: number;
  metadata?: JsonObject;
  /** From 0 to 9, the highest first; default 4. */
  priority?: number;
  /** For how long it is worth handling, in milliseconds from now. Or give `expiresAt`. Default: for good. */
  ttlMs?: number;
  /** Milliseconds since the epoch: past it nobody handles it any more. */
  expiresAt?: number;
  /**
   * Of all messages of this agent with one key only the first is sent, as far as this replica knows it: sending again
   * gives that one's handle.
   */
  idempotencyKey?: string;
  /** Ids of further entries that it was made from, at most 32; with the parent, its provenance. */
  sources?: readonly string[];
  /** What it is marked with; those of its parent and sources that are here are added. At most 16 in all. */
  labels?: readonly string[];
  problemContext?: JsonObject;
  analysisResults?: JsonObject;
  suggestedActions?: readonly JsonObject[];
}

/** An outgoing message that opens a stream or is a part of a request, as only this library says. */
export interface RoledMessage extends OutgoingMessage {
  role?: NonNullable<Message["role"]>;
}

/** What a message's type says of the content that it is sent with. */
export interface WrittenContent {
  readonly content: Json | Uint8Array;
  /** The version of the type's schema, where it is past 1. */
  readonly version?: number | undefined;
}

/** A message that was checked; the objects in it are still its sender's. */
export interface PreparedMessage {
  readonly body: MessageBody;
  /** Content that can travel by reference only. */
  readonly bytes: Uint8Array | undefined;
  readonly contentBytes: number;
}

export interface PrepareOptions {
  /** Milliseconds since the epoch. */
  now: number;
  /** The labels of a message that is here. */
  labelsOf(id: string): readonly string[] | undefined;
}

/**
 * Makes the body of a message out of what an application says.
 *
 * @throws `messaging/invalid-message`, naming the field.
 */
export function prepareMessage(
  message: RoledMessage,
  written: WrittenContent,
  { now, labelsOf }: PrepareOptions,
): PreparedMessage {
  if ("schemaVersion" in message || "contentVersion" in message || "reference" in message) {
    const name = ownFields.find((each) => each in message) ?? "";
    throw invalidMessage(name, "it is not the application's to say");
  }
  if (message.idempotencyKey !== undefined && (message.role === "request" || message.role === "stream")) {
    throw invalidMessage("idempotencyKey", `each ${message.role} is one of its own`);
  }
  let fields: RoledMessage = message;
  if ("ttlMs" in message) {
    const { ttlMs, ...others } = message;
    fields = ttlMs === undefined ? others : { ...others, expiresAt: expiryOf(ttlMs, others.expiresAt, now) };
  }
  if (message.parent !== undefined || message.sources !== undefined) {
    const labels = unionOf(message, labelsOf);
    if (labels) fields = { ...fields, labels };
  }
  return withContent(fields, written);
}

/** What the library itself says in a message. */
const ownFields = ["schemaVersion", "contentVersion", "reference"];

/**
 * Makes the body of a message out of its other fields and its content.
 *
 * @throws `messaging/invalid-message`, naming the field.
 */
export function withContent(
  fields: { readonly content?: unknown; readonly type: string },
  { content, version }: WrittenContent,
): PreparedMessage {
  if (content === undefined) throw invalidMessage("content", "it has none");
  const bytes = content instanceof Uint8Array ? content : undefined;
  const value = bytes ? null : content;
  const source = fields.content === value ? fields : { ...fields, content: value };
  const { body, contentBytes } = parseMessageBody(source, version);
  return { body, bytes, contentBytes: bytes?.length ?? contentBytes };
}

function expiryOf(ttlMs: number, expiresAt: number | undefined, now: number): number {
  if (expiresAt !== undefined) throw invalidMessage("ttlMs", "give it or expiresAt, not both");
  if (typeof ttlMs !== "number" || !(ttlMs >= 0) || !Number.isSafeInteger(Math.ceil(now + ttlMs))) {
    throw invalidMessage("ttlMs", "it is no number of milliseconds");
  }
  return Math.ceil(now + ttlMs);
}

/** The labels of a message and of those that it was made from; undefined where there are none to add. */
function unionOf(
  { parent, sources = [], labels = [] }: RoledMessage,
  labelsOf: PrepareOptions["labelsOf"],
): readonly string[] | undefined {
  // What is no list of texts is refused with the other fields.
  if (!Array.isArray(sources) || !Array.isArray(labels)) return undefined;
  const inherited = [parent, ...sources].flatMap((id) =>
    typeof id === "string" ? (labelsOf(id) ?? []) : [],
  );
  if (inherited.length === 0) return undefined;
  const union = [...new Set([...labels, ...inherited])];
  if (union.length > maxLabels) {
    throw invalidMessage(
      "labels",
      `with those of what it was made from it has ${union.length} labels, and ${maxLabels} is the most`,
    );
  }
  return union;
}
