import type { Message } from "./message.ts";
import type { OutgoingMessage } from "./outgoing.ts";

/** An answer, without what follows from the message that it answers. */
export interface OutgoingResponse
  extends Omit<OutgoingMessage, "type" | "to" | "topic" | "parent" | "conversation"> {
  /** Default: `TASK_RESULT` to a `TASK_REQUEST`, `QUERY_RESPONSE` to a `QUERY`, else the type of the message. */
  type?: string;
}

/** What of a message says how it is answered; received ones and listed ones both do. */
export type Answerable = Pick<
  Message,
  "id" | "type" | "from" | "writer" | "role" | "conversation" | "labels"
>;

/** What answers what. */
const responses: Readonly<Record<string, string>> = { TASK_REQUEST: "TASK_RESULT", QUERY: "QUERY_RESPONSE" };

/**
 * Makes the answer to a message: to its sender's agent, of a request a reply to the very writer that waits; in its
 * conversation, which the message begins where it is in none; with its labels.
 *
 * @example
 * ```ts
 * const room = await openRoom("answers");
 * const planner = await room.agent("planner");
 * const critic = await room.agent("critic");
 * const answered = new Promise<unknown>((resolve) => {
 *   planner.onMessage({ type: "QUERY_RESPONSE" }, ({ from, content }) => resolve([from, content]));
 * });
 * critic.onMessage({ type: "QUERY" }, async (message) => {
 *   await critic.send(createResponse(message, { content: "Not yet.", confidence: 0.8 }));
 * });
 * await planner.send({ to: "critic", type: "QUERY", content: "Is it done?" });
 * await answered; // ["anon.critic", "Not yet."]
 * await room.close();
 * ```
 */
export function createResponse(message: Answerable, outgoing: OutgoingResponse): OutgoingMessage {
  const labels = [...new Set([...(outgoing.labels ?? []), ...(message.labels ?? [])])];
  return {
    ...outgoing,
    // Only the library says it: a request waits for replies, and for nothing else.
    ...(message.role === "request" && { role: "reply" }),
    type:
      outgoing.type ??
      (Object.hasOwn(responses, message.type) ? responses[message.type] : undefined) ??
      message.type,
    to: message.role === "request" ? message.writer : message.from,
    parent: message.id,
    conversation: message.conversation ?? message.id,
    ...(labels.length > 0 && { labels }),
  };
}
