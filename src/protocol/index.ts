/**
 * Owns what crosses a process: names, frames, control and document messages, the gate, the lane codec,
 * schemas, routes, close codes and limits. Refuses state, I/O and timers; client and relay meet only here.
 */
export { encodeAppend } from "./append-update.ts";
export {
  type Batch,
  decodeBatch,
  type EncodedEntry,
  type EntryAddress,
  type EntryRecord,
  encodeBatch,
  encodeEntry,
  entryId,
  type PageLink,
  type PreviousPage,
  parseEntryId,
} from "./batch.ts";
export { closeCodeOf, closeCodes, isFinalClose } from "./close-codes.ts";
export {
  type ControlMessage,
  decodeControl,
  encodeControl,
  type PresenceEntry,
  protocolVersion,
  roomSubprotocol,
} from "./control.ts";
export { type Cut, type CutOptions, cutUpdate } from "./cut.ts";
export {
  comparePages,
  type DocumentName,
  formatPageName,
  laneName,
  type PageName,
  parseDocumentName,
  parsePageName,
  readDocumentName,
  registerName,
  sharedName,
} from "./document-name.ts";
export { controlChannel, decodeFrame, encodeFrame, type FramePart, partBytes } from "./frame.ts";
export * from "./gate/index.ts";
export { copyJson, freezeJson, isJson, type Json, type JsonObject, parseJson } from "./json.ts";
export { jsonBytes } from "./json-size.ts";
export {
  creditEveryBytes,
  creditUnsaidBytes,
  creditWithinMs,
  frameOverheadBytes,
  maxEntryBytes,
  maxFrameBytes,
  maxPageBytes,
  maxPageEntries,
  maxPresenceBytes,
  maxReferenceBytes,
  maxSignalBytes,
  maxTokenBytes,
  maxUpdateBytes,
} from "./limits.ts";
export {
  addresses,
  agentOf,
  everyone,
  isMessageType,
  type MessageBody,
  messageBodySchema,
  messageKind,
  messageSchemaVersion,
  messageTypes,
} from "./message.ts";
export { defaultPriority, maxLabels, maxPriority, maxSources } from "./message-bounds.ts";
export { copyMessageBody } from "./message-form.ts";
export {
  type CancelBody,
  cancelKind,
  cancelSchema,
  type DeadLetterBody,
  deadLetterKind,
  deadLetterSchema,
  maxDeadLetters,
  type ProgressBody,
  progressKind,
  progressSchema,
  type RedriveBody,
  redriveKind,
  redriveSchema,
  type StreamEndBody,
  type StreamPart,
  streamEndKind,
  streamEndSchema,
  streamKind,
  streamPartSchema,
} from "./message-trail.ts";
export { type Presence, parsePresence, presenceSchema } from "./presence.ts";
export { isReferenceId, type Reference, referenceSchema } from "./reference.ts";
export {
  type ConsumerRecord,
  type LaneMarks,
  type LanePosition,
  type MatchTest,
  maxAhead,
  maxCapabilities,
  maxCapabilityLength,
  maxConsumerNameLength,
  maxConsumers,
  type RegisterRecord,
  registerRecordSchema,
} from "./register.ts";
export { documentsPath, parseRoomId, referencesPath, socketPath } from "./routes.ts";
export { decodeSeal, encodeSeal, sealContentType } from "./seal.ts";
export {
  type ServiceAnswer,
  type ServiceError,
  type ServiceRequest,
  type ServiceSignal,
  serviceAnswerSchema,
  serviceErrorSchema,
  serviceRequestSchema,
  serviceSignalSchema,
  serviceTypePrefix,
} from "./service-signal.ts";
export { formatShareLink, readShareLink, type ShareLink } from "./share-link.ts";
export { decodeSignal, encodeSignal, type SignalEnvelope } from "./signal.ts";
export { type SliceLimits, sliceUpdate } from "./slice.ts";
export {
  type DocumentMessage,
  decodeClocks,
  decodeDocumentMessage,
  emptyStateVector,
  emptyUpdate,
  encodeClocks,
  encodeDocumentMessage,
} from "./sync.ts";
export { bearerPrefix, parseScopes, principalOf, type TokenScope, tokenScopes } from "./token.ts";
export { readUpdateItems, type UpdateItems } from "./update-items.ts";
export { updatePartBytes, writeUpdatePart } from "./update-part.ts";
