/**
 * Owns the relay: the Worker's routes, the room's Durable Object, and the platform-neutral core of a room
 * that both it and the simulator run. Refuses to decide anything: it stores, forwards, checks, acknowledges,
 * and builds a document only to compact it.
 */
export { createRelay, type Relay, type RelayBindings } from "./http/app.ts";
export type { BlobBody, BlobBucket, BlobHead } from "./http/blobs.ts";
export type { RelayVariables } from "./http/settings.ts";
export { consoleSink, createLog, type Log, type LogLevel, type LogSink } from "./operations/log.ts";
export { type MetricsNamespace, MetricsObject } from "./operations/metrics-object.ts";
export {
  type CounterName,
  type GaugeName,
  type RoomObserver,
  silentObserver,
} from "./operations/observer.ts";
export type {
  DocumentSummary,
  ImportedRoom,
  Revocation,
  RevocationList,
  RoomAdministration,
  RoomStatus,
} from "./room/administration.ts";
export type { RoomCondition } from "./room/condition.ts";
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
  StoredDroppedPage,
  StoredPlace,
  StoredRevocation,
  StoredRow,
  StoredSize,
  StoredWriter,
} from "./room/ports.ts";
export { createRoomCore, type RoomCore, type RoomPorts } from "./room/room-core.ts";
export { RoomObject, type RoomObjectContext, type RoomObjectStorage } from "./room-object.ts";
export { createDiskBucket, type DiskService } from "./storage/disk-bucket.ts";
export { createInMemoryStorage } from "./storage/in-memory-storage.ts";
export { openSqlStorage, type SqlDriver } from "./storage/sql-storage.ts";
export {
  type MintShareLinkOptions,
  type MintTokenOptions,
  mintShareLink,
  mintToken,
} from "./tokens/mint-token.ts";
export type { MintingKey, PublicJwk, TokenKey } from "./tokens/token-key.ts";
export {
  createTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
} from "./tokens/token-verifier.ts";
