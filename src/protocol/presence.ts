import * as z from "zod/mini";
import { parseJson } from "./json.ts";

/** What a replica of ours announces, to the relay and to other tabs; a stock client's state is its awareness alone. */
export const presenceSchema = z.object({
  /** The replica's random id: the same over the relay and between tabs. */
  session: z.string().check(z.regex(/^[A-Za-z0-9_-]{11}$/)),
  /** The writers that are open in it. */
  writers: z.array(z.string().check(z.maxLength(200))).check(z.maxLength(512)),
  /** The application's state: `room.awareness`'s own. */
  awareness: z.nullable(z.record(z.string(), z.unknown())),
});

/** A replica's presence. */
export type Presence = z.infer<typeof presenceSchema>;

/** Reads a presence state; undefined where it is none of ours. */
export function parsePresence(text: string): Presence | undefined {
  const parsed = z.safeParse(presenceSchema, parseJson(text));
  return parsed.success ? parsed.data : undefined;
}
