import { maxPresenceBytes, maxUpdateBytes } from "../../protocol/index.ts";

/** What a room takes before it refuses; each has a code of its own in `docs/errors.md`. */
export interface RoomLimits {
  /** One update, in bytes; cannot be raised past what a frame holds. `protocol/update-too-large` */
  updateBytes: number;
  /** All rows of one shared document, in bytes. `edge/document-full` */
  documentBytes: number;
  /** All rows of the room, in bytes, and 20 for each dropped page that is remembered. `edge/room-full` */
  roomBytes: number;
  /** `edge/too-many-documents` */
  documents: number;
  /** Open sockets of the room. `edge/too-many-connections` */
  connections: number;
  /** Open sockets of one principal in the room. `edge/too-many-connections` */
  connectionsPerPrincipal: number;
  /** Messages that one principal may send a second, on average over ten, by all its connections. `edge/rate-limited` */
  messagesPerSecond: number;
  /** Bytes that one principal may send a second, on average over ten, by all its connections. `edge/rate-limited` */
  bytesInPerSecond: number;
  /**
   * Updates of one principal that may be refused a second, on average over ten; one that an honest replica meets in
   * passing, such as `gate/gap`, counts a tenth. `edge/rate-limited`
   */
  refusalsPerSecond: number;
  /** Bytes that one principal may make the relay send it a second, beyond live updates: joins, clocks. `edge/rate-limited` */
  bytesOutPerSecond: number;
  /** One presence state, in bytes of JSON. `protocol/presence-too-large` */
  presenceBytes: number;
  /** Changes of one connection's presence that are told a second; those beyond are gathered, not refused. */
  presencesPerSecond: number;
  /**
   * Signals of one principal that are passed on a second, on average over ten, each once for every socket that hears it;
   * those beyond are lost.
   */
  signalsPerSecond: number;
}

/** The limits that hold where the settings name no others. */
export const defaultRoomLimits: Readonly<RoomLimits> = {
  updateBytes: maxUpdateBytes,
  documentBytes: 4 * 1024 * 1024,
  roomBytes: 1024 * 1024 * 1024,
  documents: 100_000,
  connections: 1_000,
  connectionsPerPrincipal: 200,
  messagesPerSecond: 2_000,
  bytesInPerSecond: 8 * 1024 * 1024,
  refusalsPerSecond: 5,
  bytesOutPerSecond: 16 * 1024 * 1024,
  presenceBytes: maxPresenceBytes,
  presencesPerSecond: 10,
  signalsPerSecond: 5_000,
};
