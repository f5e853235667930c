import { z } from "zod";
import { type Answer, declareRoute } from "./route.ts";
import {
  auditSchema,
  documentsSchema,
  importedSchema,
  pageSchema,
  revocationSchema,
  revocationsSchema,
  roomSchema,
  statusSchema,
} from "./schemas.ts";

/** The type of a room's archive. */
export const archiveType = "application/vnd.flockstate.room";

const params = z.object({ room: roomSchema });
const needs = "admin";
const nothing: Answer = { description: "Done." };

function json(description: string, schema: z.ZodType): Answer {
  return { description, contentType: "application/json", schema };
}

/** What the holder of scope `admin` may ask of a room; the room itself serves them. */
export const administrationRoutes = {
  status: declareRoute({
    id: "readStatus",
    method: "GET",
    path: "/v1/rooms/:room/status",
    summary: "How a room stands.",
    needs,
    params,
    answers: { 200: json("The room.", statusSchema) },
    problems: [],
  }),
  documents: declareRoute({
    id: "listDocuments",
    method: "GET",
    path: "/v1/rooms/:room/documents",
    summary: "The documents of a room, by number.",
    needs,
    params,
    query: pageSchema,
    answers: { 200: json("Documents, in order; none past the last.", documentsSchema) },
    problems: [],
  }),
  exportRoom: declareRoute({
    id: "exportRoom",
    method: "GET",
    path: "/v1/rooms/:room/export",
    summary: "The room as one file.",
    needs,
    params,
    answers: { 200: { description: "The archive.", contentType: archiveType } },
    problems: ["edge/room-deleted"],
  }),
  importRoom: declareRoute({
    id: "importRoom",
    method: "PUT",
    path: "/v1/rooms/:room/import",
    summary: "Reads an archive into a room that is empty or deleted; all of it or nothing.",
    needs,
    params,
    body: { contentType: archiveType, description: "What an export gave." },
    answers: { 200: json("What was read.", importedSchema) },
    problems: [
      "edge/room-not-empty",
      "edge/invalid-archive",
      "edge/room-full",
      "edge/document-full",
      "edge/too-many-documents",
    ],
  }),
  deleteRoom: declareRoute({
    id: "deleteRoom",
    method: "DELETE",
    path: "/v1/rooms/:room",
    summary: "Removes everything of a room but its audit trail and revocations, and closes its sockets.",
    needs,
    params,
    answers: { 204: nothing },
    problems: [],
  }),
  halt: declareRoute({
    id: "haltRoom",
    method: "POST",
    path: "/v1/rooms/:room/halt",
    summary: "Refuses shared documents and lanes until the room is released.",
    needs,
    params,
    answers: { 204: nothing },
    problems: ["edge/room-deleted"],
  }),
  release: declareRoute({
    id: "releaseRoom",
    method: "POST",
    path: "/v1/rooms/:room/release",
    summary: "Ends a halt.",
    needs,
    params,
    answers: { 204: nothing },
    problems: ["edge/room-deleted"],
  }),
  revoke: declareRoute({
    id: "revoke",
    method: "POST",
    path: "/v1/rooms/:room/revocations",
    summary: "Revokes one token, or all that a principal or anybody was issued up to now.",
    needs,
    params,
    body: { contentType: "application/json", schema: revocationSchema, description: "What is to end." },
    answers: { 204: nothing },
    problems: ["edge/too-many-revocations"],
  }),
  revocations: declareRoute({
    id: "listRevocations",
    method: "GET",
    path: "/v1/rooms/:room/revocations",
    summary: "What a room has revoked.",
    needs,
    params,
    answers: { 200: json("The list.", revocationsSchema) },
    problems: [],
  }),
  audit: declareRoute({
    id: "readAudit",
    method: "GET",
    path: "/v1/rooms/:room/audit",
    summary: "The audit trail of a room, from its oldest entry.",
    needs,
    params,
    query: pageSchema,
    answers: { 200: json("Entries, in order; none past the newest.", auditSchema) },
    problems: [],
  }),
};
