/**
 * Owns the relay: the Worker's routes, the room's Durable Object, and the platform-neutral core of a room
 * that both it and the simulator run. Refuses to decide anything: it stores, forwards, checks, acknowledges,
 * and builds no document.
 */
export { createRelay, type RelayBindings } from "./http/app.ts";
export type { BlobBody, BlobBucket, BlobHead } from "./http/blobs.ts";
export {
  type CounterName,
  type GaugeName,
  type RoomObserver,
  silentObserver,
} from "./operations/observer.ts";
export { developmentGrant, type Grant } from "./room/grant.ts";
export { defaultRoomLimits, type RoomLimits } from "./room/limits.ts";
export type {
  AuditEntry,
  HeldPresence,
  RoomAttachment,
  RoomSetting,
  RoomSocket,
  RoomStorage,
  SocketAttachment,
  StockAttachment,
  StorageCommit,
  StoredAuditEntry,
  StoredClock,
  StoredDocument,
  StoredPlace,
  StoredRevocation,
  StoredRow,
  StoredSize,
} from "./room/ports.ts";
export { createRoomCore, type RoomCore, type RoomPorts } from "./room/room-core.ts";
export { RoomObject, type RoomObjectContext } from "./room-object.ts";
export { createInMemoryStorage } from "./storage/in-memory-storage.ts";
export { openSqlStorage, type SqlDriver } from "./storage/sql-storage.ts";
