/**
 * Owns the relay: the Worker's routes, the room's Durable Object, and the platform-neutral core of a room
 * that both it and the simulator run. Refuses to decide anything: it stores, forwards, checks, acknowledges,
 * and builds no document.
 */
export { createRelay, type RelayBindings } from "./app.ts";
export type { BlobBody, BlobBucket, BlobHead } from "./blobs.ts";
export { createInMemoryStorage } from "./in-memory-storage.ts";
export type {
  HeldPresence,
  RoomAttachment,
  RoomSetting,
  RoomSocket,
  RoomStorage,
  SocketAttachment,
  StockAttachment,
  StorageCommit,
  StoredClock,
  StoredDepth,
  StoredDocument,
  StoredRow,
} from "./ports.ts";
export { createRoomCore, type RoomCore, type RoomPorts } from "./room-core.ts";
export { RoomObject, type RoomObjectContext } from "./room-object.ts";
export { openSqlStorage, type SqlDriver } from "./sql-storage.ts";
