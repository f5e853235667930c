/**
 * The main door of flockstate: rooms, agents, messages, shared state, references and errors.
 * Everything else opens on a room from a door of its own.
 */
export {
  type Closable,
  type ErrorCode,
  FlockError,
  isFlockError,
  type Store,
  type Undo,
} from "./base/index.ts";
export {
  type ChangeOrigin,
  createInMemoryPersistence,
  createWebSocketOpener,
  defineView,
  type Entry,
  type Evolution,
  type ListHandle,
  list,
  type MapHandle,
  map,
  type Persistence,
  type Retention,
  type Snapshot,
  type StandardSchema,
  type StateOf,
  type StateSchema,
  type TableHandle,
  type TextHandle,
  table,
  text,
  type UndoHistory,
  type UndoneBy,
  type UndoOptions,
  type View,
  type ViewDefinition,
  type Write,
  type WriteStage,
} from "./crdt/index.ts";
export type {
  HandlerContext,
  ListedMessage,
  Message,
  MessageFilter,
  MessageHandler,
  OutgoingMessage,
  ReceivedMessage,
  SentMessage,
} from "./messaging/index.ts";
export {
  type Json,
  type JsonObject,
  messageTypes,
  type Reference,
  readShareLink,
  type ShareLink,
} from "./protocol/index.ts";
export { alwaysReference, alwaysValue, autoPromote, type CommunicationPolicy } from "./refstore/index.ts";
export {
  type Agent,
  type AgentInfo,
  openRoom,
  type Room,
  type RoomOptions,
  type RoomPlatform,
  type RoomReferences,
  type RoomStatus,
} from "./room/index.ts";
