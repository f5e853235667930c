import { FlockError, fromUtf8, toUtf8 } from "../../base/index.ts";
import type { Pen, Write } from "../../crdt/index.ts";
import { createWrite } from "../../crdt/index.ts";
import {
  type Json,
  type JsonObject,
  type MessageBody,
  messageKind,
  messageSchemaVersion,
  parseEntryId,
  parseJson,
} from "../../protocol/index.ts";
import type { LayeredStore, PolicyManager, Tier } from "../../refstore/index.ts";
import type { Addressed } from "../delivery/delivery.ts";
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
  /** The id of the message that this one answers: lists and views have it after that one. */
  parent?: string;
  conversation?: string;
  /** From 0 to 1. */
  confidence?: number;
  metadata?: JsonObject;
  problemContext?: JsonObject;
  analysisResults?: JsonObject;
  suggestedActions?: readonly JsonObject[];
}

/** A message that was sent: in the room's list here, on its way elsewhere. */
export interface SentMessage extends Write {
  readonly id: string;
}

const jsonType = "application/json";
const bytesType = "application/octet-stream";

export interface OutboxOptions {
  writer: Pen;
  refs: Pick<LayeredStore, "put" | "state" | "onChange">;
  policy: PolicyManager;
  /** Resolves when the addressee has passed the message. */
  delivered(message: Addressed): Promise<void>;
}

/** Sends an agent's messages, in the order of the calls. */
export interface Outbox {
  /** @throws `messaging/invalid-message`, `messaging/value-too-large`, and what storing a reference throws. */
  send(message: OutgoingMessage): Promise<SentMessage>;
}

/** Creates the outbox of an agent. */
export function createOutbox({ writer, refs, policy, delivered }: OutboxOptions): Outbox {
  /** Settles when every message so far is in the lane; undefined while none has to wait for its content. */
  let before: Promise<unknown> | undefined;

  async function append(body: MessageBody): Promise<SentMessage> {
    const json = Object.fromEntries(
      Object.entries(body).filter(([, value]) => value !== undefined),
    ) as JsonObject;
    // What it answers comes first wherever it is folded, and says which key of a view it belongs to.
    const parents = body.parent !== undefined && parseEntryId(body.parent) ? [body.parent] : [];
    const references = body.reference ? [body.reference.id] : [];
    const appended = writer.append({ kind: messageKind, parents, body: json }, { references });
    await appended.shown();
    const { to } = body;
    return {
      id: appended.id,
      ...createWrite({
        local: () => appended.settled("local"),
        // Without its bytes at the relay a message is of no use to anybody elsewhere.
        relayed: () =>
          Promise.all([appended.settled("relayed"), ...references.map((id) => uploaded(refs, id))]).then(
            () => undefined,
          ),
        ...(to === undefined
          ? {}
          : {
              delivered: () =>
                delivered({ id: appended.id, writer: ownerOf(appended.id), type: body.type, to }),
            }),
      }),
    };
  }

  /** Appends after the messages before, which may still store their content. */
  function inOrder(ready: () => Promise<SentMessage>): Promise<SentMessage> {
    const sent = (before ?? Promise.resolve()).then(ready);
    const settled = sent.then(
      () => undefined,
      () => undefined,
    );
    before = settled;
    void settled.then(() => {
      if (before === settled) before = undefined;
    });
    return sent;
  }

  return {
    async send({ content, ...fields }) {
      const isBytes = content instanceof Uint8Array;
      // Checked before the content is stored, so that a bad message leaves nothing behind.
      const body = parseMessageBody({
        ...fields,
        content: isBytes ? null : content,
        schemaVersion: messageSchemaVersion,
      });
      const bytes = isBytes ? content : toUtf8(JSON.stringify(content));
      if (tierOf(policy, body.type, bytes.length, isBytes) === "value") {
        if (!before) return append(body);
        const copy = structuredClone(body);
        return inOrder(() => append(copy));
      }
      // A message that waits says what it said when it was sent, whatever its sender does to the object meanwhile.
      const { content: _, ...rest } = structuredClone({ ...body, content: null });
      const stored = refs.put(bytes, { contentType: isBytes ? bytesType : jsonType });
      // Its failure is told by the message that waits for it, also where one before it fails first.
      stored.catch(() => undefined);
      return inOrder(async () => append({ ...rest, reference: await stored }));
    },
  };
}

/** The writer of an entry that this device made. */
function ownerOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}

/** Resolves when the relay has a reference; where it never will, the entry's own stage tells of the end. */
function uploaded(refs: OutboxOptions["refs"], id: string): Promise<void> {
  return new Promise((resolve) => {
    if (refs.state(id)?.state === "remote") {
      resolve();
      return;
    }
    const undo = refs.onChange((change) => {
      if (change.id !== id || change.state !== "remote") return;
      undo();
      resolve();
    });
  });
}

function tierOf(policy: PolicyManager, type: string, sizeBytes: number, isBytes: boolean): Tier {
  if (!isBytes) return policy.choose(type, sizeBytes);
  if (policy.policyFor(type).kind !== "always-value") return "reference";
  throw new FlockError(
    "messaging/invalid-message",
    `Messages of type ${type} travel by value, and bytes can't: send JSON.`,
    {
      details: { path: "content" },
    },
  );
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
    throw new FlockError(
      "messaging/invalid-message",
      `The content of ${message.id} says it is JSON and is not.`,
      {
        details: { path: "content", reference: reference.id },
      },
    );
  }
  return { ...message, content };
}
