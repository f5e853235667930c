import * as z from "zod/mini";
import { FlockError } from "../base/index.ts";
import type { Entry } from "../crdt/index.ts";
import {
  addresses,
  type ConsumerRecord,
  type JsonObject,
  maxConsumerNameLength,
  messageBodySchema,
  messageKind,
} from "../protocol/index.ts";
import type { Message } from "./message/message.ts";

/** Which messages a handler takes. */
export interface MessageFilter {
  /** Only of this type; default every type. */
  type?: string;
  /** Messages to this topic instead of those that name the agent. */
  topic?: string;
  /** A further condition, in this process only; needs a `consumer` name, since a function has none that lasts. */
  where?: (message: Message) => boolean;
}

/** Tells whether a message is for the consumer of an agent, as far as its published filter says. */
export function matchesRecord(
  filter: ConsumerRecord["filter"],
  message: Pick<Message, "type" | "to" | "topic">,
  writer: string,
): boolean {
  if (filter.type !== undefined && filter.type !== message.type) return false;
  return filter.topic === undefined
    ? message.to !== undefined && addresses(message.to, writer)
    : filter.topic === message.topic;
}

/** Whether an entry can hold a message that a filter takes, by a look that costs little. */
export function mayMatch({ type, topic }: MessageFilter, { kind, body }: Entry): boolean {
  if (kind !== messageKind || typeof body !== "object" || body === null || Array.isArray(body)) return false;
  const said = body as JsonObject;
  if (type !== undefined && said["type"] !== type) return false;
  return topic === undefined ? said["to"] !== undefined : said["topic"] === topic;
}

const { type: typeSchema, topic: topicSchema } = messageBodySchema.shape;
const declaredSchema = z.object({ type: z.optional(typeSchema), topic: topicSchema });

/** The part of a filter that others are told, for senders who wait. */
export function declaredOf({ type, topic }: MessageFilter): ConsumerRecord["filter"] {
  return { ...(type !== undefined && { type }), ...(topic !== undefined && { topic }) };
}

/**
 * The name under which a consumer keeps its position.
 *
 * @throws `messaging/invalid-filter`, `messaging/consumer-name-required`
 */
export function consumerName({ type, topic, where }: MessageFilter, name: string | undefined): string {
  if (!z.safeParse(declaredSchema, { type, topic }).success) {
    throw new FlockError(
      "messaging/invalid-filter",
      `No message has the type ${JSON.stringify(type)} and the topic ${JSON.stringify(topic)}: correct the one that is no name.`,
    );
  }
  if (name !== undefined) {
    if (name === "" || name === "__proto__" || name.length > maxConsumerNameLength) {
      throw new FlockError(
        "messaging/invalid-filter",
        `A consumer can't be named ${JSON.stringify(name.slice(0, 100))}: use 1-${maxConsumerNameLength} characters.`,
      );
    }
    return name;
  }
  if (where) {
    throw new FlockError(
      "messaging/consumer-name-required",
      "A filter with a `where` function needs a `consumer` name, so that its position is found again after a reload.",
    );
  }
  return `${topic === undefined ? "direct" : `topic:${topic}`}/${type ?? "*"}`;
}
