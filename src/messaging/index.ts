/**
 * Owns what agents say to each other: messages on lanes, by value or by reference, durable consumers,
 * and when a message counts as delivered. Refuses to know sockets, storage, and what the messages are about.
 */
export { type ConsumerOptions, openConsumer } from "./consumer/consumer.ts";
export { withoutServed } from "./consumer/consumer-positions.ts";
export type { ConsumerDelivery } from "./consumer/delivery-rules.ts";
export type { HandlerContext, MessageHandler } from "./consumer/handler-context.ts";
export type { LaneGap } from "./consumer/history-lane.ts";
export type { ConsumerStart } from "./consumer/history-start.ts";
export type { GapHandler } from "./consumer/lane-supply.ts";
export { type DeadLetterWriter, deadLetterWriter } from "./delivery/dead-letter-writer.ts";
export { type DeadLetter, type DeadLetters, openDeadLetters } from "./delivery/dead-letters.ts";
export { type Addressed, type DeliveryBoard, openDeliveryBoard } from "./delivery/delivery.ts";
export type { LetterName } from "./delivery/letter-blocks.ts";
export { redrive, type SentRedrive } from "./delivery/redrive.ts";
export { type Deliveries, type DeliveryStatus, openDeliveries, type WaitOptions } from "./delivery/status.ts";
export {
  type CompiledFilter,
  compileFilter,
  consumerName,
  type MessageFilter,
  type TypeName,
} from "./filter/filter.ts";
export type { Matcher } from "./filter/matcher.ts";
export { matchesTopic } from "./filter/topic-pattern.ts";
export { resolveContent } from "./message/content.ts";
export type { MessageEvolution } from "./message/content-schema.ts";
export {
  type DefineMessageOptions,
  defineMessage,
  type MessageDefinition,
  type MessageOf,
} from "./message/define-message.ts";
export {
  createIdempotencyIndex,
  type Duplicate,
  type IdempotencyIndex,
  type KeyedMessage,
} from "./message/idempotency.ts";
export { type Message, type ReceivedMessage, readMessage } from "./message/message.ts";
export { type ListedMessage, type MessageList, openMessageList } from "./message/message-list.ts";
export { createMessageTypes, type MessageTypes } from "./message/message-types.ts";
export { createOutbox, type Outbox, type OutboxOptions } from "./message/outbox.ts";
export type { OutgoingMessage, RoledMessage } from "./message/outgoing.ts";
export { type Provenance, type ProvenanceOptions, readProvenance } from "./message/provenance.ts";
export { type Answerable, createResponse, type OutgoingResponse } from "./message/response.ts";
export { createSentBefore } from "./message/sent-before.ts";
export type { SentMessage } from "./message/sent-message.ts";
export { type Cancellations, createCancellations } from "./requests/cancellations.ts";
export {
  defineService,
  type MethodSchemas,
  type Service,
  type ServiceClient,
  type ServiceContext,
  type ServiceHandlers,
} from "./requests/define-service.ts";
export type { OutgoingRequest } from "./requests/exchanges.ts";
export type { Progress, ProgressReport } from "./requests/progress.ts";
export type { RequestOptions } from "./requests/request.ts";
export type { RequestManyOptions } from "./requests/request-many.ts";
export { createRequests, type Requests, type ServeMethodsOptions } from "./requests/requests.ts";
export { createResponder, type Responder } from "./requests/responder.ts";
export type { ServiceOptions } from "./requests/service-client.ts";
export { createServiceDesk, type ServiceDesk } from "./requests/service-desk.ts";
export type { StreamPiece } from "./streams/assembly.ts";
export { type ReadStreamOptions, readStream } from "./streams/read-stream.ts";
export type { StreamWriter } from "./streams/stream-writer.ts";
export { createStreams, failOpenStreams, type OutgoingStream } from "./streams/streams.ts";
