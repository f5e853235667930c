import {
  type Clock,
  type ErrorCode,
  FlockError,
  isFlockError,
  type RandomBytes,
  randomId,
} from "../../base/index.ts";
import { relayVersion } from "../version.ts";
import { writeArchive } from "./archive/archive.ts";
import { type ArchiveContents, readArchive } from "./archive/archive-import.ts";
import { closureOf, conditionOf, emptyingOf, type RoomCondition } from "./condition.ts";
import { epochOf } from "./epoch.ts";
import type { Grant } from "./grant.ts";
import { createLedger } from "./ledger/ledger.ts";
import type { RoomLimits } from "./limits.ts";
import type { AuditEntry, RoomStorage, StoredAuditEntry, StoredRevocation } from "./ports.ts";
import { issuerAheadMs, maxRevocations } from "./revocations.ts";

/** One document, as an administrator sees it. */
export interface DocumentSummary {
  /** The number that pages through `documents`. */
  id: number;
  name: string;
  rows: number;
  /** Of its rows. */
  bytes: number;
}

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
export interface ImportedRoom extends ArchiveContents {
  /** The new epoch: every cursor of a client is void. */
  epoch: string;
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
  /** The storage holds another history from here on: what memory has of it is void, the ledger's included. */
  reload(): void;
}

/** What administration works on. */
export interface AdministrationPorts {
  storage: RoomStorage;
  limits: RoomLimits;
  clock: Clock;
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
  /** @throws `edge/too-many-revocations` past 10,000 tokens and principals; one of kind `room` replaces them. */
  revoke(by: Grant, revocation: Revocation): void;
  revocations(): RevocationList;
  /** Audit entries past a number, in order. */
  audit(after: number, limit: number): StoredAuditEntry[];
}

/** Creates the administration of a room. */
export function createRoomAdministration({
  storage,
  limits,
  clock,
  random,
  hooks,
}: AdministrationPorts): RoomAdministration {
  function entry(
    { principal, tokenId }: Grant,
    subject: string,
    { bytes = 0, verdict = "accepted" } = {},
  ): AuditEntry {
    return { at: clock.now(), principal, tokenId, subject, ranges: [], bytes, verdict };
  }

  function assertOpen(): void {
    const closure = closureOf(storage);
    if (closure) throw closure;
  }

  function setHalted(by: Grant, halted: boolean): void {
    assertOpen();
    if ((conditionOf(storage) === "halted") === halted) return;
    hooks.endTurn();
    storage.commit({
      settings: { halted: halted ? String(clock.now()) : undefined },
      audit: [entry(by, halted ? "halt" : "release")],
    });
    hooks.tellHalted(halted);
  }

  /** Empties the room for an import, and returns what marks it as this one's. */
  function beginImport(): string {
    hooks.endTurn();
    if (storage.size().rows > 0) {
      throw new FlockError("edge/room-not-empty", "The room holds documents: delete it before an import.");
    }
    if (conditionOf(storage) === "importing") assertOpen();
    const importing = randomId(random);
    const emptying = emptyingOf(storage);
    storage.commit({ ...emptying, settings: { ...emptying.settings, importing } });
    hooks.closeAll("edge/unavailable", "An archive is being read into the room: connect again.");
    hooks.reload();
    return importing;
  }

  return {
    documents: (after, limit) =>
      storage.documentsAfter(after, limit).map(({ id, name }) => ({ id, name, ...storage.size(id) })),
    status() {
      const epoch = storage.setting("epoch");
      return {
        condition: conditionOf(storage),
        ...(epoch !== undefined && { epoch }),
        head: storage.head(),
        documents: storage.documentCount(),
        ...storage.size(),
        revocations: storage.revocations().length,
        ...revokedBeforeOf(storage),
      };
    },
    exportRoom(by, room) {
      assertOpen();
      const origin = { room, epoch: epochOf(storage, random), head: storage.head(), madeAt: clock.now() };
      storage.commit({ audit: [entry(by, "export", { bytes: storage.size().bytes })] });
      return writeArchive(storage, { ...origin, relay: relayVersion });
    },
    async importRoom(chunks, by) {
      const importing = beginImport();
      const isCurrent = () => storage.setting("importing") === importing;
      // One of its own, whose audit does not push out the trail with an entry for each document.
      const ledger = createLedger<undefined>(storage, { limits, clock, audit: "refused" });
      try {
        const contents = await readArchive(chunks, { storage, ledger, by, isCurrent });
        const epoch = randomId(random);
        storage.commit({
          settings: { epoch, importing: undefined, deleted: undefined },
          audit: [entry(by, "import", contents)],
        });
        hooks.reload();
        return { ...contents, epoch };
      } catch (cause) {
        if (isCurrent()) {
          const verdict = isFlockError(cause) ? cause.code : "edge/unavailable";
          storage.commit({ ...emptyingOf(storage), audit: [entry(by, "import", { verdict })] });
          hooks.reload();
        }
        throw cause;
      }
    },
    deleteRoom(by) {
      if (conditionOf(storage) === "deleted") return;
      const emptying = emptyingOf(storage);
      storage.commit({
        ...emptying,
        settings: { ...emptying.settings, deleted: String(clock.now()) },
        audit: [entry(by, "delete")],
      });
      hooks.closeAll("edge/room-deleted", "An administrator deleted the room.");
      hooks.reload();
    },
    halt: (by) => setHalted(by, true),
    release: (by) => setHalted(by, false),
    revoke(by, revocation) {
      const now = clock.now();
      if (revocation.kind === "room") {
        storage.commit({
          settings: { revokedBefore: String(now) },
          clearRevocations: true,
          revocations: storage
            .revocations()
            .filter(({ kind, before }) => kind === "token" && before > now - issuerAheadMs),
          audit: [entry(by, "revoke/room")],
        });
      } else {
        const { kind, value } = revocation;
        if (!storage.revocation(kind, value) && storage.revocations().length >= maxRevocations) {
          throw new FlockError(
            "edge/too-many-revocations",
            `The room lists ${maxRevocations} revocations: revoke every token of the room up to now instead.`,
          );
        }
        storage.commit({
          revocations: [{ kind, value, before: now }],
          audit: [entry(by, `revoke/${kind}/${value}`)],
        });
      }
      hooks.recheckGrants();
    },
    revocations: () => ({ ...revokedBeforeOf(storage), revocations: storage.revocations() }),
    audit: (after, limit) => storage.auditAfter(after, limit),
  };
}

function revokedBeforeOf(storage: RoomStorage): { revokedBefore?: number } {
  const stored = storage.setting("revokedBefore");
  return stored === undefined ? {} : { revokedBefore: Number(stored) };
}
