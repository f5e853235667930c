import { fromUtf8, FlockError, toUtf8 } from "../base/index.ts";
import type { Write, Writer } from "../crdt/index.ts";
import { createWrite } from "../crdt/index.ts";
import { isJson, type Json, type JsonObject, messageKind, messageSchemaVersion, parseJson, type Reference } from "../protocol/index.ts";
import type { LayeredStore, PolicyManager } from "../refstore/index.ts";
import { type Message, parseMessageBody, type ReceivedMessage } from "./message.ts";

/** A message to be sent. */
export interface OutgoingMessage {
  /** The agent that it is for: `planner` for every principal's, `alice.planner` for one. Or give a topic. */
  to?: string;
  /** Words of `A-Za-z0-9_-` joined by dots. */
  topic?: string;
  /** One of the twelve names of the protocol, or the application's own. */
  type: string;
  /** Plain JSON, or bytes, which always travel by reference. */
  content: Json | Uint8Array;
  parent?: string;
  conversation?: string;
  /** From 0 to 1. */
  confidence?: number;
  metadata?: JsonObject;
  problemContext?: JsonObject;
  analysisResults?: JsonObject;
  suggestedActions?: readonly JsonObject[];
}

/** A message that was sent: applied here, on its way elsewhere. */
export interface SentMessage extends Write {
  readonly id: string;
}

const jsonType = "application/json";
const bytesType = "application/octet-stream";

export interface OutboxOptions {
  writer: Writer;
  refs: Pick<LayeredStore, "put">;
  policy: PolicyManager;
  /** Resolves when the addressee has passed the message. */
  delivered(id: string): Promise<void>;
}

/** Sends an agent's messages, in the order of the calls. */
export interface Outbox {
  /** @throws `messaging/invalid-message`, `messaging/value-too-large`, and what storing a reference throws. */
  send(message: OutgoingMessage): Promise<SentMessage>;
}

/** Creates the outbox of a writer. */
export function createOutbox({ writer, refs, policy, delivered }: OutboxOptions): Outbox {
  /** What the next message waits for while one before it stores its content. */
  let before: Promise<unknown> | undefined;

  async function carry(type: string, content: Json | Uint8Array): Promise<{ content: Json } | { reference: Reference }> {
    const isBytes = content instanceof Uint8Array;
    if (!isBytes && !isJson(content)) {
      throw new FlockError(
        "messaging/invalid-message",
        "The content is neither bytes nor plain JSON of at most 32 levels: leave out undefined, functions, dates and class instances.",
        { details: { path: "content" } },
      );
    }
    const bytes = isBytes ? content : toUtf8(JSON.stringify(content));
    const tier = isBytes && policy.policyFor(type).kind !== "always-value" ? "reference" : policy.choose(type, bytes.length);
    if (tier === "reference") {
      return { reference: await refs.put(bytes, { contentType: isBytes ? bytesType : jsonType }) };
    }
    if (isBytes) {
      throw new FlockError("messaging/invalid-message", `Messages of type ${type} travel by value, and bytes can't: send JSON.`, {
        details: { path: "content" },
      });
    }
    return { content };
  }

  async function prepare(message: OutgoingMessage): Promise<SentMessage> {
    const { content, ...fields } = message;
    // Checked before the content is stored, so that a bad message leaves nothing behind.
    parseMessageBody({ ...fields, content: null, schemaVersion: messageSchemaVersion });
    const carried = await carry(fields.type, content);
    const body = parseMessageBody({ ...fields, ...carried, schemaVersion: messageSchemaVersion });
    const json = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as JsonObject;
    const appended = writer.append(
      { kind: messageKind, parents: [], body: json },
      "reference" in carried ? { references: [carried.reference.id] } : {},
    );
    return {
      id: appended.id,
      ...createWrite({
        local: () => appended.settled("local"),
        relayed: () => appended.settled("relayed"),
        ...(message.to === undefined ? {} : { delivered: () => delivered(appended.id) }),
      }),
    };
  }

  return {
    send(message) {
      const sent = before ? before.then(() => prepare(message)) : prepare(message);
      const settled = sent.then(
        () => undefined,
        () => undefined,
      );
      before = settled;
      void settled.then(() => {
        if (before === settled) before = undefined;
      });
      return sent;
    },
  };
}

/**
 * Gives a message its content, by value or by reference alike; waits until a reference can be had.
 *
 * @throws `messaging/invalid-message` where referenced JSON does not parse.
 */
export async function resolveContent(
  message: Message,
  refs: Pick<LayeredStore, "resolve">,
  signal: AbortSignal,
): Promise<ReceivedMessage> {
  const { reference } = message;
  if (!reference) return message as ReceivedMessage;
  const bytes = await refs.resolve(reference, { signal });
  if (reference.contentType !== jsonType) return { ...message, content: bytes };
  let text: string | undefined;
  try {
    text = fromUtf8(bytes);
  } catch {
    // Reported below together with text that is no JSON.
  }
  const content = text === undefined ? undefined : parseJson(text);
  if (content === undefined) {
    throw new FlockError("messaging/invalid-message", `The content of ${message.id} says it is JSON and is not.`, {
      details: { path: "content", reference: reference.id },
    });
  }
  return { ...message, content };
}
