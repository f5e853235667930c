/**
 * Owns what agents say to each other: messages on lanes, by value or by reference, durable consumers,
 * and when a message counts as delivered. Refuses to know sockets, storage, and what the messages are about.
 */
export {
  type ConsumerOptions,
  type GapHandler,
  type HandlerContext,
  type MessageHandler,
  openConsumer,
} from "./consumer/consumer.ts";
export type { LaneGap } from "./consumer/history-lane.ts";
export type { ConsumerStart } from "./consumer/history-start.ts";
export { type Addressed, type DeliveryBoard, openDeliveryBoard } from "./delivery/delivery.ts";
export { consumerName, type MessageFilter, matchesRecord } from "./filter/filter.ts";
export { type Message, type ReceivedMessage, readMessage } from "./message/message.ts";
export { type ListedMessage, type MessageList, openMessageList } from "./message/message-list.ts";
export {
  createOutbox,
  type Outbox,
  type OutboxOptions,
  type OutgoingMessage,
  resolveContent,
  type SentMessage,
} from "./message/outbox.ts";
