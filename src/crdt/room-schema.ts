import { writerDatabase } from "./database-names.ts";
import type { SchemaStep } from "./persistence/schema.ts";
import { identityKey, ourIdentity } from "./writers/writer-identity.ts";
import { hasDocuments } from "./writers/writer-records.ts";

// Version 2 gave each database its version, and each writer's an identity. What may be missing in any version (seals,
// acknowledgements) needs no step.

/** The room's own database. */
const recordsSteps: readonly SchemaStep[] = [async () => ({})];

/** A writer's. One that is listed and has neither documents nor an identity was lost, and must go on to look so. */
const writerSteps: readonly SchemaStep[] = [
  async (store) => {
    const isKnown = (await store.get(identityKey)) !== undefined || !(await hasDocuments(store));
    return isKnown ? {} : { put: [[identityKey, ourIdentity]] };
  },
];

/** The steps of a room's databases, whose names begin with `prefix`. */
export function schemaOf(prefix: string): (name: string) => readonly SchemaStep[] {
  return (name) => (name.startsWith(writerDatabase(prefix, "")) ? writerSteps : recordsSteps);
}
