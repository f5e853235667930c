/** Every code an error of this library can carry; `docs/errors.md` says of each what to do. */
export type ErrorCode =
  | "base/invalid-id"
  | "base/invalid-timestamp"
  | "base/insecure-context"
  | "protocol/malformed-frame"
  | "protocol/frame-too-large"
  | "protocol/update-too-large"
  | "protocol/unsupported-version"
  | "protocol/unknown-document"
  | "protocol/unknown-channel"
  | "protocol/malformed-batch"
  | "protocol/invalid-room"
  | "protocol/not-joined"
  | "protocol/presence-too-large"
  | "gate/malformed"
  | "gate/not-canonical"
  | "gate/bounds"
  | "gate/not-owner"
  | "gate/gap"
  | "gate/overlap"
  | "gate/deletes"
  | "gate/right-origin"
  | "gate/origin"
  | "gate/depth"
  | "gate/forbidden-key"
  | "gate/forbidden-content"
  | "gate/profile"
  | "gate/too-many-structs"
  | "crdt/invalid-state"
  | "crdt/invalid-value"
  | "crdt/closed"
  | "crdt/storage-failed"
  | "crdt/storage-newer"
  | "crdt/history-lost"
  | "crdt/history-corrupt"
  | "crdt/view-failed"
  | "crdt/entry-too-large"
  | "crdt/refused"
  | "crdt/no-addressee"
  | "refstore/not-found"
  | "refstore/corrupt"
  | "refstore/invalid-id"
  | "refstore/invalid-options"
  | "refstore/too-large"
  | "refstore/quota"
  | "refstore/unavailable"
  | "refstore/closed"
  | "refstore/refused"
  | "messaging/invalid-message"
  | "messaging/value-too-large"
  | "messaging/invalid-filter"
  | "messaging/handler-failed"
  | "messaging/consumer-exists"
  | "messaging/consumer-name-required"
  | "messaging/too-many-consumers"
  | "messaging/gap"
  | "messaging/invalid-content"
  | "messaging/invalid-options"
  | "messaging/ack-timeout"
  | "messaging/dead-letter"
  | "messaging/not-dead"
  | "messaging/cancelled"
  | "messaging/expired"
  | "messaging/request-failed"
  | "messaging/late-reply"
  | "messaging/foreign-reply"
  | "messaging/unknown-method"
  | "messaging/stream-closed"
  | "messaging/stream-corrupt"
  | "messaging/stream-failed"
  | "messaging/stream-too-large"
  | "room/invalid-options"
  | "room/agent-exists"
  | "room/closed"
  | "room/token-failed"
  | "room/wrong-principal"
  | "edge/not-found"
  | "edge/not-local"
  | "edge/unavailable"
  | "edge/upgrade-required"
  | "edge/not-configured"
  | "edge/invalid-settings"
  | "edge/invalid-request"
  | "edge/token-required"
  | "edge/token-invalid"
  | "edge/token-expired"
  | "edge/token-revoked"
  | "edge/forbidden"
  | "edge/origin-refused"
  | "edge/rate-limited"
  | "edge/too-many-connections"
  | "edge/too-many-documents"
  | "edge/document-full"
  | "edge/dropped"
  | "edge/room-full"
  | "edge/room-deleted"
  | "edge/room-not-empty"
  | "edge/invalid-archive"
  | "edge/halted"
  | "edge/too-many-revocations";

/** What an error may carry besides its code. */
export interface ErrorDetails {
  /** The error that led to this one. */
  cause?: unknown;
  /** The values seen, by name; safe to log, never contents. */
  details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error of this library: callers switch on its `code`.
 *
 * @example
 * ```ts
 * const problem = new FlockError("base/invalid-id", 'The room id "a b" has a space: use 1-64 of A-Za-z0-9_-.');
 * problem.code; // "base/invalid-id"
 * ```
 */
export class FlockError extends Error {
  override readonly name = "FlockError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** Tells whether a caught value is a `FlockError`, with the given code if one is named. */
export function isFlockError(value: unknown, code?: ErrorCode): value is FlockError {
  return value instanceof FlockError && (code === undefined || value.code === code);
}
