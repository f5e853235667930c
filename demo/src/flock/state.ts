import { map, type Room, table, text } from "flockstate";
import { findingSchema } from "./finding.ts";

/** What the flock and the people share. The summaries are keyed by data set, so writing one again changes nothing. */
export const flockState = {
  notes: text(),
  findings: table(findingSchema, { key: "id" }),
  summaries: map<string>(),
};

/** The demo's room. */
export type FlockRoom = Room<typeof flockState>;
