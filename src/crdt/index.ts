/**
 * Owns a room's documents on one device: shared state, lanes and their entries, registers, views, presence, signals,
 * and how all of them are kept and exchanged. Refuses to know what entries mean, and what a room is for.
 */
export { type Documents, type DocumentsOptions, openDocuments } from "./documents.ts";
export type { History } from "./history/history.ts";
export type { Entry, LoggedPage } from "./lanes/entry.ts";
export type { EntryLog } from "./lanes/entry-log.ts";
export { defaultLaneLimits, type LaneLimits } from "./lanes/lane-limits.ts";
export type { Appended } from "./lanes/own-lane.ts";
export type { PageStore } from "./page-store.ts";
export { type StorageFailure, storageFailed, storageFailureOf } from "./persistence/failure.ts";
export { createStorageHealth, type StorageHealth, type StorageState } from "./persistence/health.ts";
export { createInMemoryPersistence } from "./persistence/in-memory.ts";
export { type IndexedDbPlatform, openIndexedDbPersistence } from "./persistence/indexeddb.ts";
export type {
  DatabaseOptions,
  KeyValueStore,
  Persistence,
  SharedStore,
  StoredChange,
  StoredValue,
} from "./persistence/port.ts";
export type { PresenceBoard } from "./presence.ts";
export { defaultRetention, type Retention } from "./retention.ts";
export type { SharedDocument } from "./shared/shared-document.ts";
export type { Signal, Signals } from "./signals.ts";
export type { Evolution } from "./state/evolution.ts";
export type { Snapshot, StateHost } from "./state/handle.ts";
export { type ListDefinition, type ListHandle, list } from "./state/list.ts";
export { type MapDefinition, type MapHandle, type MapOptions, map } from "./state/map.ts";
export type { OutputOf, StandardResult, StandardSchema } from "./state/standard-schema.ts";
export { bindState, type StateOf, type StatePart, type StateSchema } from "./state/state.ts";
export { type KeyOf, type TableDefinition, type TableHandle, table } from "./state/table.ts";
export { type TextDefinition, type TextHandle, text } from "./state/text.ts";
export {
  type ChangeOrigin,
  createOrigin,
  openUndoHistory,
  type UndoHistory,
  type UndoneBy,
  type UndoOptions,
} from "./state/undo.ts";
export type { DocumentsStatus } from "./status.ts";
export type {
  LinkState,
  OpenSocket,
  OpenTabChannel,
  Socket,
  SocketEvents,
  TabChannel,
} from "./transports/port.ts";
export { openBroadcastChannel } from "./transports/tab-channel.ts";
export { createTokenSource, type TokenSource } from "./transports/token-source.ts";
export { createWebSocketOpener, type WebSocketConstructor } from "./transports/websocket.ts";
export { defineView, type ViewDefinition } from "./views/definition.ts";
export type { Order } from "./views/order.ts";
export { foldEntries } from "./views/replay.ts";
export type { KeyStatus, View, ViewChange, ViewOptions } from "./views/view.ts";
export type { Views } from "./views/views.ts";
export { createWrite, type Write, type WriteStage, type WriteStages } from "./write.ts";
export type { Pen } from "./writers/pen.ts";
export type { OpenedWriter } from "./writers/writer-pool.ts";
