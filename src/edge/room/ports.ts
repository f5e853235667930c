import type { Grant } from "./grant.ts";

/** One document of a room: its number is its channel on every socket, for as long as the epoch holds. */
export interface StoredDocument {
  /** From 1. */
  id: number;
  name: string;
}

/** A run of accepted updates of one document, as encoded parts of a frame: exactly what readers are sent. */
export interface StoredRow {
  /** The place in the room's one sequence, from 1. */
  sequence: number;
  document: number;
  /** At most 1 MiB. */
  parts: Uint8Array;
}

/** The next clock of one Yjs client in one document. */
export interface StoredClock {
  document: number;
  client: number;
  clock: number;
}

/** Items `from` to `to` (exclusive) of one Yjs client that lie in containers `depth` deep; `from` is its key. */
export interface StoredDepth {
  document: number;
  client: number;
  from: number;
  to: number;
  depth: number;
}

/** Single values that a room keeps. */
export type RoomSetting = "epoch" | "presences";

/** Everything that one transaction writes. */
export interface StorageCommit {
  settings?: Partial<Record<RoomSetting, string>>;
  documents?: readonly StoredDocument[];
  rows?: readonly StoredRow[];
  /** Each replaces the clock of its document and client. */
  clocks?: readonly StoredClock[];
  /** Each replaces the run of its document, client and `from`. */
  depths?: readonly StoredDepth[];
}

/**
 * The durable state of one room. Reads see every commit that returned; iterators must be drained
 * or dropped before the next commit.
 */
export interface RoomStorage {
  setting(name: RoomSetting): string | undefined;
  documentNamed(name: string): StoredDocument | undefined;
  documentNumbered(id: number): StoredDocument | undefined;
  /** The highest number given to a document; 0 without any. */
  lastDocument(): number;
  /** The sequence of the newest row; 0 without any. */
  head(): number;
  /** Every row after `sequence`, in order. */
  rowsAfter(sequence: number): Iterable<StoredRow>;
  /** Every row of one document, in order. */
  rowsOf(document: number): Iterable<StoredRow>;
  /** The next clock of a client; 0 where it is unknown. */
  clock(document: number, client: number): number;
  clocks(document: number): Map<number, number>;
  /** The run with the greatest `from` that is not past `clock`. */
  depthAt(document: number, client: number, clock: number): StoredDepth | undefined;
  /** Writes all of it or, when it throws, nothing. */
  commit(changes: StorageCommit): void;
}

/** A presence as its socket holds it. */
export interface HeldPresence {
  id: number;
  clock: number;
  state?: string;
}

/** What a room socket must remember while the room sleeps; `presence` is absent before it has joined. */
export interface RoomAttachment {
  kind: "room";
  grant: Grant;
  presence?: HeldPresence;
}

/** What a stock client's socket must remember while the room sleeps. */
export interface StockAttachment {
  kind: "stock";
  grant: Grant;
  /** The name of its shared document. */
  document: string;
  /** Whether the rows were sent to it, so that live updates may follow. */
  caughtUp: boolean;
  presence: HeldPresence;
  /** The first awareness client that it announced: the only one it may speak for. */
  awarenessClient?: number;
}

/** What a socket must remember while the room sleeps. */
export type SocketAttachment = RoomAttachment | StockAttachment;

/** One accepted WebSocket. */
export interface RoomSocket {
  /** Never throws: a message to a socket that closes is lost. */
  send(bytes: Uint8Array): void;
  /** Never throws; closing twice is safe. */
  close(code: number, reason: string): void;
  readAttachment(): SocketAttachment;
  writeAttachment(attachment: SocketAttachment): void;
}
