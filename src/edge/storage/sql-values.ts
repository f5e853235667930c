import type { PageName } from "../../protocol/index.ts";
import type {
  AuditEntry,
  StoredAuditEntry,
  StoredClock,
  StoredDocument,
  StoredPlace,
  StoredRevocation,
  StoredRow,
  StoredWriter,
} from "../room/ports.ts";
import { maxPieces } from "./schema.ts";

export type SqlValue = ArrayBuffer | string | number | null;

/** A row of a table, by the names of its columns. */
export type SqlRow = Record<string, SqlValue>;

export function toDocument(row: SqlRow): StoredDocument {
  const { writer } = row;
  return {
    id: Number(row["id"]),
    name: String(row["name"]),
    ...(typeof writer === "string" && { writer }),
    day: Number(row["day"]),
  };
}

export function toWriter(row: SqlRow): StoredWriter {
  return { writer: String(row["writer"]), day: Number(row["day"]) };
}

export function toRow(row: SqlRow): StoredRow {
  const place = Number(row["place"]);
  return {
    sequence: Math.floor(place / maxPieces),
    piece: place % maxPieces,
    document: Number(row["document"]),
    parts: new Uint8Array(row["parts"] as ArrayBuffer),
  };
}

export function toClock(row: SqlRow): StoredClock {
  return {
    document: Number(row["document"]),
    client: Number(row["client"]),
    clock: Number(row["clock"]),
    owner: String(row["owner"]),
  };
}

export function toPlace(row: SqlRow): StoredPlace {
  return {
    document: Number(row["document"]),
    client: Number(row["client"]),
    from: Number(row["since"]),
    to: Number(row["upto"]),
    depth: Number(row["depth"]),
    keyed: Number(row["keyed"]) === 1,
  };
}

export function toPageName(row: SqlRow): PageName {
  return { number: Number(row["number"]), client: Number(row["client"]) };
}

export function toAuditEntry(row: SqlRow): StoredAuditEntry {
  return { ...(JSON.parse(String(row["entry"])) as AuditEntry), id: Number(row["id"]) };
}

export function toRevocation(row: SqlRow): StoredRevocation {
  return {
    kind: row["kind"] === "token" ? "token" : "principal",
    value: String(row["value"]),
    before: Number(row["before"]),
  };
}
