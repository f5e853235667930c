import { FlockError } from "../base/index.ts";
import { addresses, type ConsumerRecord } from "../protocol/index.ts";
import type { Message } from "./message.ts";

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
export function matchesRecord(filter: ConsumerRecord["filter"], message: Message, writer: string): boolean {
  if (filter.type !== undefined && filter.type !== message.type) return false;
  return filter.topic === undefined
    ? message.to !== undefined && addresses(message.to, writer)
    : filter.topic === message.topic;
}

/**
 * The name under which a consumer keeps its position.
 *
 * @throws `messaging/consumer-name-required`
 */
export function consumerName({ type, topic, where }: MessageFilter, name: string | undefined): string {
  if (name !== undefined) return name;
  if (where) {
    throw new FlockError(
      "messaging/consumer-name-required",
      "A filter with a `where` function needs a `consumer` name, so that its position is found again after a reload.",
    );
  }
  return `${topic === undefined ? "direct" : `topic:${topic}`}/${type ?? "*"}`;
}
