import type { RoomStorage } from "../ports.ts";

/** Ids that one write reserves; those unused when the room falls asleep are skipped. */
const reservation = 64;

/** Gives every connection of a room an id of its own, never twice in an epoch. */
export interface PresenceIds {
  next(): number;
  /** Tells whether this room has given, or may have given, an id to a connection. */
  mayBeGiven(id: number): boolean;
}

/** Creates the source of presence ids over the room's storage. */
export function createPresenceIds(storage: RoomStorage): PresenceIds {
  let next = Number(storage.setting("presences") ?? 1);
  let reserved = next;
  return {
    next() {
      if (next >= reserved) {
        const presences = next + reservation;
        storage.commit({ settings: { presences: String(presences) } });
        reserved = presences;
      }
      return next++;
    },
    mayBeGiven: (id) => id < next,
  };
}
