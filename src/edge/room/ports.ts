import type { PageName } from "../../protocol/index.ts";
import type { Grant } from "./grant.ts";

/** One document of a room: its number is its channel on every socket, and no other's for as long as the epoch holds. */
export interface StoredDocument {
  /** From 1. */
  id: number;
  name: string;
  /** Of a page or register: whose it is. */
  writer?: string;
  /** The UTC day of its last write, in days since 1970. */
  day: number;
}

/** A writer, as long as it has a page or register. */
export interface StoredWriter {
  writer: string;
  /** The newest day of its documents. */
  day: number;
}

/** A run of accepted updates of one document, as encoded parts of a frame: exactly what readers are sent. */
export interface StoredRow {
  /** The place in the room's one sequence, from 1. */
  sequence: number;
  /** The place among the rows of that sequence, from 0: a snapshot may take several. A cursor covers all of them. */
  piece: number;
  document: number;
  /** At most 1 MiB. */
  parts: Uint8Array;
}

/** The next clock of one Yjs client in one document. */
export interface StoredClock {
  document: number;
  client: number;
  clock: number;
  /** The principal whose update first used this client, which nobody else may go on with; empty after a refill. */
  owner: string;
}

/** Items `from` to `to` (exclusive) of one Yjs client that lie in one kind of place; `from` is its key. */
export interface StoredPlace {
  document: number;
  client: number;
  from: number;
  to: number;
  /** How deep the container is nested. */
  depth: number;
  /** Whether they lie under a key of a nested map. */
  keyed: boolean;
}

/** A page that its writer has dropped: its name is remembered for as long as the writer's register is there. */
export interface StoredDroppedPage {
  /** The number of the register. */
  register: number;
  page: PageName;
}

/** What was done, or refused: of one principal, document and turn. */
export interface AuditEntry {
  /** In milliseconds since 1970. */
  at: number;
  principal: string;
  /** The token's `jti`. */
  tokenId: string;
  /** The document's name, or the administrator's action such as `halt`. */
  subject: string;
  /** The clocks that the updates covered, by Yjs client. */
  ranges: readonly { client: number; from: number; to: number }[];
  bytes: number;
  /** `accepted`, `dropped`, or the code that it was refused with. */
  verdict: string;
}

/** An audit entry with its number, from 1 and rising. */
export interface StoredAuditEntry extends AuditEntry {
  id: number;
}

/** Tokens that no longer hold, though they have not expired: one by its id, or a principal's issued before a moment. */
export interface StoredRevocation {
  kind: "token" | "principal";
  /** The token's `jti`, or the principal. */
  value: string;
  /** Tokens issued up to here are revoked, in milliseconds since 1970; of kind `token` it says when. */
  before: number;
}

/**
 * Single values that a room keeps: `revokedBefore` is the moment up to which every token of the room is void,
 * `retention` the one from which it is counted when writers are looked through next, `deleted`, `halted` and
 * `importing` are set while the room is so.
 */
export type RoomSetting =
  | "epoch"
  | "presences"
  | "revokedBefore"
  | "retention"
  | "deleted"
  | "halted"
  | "importing";

/** Everything that one transaction writes, in the order of these fields. */
export interface StorageCommit {
  /** First of all, everything is deleted but the audit entries. */
  clear?: boolean;
  /** Undefined removes the value. */
  settings?: Partial<Record<RoomSetting, string | undefined>>;
  /**
   * Documents of these numbers go, with rows, clocks, places and, of a register, the pages that its writer had dropped:
   * their names are free, the numbers given, stored or not.
   */
  dropDocuments?: readonly number[];
  documents?: readonly StoredDocument[];
  /** Each replaces the day of a document. */
  days?: readonly Pick<StoredDocument, "id" | "day">[];
  /** Every row of these documents up to and with this sequence is deleted. */
  removeRows?: readonly { document: number; upTo: number }[];
  rows?: readonly StoredRow[];
  /** Each replaces the clock of its document and client. */
  clocks?: readonly StoredClock[];
  /** Each replaces the run of its document, client and `from`. */
  places?: readonly StoredPlace[];
  /** One that is known stays as it is. */
  droppedPages?: readonly StoredDroppedPage[];
  audit?: readonly AuditEntry[];
  /** Audit entries up to and with this number are deleted; the newest stays, so that numbers rise. */
  trimAudit?: number;
  /** Every revocation is deleted. */
  clearRevocations?: boolean;
  /** Each replaces the one of its kind and value. */
  revocations?: readonly StoredRevocation[];
}

/** How much is stored, of the room or of one document. */
export interface StoredSize {
  rows: number;
  /** Of the rows' parts. */
  bytes: number;
}

/**
 * The durable state of one room. Reads see every commit that returned; iterators must be drained
 * or dropped before the next commit.
 */
export interface RoomStorage {
  setting(name: RoomSetting): string | undefined;
  documentNamed(name: string): StoredDocument | undefined;
  documentNumbered(id: number): StoredDocument | undefined;
  /** Documents whose number is past `after`, in order. */
  documentsAfter(after: number, limit: number): StoredDocument[];
  /** The highest number ever given to a document, dropped ones included; 0 before the first, and after a clear. */
  lastDocument(): number;
  /** How many documents there are. */
  documentCount(): number;
  /** Those who wrote longest ago, first; looks at an index entry of each of their documents. */
  idlestWriters(limit: number): StoredWriter[];
  /** Pages and register of a writer, in order of their numbers. */
  documentsOf(writer: string, limit: number): StoredDocument[];
  /** The sequence of the newest row that there ever was, dropped ones included; 0 before the first, and after a clear. */
  head(): number;
  /** Every row after `sequence`, in order of sequence and piece. */
  rowsAfter(sequence: number): Iterable<StoredRow>;
  /** Every row of one document after `sequence`, 0 by default, in order of sequence and piece. */
  rowsOf(document: number, sequence?: number): Iterable<StoredRow>;
  /** The size of the whole room, or of one document; cheap enough to ask once when a document is first touched. */
  size(document?: number): StoredSize;
  /** Documents of at least so many rows, in order of their numbers; asked once when the room wakes. */
  longDocuments(rows: number, limit: number): number[];
  /** What is known of a client's clock; undefined where the client is unknown. */
  clock(document: number, client: number): StoredClock | undefined;
  clocks(document: number): Iterable<StoredClock>;
  /** The run with the greatest `from` that is not past `clock`. */
  placeAt(document: number, client: number, clock: number): StoredPlace | undefined;
  /** Whether a page is remembered as dropped. */
  wasDropped(dropped: StoredDroppedPage): boolean;
  /** The dropped pages of a writer, by the number of its register, in order. */
  droppedPages(register: number): Iterable<PageName>;
  /** How many pages are remembered as dropped, of the room or of one register; as cheap as `size`. */
  droppedCount(register?: number): number;
  /** Audit entries past a number, in order. */
  auditAfter(id: number, limit: number): StoredAuditEntry[];
  /** The number of the newest audit entry; 0 without any. */
  lastAudit(): number;
  revocation(kind: StoredRevocation["kind"], value: string): StoredRevocation | undefined;
  revocations(): StoredRevocation[];
  /** Writes all of it or, when it throws, nothing. */
  commit(changes: StorageCommit): void;
}

/** A presence as its socket holds it. */
export interface HeldPresence {
  id: number;
  clock: number;
  state?: string;
}

/** How far a socket has been told, that must be remembered while the room sleeps. */
export interface HeldProgress {
  /** Whether it has been told that it caught up. */
  caughtUp: boolean;
  /** The sequence that it was told up to, while it reads rows from storage; absent while it is told live. */
  toldUpTo?: number;
  /** Whether presence that changed is held back from it. */
  presenceHeld?: boolean;
}

/** What a reader that lags owes, so that a sleep forgives it nothing. */
export interface HeldFlow {
  /** Bytes that it was sent. */
  sent: number;
  /** How many of them it has taken, as far as it said. */
  taken: number;
  /** When it said so, or began to owe, in milliseconds. */
  heardAt: number;
}

/** What a room socket must remember while the room sleeps; `presence` is absent before it has joined. */
export interface RoomAttachment extends HeldProgress {
  kind: "room";
  grant: Grant;
  /** There while `toldUpTo` is. */
  flow?: HeldFlow;
  presence?: HeldPresence;
}

/** What a stock client's socket must remember while the room sleeps. */
export interface StockAttachment extends HeldProgress {
  kind: "stock";
  grant: Grant;
  /** The name of its shared document. */
  document: string;
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
