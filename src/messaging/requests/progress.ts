import * as z from "zod/mini";
import { type Clock, FlockError, timestampToMs, toUtf8, type Undo } from "../../base/index.ts";
import type { Entry } from "../../crdt/index.ts";
import { agentOf, type Json, progressKind, progressSchema } from "../../protocol/index.ts";

/** How far a handler has come, in its own words: at most 8 KiB as JSON. */
export interface ProgressReport {
  /** From 0 to 1. */
  done?: number;
  note?: string;
  data?: Json;
}

/** A report as it reaches whoever asked. */
export interface Progress extends Readonly<ProgressReport> {
  /** The agent that said it, `principal.agent`. */
  readonly from: string;
  /** Milliseconds since the epoch, by its hybrid clock. */
  readonly at: number;
}

/** Reads the progress that an entry tells; undefined where it tells none. */
export function readProgress(entry: Entry): Progress | undefined {
  if (entry.kind !== progressKind) return undefined;
  const parsed = z.safeParse(progressSchema, entry.body);
  const from = agentOf(entry.writer);
  if (!parsed.success || from === undefined) return undefined;
  const { of: _, ...report } = parsed.data;
  return Object.freeze({ ...(report as ProgressReport), from, at: timestampToMs(entry.clock) });
}

/** Tells a listener, whose failure is the host's to report and nobody's here. */
export function tellProgress(listener: (progress: Progress) => void, progress: Progress): void {
  try {
    listener(progress);
  } catch (failure) {
    queueMicrotask(() => {
      throw failure;
    });
  }
}

/** Tells how far one handling has come. */
export interface ProgressReporter {
  /** @throws `messaging/invalid-message` */
  report(report: ProgressReport): void;
  /** Tells what is still held back, and then no more. */
  close(): void;
}

/** A report within this after another waits, and gives way to a newer one: at most four a second. */
const gatherMs = 250;
/** So that it fits a signal, and an entry. */
const maxReportBytes = 8 * 1024;
const reportSchema = z.omit(progressSchema, { of: true });

/** Creates the reporter of one handling. */
export function createProgressReporter(
  clock: Clock,
  tell: (report: Readonly<ProgressReport>) => void,
): ProgressReporter {
  let held: ProgressReport | undefined;
  let stopTimer: Undo | undefined;
  let isClosed = false;

  function flush(): void {
    stopTimer = undefined;
    if (!held) return;
    const report = held;
    held = undefined;
    if (!isClosed) stopTimer = clock.after(gatherMs, flush);
    tell(report);
  }

  return {
    report(report) {
      const parsed = parseReport(report);
      if (isClosed) return;
      held = parsed;
      if (!stopTimer) flush();
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      stopTimer?.();
      flush();
    },
  };
}

/** Reads what a signal says of progress; undefined where it says none. */
export function readReport(report: Json): ProgressReport | undefined {
  const parsed = z.safeParse(reportSchema, report);
  return parsed.success ? (parsed.data as ProgressReport) : undefined;
}

/**
 * A copy of a report that may be told.
 *
 * @throws `messaging/invalid-message`
 */
export function parseReport(report: ProgressReport): ProgressReport {
  const parsed = z.safeParse(reportSchema, report);
  if (parsed.success) {
    // A report that waits says what it said when it was made; and `undefined` is no JSON.
    const text = JSON.stringify(parsed.data);
    if (toUtf8(text).length <= maxReportBytes) return JSON.parse(text) as ProgressReport;
  }
  const path = parsed.error?.issues[0]?.path.join(".") ?? "";
  throw new FlockError(
    "messaging/invalid-message",
    `The progress is not valid${path ? ` at ${path}` : ""}: done is from 0 to 1, note a text of at most 1,000 characters, data plain JSON, all of it at most 8 KiB.`,
    { details: { path } },
  );
}
