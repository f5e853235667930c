import type { ErrorCode } from "../../../base/index.ts";
import type { DocumentName } from "../../../protocol/index.ts";
import { conditionOf } from "../condition.ts";
import { allows, type Grant, mayWrite } from "../grant.ts";
import type { RoomStorage } from "../ports.ts";

/** Why an update was not accepted. */
export interface LedgerRefusal {
  code: ErrorCode;
  message: string;
  /** Whether the sender should send again from the relay's clocks. */
  resync: boolean;
}

/** A refusal for good, until its sender connects again or changes it. */
export function refusal(code: ErrorCode, message: string): LedgerRefusal {
  return { code, message, resync: false };
}

/** Why the holder of a grant may not write a document at present; undefined where it may. */
export function denialOf(
  storage: RoomStorage,
  grant: Grant,
  document: DocumentName,
): LedgerRefusal | undefined {
  if (!mayWrite(grant, document)) return whyNot(grant, document);
  const condition = conditionOf(storage);
  if (condition === "deleted") return refusal("edge/room-deleted", "An administrator deleted the room.");
  if (condition === "halted" && document.kind !== "register") {
    return refusal("edge/halted", `The room is halted: ${document.name} takes nothing until its release.`);
  }
  return undefined;
}

/** Why the holder of a grant may not drop a document at present; undefined where it may. */
export function denialOfDrop(
  storage: RoomStorage,
  grant: Grant,
  document: DocumentName,
): LedgerRefusal | undefined {
  if (document.kind === "shared") {
    return refusal(
      "edge/forbidden",
      `${document.name} is everybody's: only pages and registers can be dropped.`,
    );
  }
  const denial = denialOf(storage, grant, document);
  if (denial || conditionOf(storage) !== "halted") return denial;
  // A register may be written, for what an agent has to say; what was said is not to go meanwhile.
  return refusal("edge/halted", `The room is halted: ${document.name} stays until its release.`);
}

function whyNot(grant: Grant, document: DocumentName): LedgerRefusal {
  const isForeign = document.kind !== "shared" && document.principal !== grant.principal;
  return isForeign
    ? refusal("gate/not-owner", `${document.name} belongs to another principal than ${grant.principal}.`)
    : refusal("edge/forbidden", `The token of ${grant.principal} does not allow to write ${document.name}.`);
}

/** Whether a grant may bring new structs of a Yjs client that belongs to this principal. */
export function maySpeakFor(grant: Grant, owner: string): boolean {
  return owner === grant.principal || allows(grant, "admin");
}
