import type { ErrorCode } from "../base/index.ts";

/**
 * Why the relay closes a socket. A stock y-websocket client gives up at 4400-4499
 * and connects again after any other code.
 */
export const closeCodes = {
  /** A frame or message that breaks the grammar. */
  malformed: 4400,
  /** No token, or one that is not valid, has expired or was revoked: come again with another. */
  unauthorized: 4401,
  /** The token or the origin does not allow it; another token of that kind would not either. */
  forbidden: 4403,
  /** The room or document that the URL names is not valid. */
  unknownDocument: 4404,
  /** A protocol version that this relay does not speak. */
  unsupportedVersion: 4406,
  /** A frame before `join`, or a second `join`. */
  notJoined: 4409,
  /** An administrator deleted the room. */
  deleted: 4410,
  /** A frame, update or presence past its limit. */
  tooLarge: 4413,
  /** Storage failed: the relay holds nothing of what it did not acknowledge; connect again. */
  unavailable: 4503,
  /** Too many connections, messages or bytes: connect again later. */
  overloaded: 4529,
} as const;

/** Codes at which a client of ours stops, because connecting again would end the same way. */
export function isFinalClose(code: number): boolean {
  return code >= 4400 && code < 4500;
}

/** The close code that goes with an error code; `malformed` where none is more exact. */
export function closeCodeOf(code: ErrorCode): number {
  switch (code) {
    case "protocol/unknown-document":
    case "protocol/invalid-room":
      return closeCodes.unknownDocument;
    case "edge/token-required":
    case "edge/token-invalid":
    case "edge/token-expired":
    case "edge/token-revoked":
      return closeCodes.unauthorized;
    case "edge/forbidden":
    case "edge/origin-refused":
    case "edge/not-local":
    case "edge/not-configured":
      return closeCodes.forbidden;
    case "edge/room-deleted":
      return closeCodes.deleted;
    case "edge/rate-limited":
    case "edge/too-many-connections":
      return closeCodes.overloaded;
    case "protocol/unsupported-version":
      return closeCodes.unsupportedVersion;
    case "protocol/not-joined":
      return closeCodes.notJoined;
    case "protocol/frame-too-large":
    case "protocol/update-too-large":
    case "protocol/presence-too-large":
    case "edge/document-full":
    case "edge/room-full":
    case "edge/too-many-documents":
      return closeCodes.tooLarge;
    case "edge/halted":
    case "edge/unavailable":
    case "edge/invalid-settings":
      return closeCodes.unavailable;
    default:
      return closeCodes.malformed;
  }
}
