import { FlockError, isId } from "../base/index.ts";

/** The path of a room's socket. */
export function socketPath(room: string): string {
  return `/v1/rooms/${room}/socket`;
}

/** The path below which stock y-websocket clients find a room's shared documents. */
export function documentsPath(room: string): string {
  return `/v1/rooms/${room}/docs`;
}

/** The path below which a room's references lie, by id. */
export function referencesPath(room: string): string {
  return `/v1/rooms/${room}/refs`;
}

/**
 * Returns the room's id, or throws.
 *
 * @throws `protocol/invalid-room`
 */
export function parseRoomId(value: unknown): string {
  if (isId(value)) return value;
  throw new FlockError(
    "protocol/invalid-room",
    `The room id ${JSON.stringify(value)} is not valid: use 1-64 characters of A-Za-z0-9_-.`,
  );
}
