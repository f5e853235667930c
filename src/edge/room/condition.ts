import { FlockError } from "../../base/index.ts";
import type { RoomStorage, StorageCommit } from "./ports.ts";

/** How a room stands: `importing` while an archive is being read into it, `deleted` until one is. */
export type RoomCondition = "open" | "halted" | "importing" | "deleted";

/** Tells how a room stands, from its storage. */
export function conditionOf(storage: RoomStorage): RoomCondition {
  if (storage.setting("importing") !== undefined) return "importing";
  if (storage.setting("deleted") !== undefined) return "deleted";
  return storage.setting("halted") === undefined ? "open" : "halted";
}

/** Why nobody may join the room at present; undefined where they may. */
export function closureOf(storage: RoomStorage): FlockError | undefined {
  switch (conditionOf(storage)) {
    case "importing":
      return new FlockError("edge/unavailable", "An archive is being read into the room: try again later.");
    case "deleted":
      return new FlockError("edge/room-deleted", "An administrator deleted the room.");
    default:
      return undefined;
  }
}

/** The commit that empties a room of everything but its audit trail, its revocations and whether it is deleted. */
export function emptyingOf(storage: RoomStorage): StorageCommit {
  const settings = { revokedBefore: storage.setting("revokedBefore"), deleted: storage.setting("deleted") };
  return { clear: true, settings, revocations: storage.revocations() };
}

/** Empties a room whose host was killed in the middle of an import; to be called before anything reads the storage. */
export function discardUnfinishedImport(storage: RoomStorage): void {
  if (storage.setting("importing") !== undefined) storage.commit(emptyingOf(storage));
}
