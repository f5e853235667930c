import type { Clock, ErrorCode, RandomBytes } from "../../base/index.ts";
import type { Grant } from "./grant.ts";
import type { Ledger } from "./ledger.ts";
import type { RoomStorage, StoredAuditEntry, StoredRevocation } from "./ports.ts";

/** One document, as an administrator sees it. */
export interface DocumentSummary {
  /** The number that pages through `documents`. */
  id: number;
  name: string;
  rows: number;
  /** Of its rows. */
  bytes: number;
}

/** How a room stands: `importing` while an archive is being read into it, `deleted` until one is. */
export type RoomCondition = "open" | "halted" | "importing" | "deleted";

/** What an administrator sees of a room at a glance. */
export interface RoomStatus {
  condition: RoomCondition;
  /** The random id of its history; absent before the first join. */
  epoch?: string;
  /** The sequence of the newest row. */
  head: number;
  documents: number;
  rows: number;
  /** Of all rows. */
  bytes: number;
  /** Tokens and principals that are listed as revoked. */
  revocations: number;
  /** Every token issued up to here is void, in milliseconds since 1970. */
  revokedBefore?: number;
}

/** What no longer holds: one token by its `jti`, every token that a principal or anybody was issued up to now. */
export type Revocation = { kind: "token" | "principal"; value: string } | { kind: "room" };

/** What a room's revocations are. */
export interface RevocationList {
  /** Every token of the room issued up to here is void, in milliseconds since 1970. */
  revokedBefore?: number;
  revocations: readonly StoredRevocation[];
}

/** What an import brought. */
export interface ImportedRoom {
  /** The new epoch: every cursor of a client is void. */
  epoch: string;
  documents: number;
  updates: number;
  /** Of the archive. */
  bytes: number;
}

/** What administration asks of the core that holds the sockets. */
export interface AdministrationHooks {
  /** Ends the turn: what is staged is stored and told, so that no action overtakes it. */
  endTurn(): void;
  /** Closes every socket with the code and its close code. */
  closeAll(code: ErrorCode, message: string): void;
  /** Tells every socket that the room is halted, or no more. */
  tellHalted(halted: boolean): void;
  /** Closes every socket whose grant was revoked. */
  recheckGrants(): void;
  /** The storage holds another history from here on: everything that memory has of it is void. */
  reload(): void;
}

/** What administration works on. */
export interface AdministrationPorts {
  storage: RoomStorage;
  /** The room's ledger as it is now: `reload` may have replaced it. */
  ledger(): Ledger<unknown>;
  clock: Pick<Clock, "now">;
  random: RandomBytes;
  hooks: AdministrationHooks;
}

/**
 * What the holder of scope `admin` does with a room; the caller has checked the scope. Every change leaves an audit
 * entry in its own transaction, and one that changes nothing leaves none.
 */
export interface RoomAdministration {
  /** Documents whose number is past `after`, in order. */
  documents(after: number, limit: number): DocumentSummary[];
  status(): RoomStatus;
  /**
   * The room as one file, in chunks of about 256 KiB. The room goes on serving meanwhile.
   *
   * @throws `edge/room-deleted`, `edge/unavailable` where the room was replaced meanwhile: the file is void then
   */
  exportRoom(by: Grant, room: string): AsyncIterable<Uint8Array>;
  /**
   * Reads an archive into a room without rows, or a deleted one, which has a new epoch then. Until it is whole
   * nothing can be seen of it, and nothing is left where it fails or the room's host is killed.
   *
   * @throws `edge/room-not-empty`, `edge/invalid-archive`, and the code of a limit that the room's content is past
   */
  importRoom(chunks: AsyncIterable<Uint8Array>, by: Grant): Promise<ImportedRoom>;
  /** Removes everything but the audit trail and the revocations, and closes every socket. */
  deleteRoom(by: Grant): void;
  /**
   * Refuses shared documents and lanes until `release`.
   *
   * @throws `edge/room-deleted`
   */
  halt(by: Grant): void;
  /** @throws `edge/room-deleted` */
  release(by: Grant): void;
  /** @throws `edge/too-many-revocations` past 10,000 tokens and principals; one of kind `room` empties the list. */
  revoke(by: Grant, revocation: Revocation): void;
  revocations(): RevocationList;
  /** Audit entries past a number, in order. */
  audit(after: number, limit: number): StoredAuditEntry[];
}
