import * as z from "zod/mini";
import { createEmitter, type Undo } from "../../base/index.ts";
import type { Entry, EntryLog } from "../../crdt/index.ts";
import { agentOf, cancelKind, cancelSchema, parseEntryId } from "../../protocol/index.ts";

/** A request that was taken back, and why. */
export interface Cancelled {
  readonly id: string;
  readonly reason: string;
}

/** Which requests were taken back by the agents that made them, as far as the live lanes tell. */
export interface Cancellations {
  /** Why a request was taken back; undefined where it was not. */
  cancelled(request: string): string | undefined;
  /** Told once of each request, when its cancellation comes. */
  onCancelled(listener: (cancelled: Cancelled) => void): Undo;
  close(): void;
}

/** Opens the index over a room's log: it holds as much as the log does of cancellations. */
export function createCancellations(
  log: Pick<EntryLog, "writers" | "pages" | "added" | "released">,
): Cancellations {
  const reasons = new Map<string, { reason: string; by: string }>();
  const told = createEmitter<Cancelled>();

  function take(entry: Entry): void {
    if (entry.kind !== cancelKind) return;
    const parsed = z.safeParse(cancelSchema, entry.body);
    if (!parsed.success) return;
    const { request, reason } = parsed.data;
    const owner = parseEntryId(request)?.writer;
    if (owner === undefined || agentOf(owner) !== agentOf(entry.writer) || reasons.has(request)) return;
    reasons.set(request, { reason, by: entry.id });
    told.emit({ id: request, reason });
  }

  for (const writer of log.writers()) {
    for (const { entries } of log.pages(writer)) for (const entry of entries) take(entry);
  }
  const stops = [
    log.added.on((entries) => {
      for (const entry of entries) take(entry);
    }),
    log.released.on(({ page }) => {
      if (reasons.size === 0) return;
      const gone = new Set(page.entries.filter(({ kind }) => kind === cancelKind).map(({ id }) => id));
      if (gone.size === 0) return;
      for (const [request, { by }] of reasons) if (gone.has(by)) reasons.delete(request);
    }),
  ];

  return {
    cancelled: (request) => reasons.get(request)?.reason,
    onCancelled: (listener) => told.on(listener),
    close() {
      for (const stop of stops) stop();
    },
  };
}
