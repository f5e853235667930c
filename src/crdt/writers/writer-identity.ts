import * as z from "zod/mini";
import type { KeyValueStore } from "../persistence/port.ts";
import { hasDocuments } from "./writer-records.ts";

/**
 * What a writer's database says of it: it is this device's to write; the same was written elsewhere too; or the database
 * was lost, and with it the numbers of its pages.
 */
export type Standing = "ours" | "forked" | "lost";

export const identityKey = "identity";
/** Of a writer that only this device has written. */
export const ourIdentity = { version: 1 } as const;

const identitySchema = z.object({
  version: z.literal(1),
  /** Another device has written in this writer's name. */
  forked: z.optional(z.literal(true)),
});

/** Makes a database a writer's; done before anything lists the writer, so that a listed one without it was lost. */
export function writeIdentity(records: KeyValueStore): Promise<void> {
  return records.write({ put: [[identityKey, ourIdentity]] });
}

/** Makes sure that no session opens this writer for an agent again. */
export function writeForked(records: KeyValueStore): Promise<void> {
  return records.write({ put: [[identityKey, { version: 1, forked: true }]] });
}

/** Reads how a listed writer stands; one made before there were identities is known by its documents. */
export async function readStanding(records: KeyValueStore): Promise<Standing> {
  const stored = await records.get(identityKey);
  if (stored === undefined) return (await hasDocuments(records)) ? "ours" : "lost";
  const parsed = z.safeParse(identitySchema, stored);
  // What this version can't read it doesn't write either.
  return parsed.success && !parsed.data.forked ? "ours" : "forked";
}
