import * as z from "zod/mini";
import type { Entry, LoggedPage } from "../../crdt/index.ts";
import {
  messageKind,
  type StreamPart,
  streamEndKind,
  streamKind,
  streamPartSchema,
} from "../../protocol/index.ts";

/** Whether an entry is the message that opens a stream. */
export function opensStream({ kind, body }: Entry): boolean {
  return kind === messageKind && (body as { role?: unknown } | null)?.role === "stream";
}

/** The stream that an entry is a part, or the end, of; undefined where it is neither. */
export function streamOf({ kind, body }: Entry): string | undefined {
  if (kind !== streamKind && kind !== streamEndKind) return undefined;
  const of = (body as { of?: unknown } | null)?.of;
  return typeof of === "string" ? of : undefined;
}

/** The part of an entry; undefined where it does not fit the schema, and says nothing. */
export function readPart({ kind, body }: Entry): StreamPart | undefined {
  if (kind !== streamKind) return undefined;
  return z.safeParse(streamPartSchema, body).data;
}

/** The streams that pages of one lane leave open, and how long each had become. */
export function openStreamsOf(pages: readonly LoggedPage[]): Map<string, number> {
  const open = new Map<string, number>();
  for (const { entries } of pages) {
    for (const entry of entries) {
      if (opensStream(entry)) open.set(entry.id, 0);
      const of = streamOf(entry);
      if (of === undefined) continue;
      if (entry.kind === streamEndKind) open.delete(of);
      else open.set(of, endOf(entry) ?? open.get(of) ?? 0);
    }
  }
  return open;
}

function endOf(entry: Entry): number | undefined {
  const part = readPart(entry);
  return part && part.at + lengthOf(part);
}

/** How long a part is, in its unit. */
export function lengthOf(part: StreamPart): number {
  // Base64url spells three bytes with four characters, and no padding.
  return "text" in part ? part.text.length : Math.floor((part.bytes.length * 3) / 4);
}
