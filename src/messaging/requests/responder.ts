import type { Clock } from "../../base/index.ts";
import type { Pen } from "../../crdt/index.ts";
import { type JsonObject, progressKind } from "../../protocol/index.ts";
import type { Message } from "../message/message.ts";
import { createProgressReporter, type ProgressReport, type ProgressReporter } from "./progress.ts";

/** What handlers tell of the messages that they handle. */
export interface Responder {
  /** @throws `messaging/invalid-message` */
  progress(message: Pick<Message, "id">, report: ProgressReport): void;
  /** A message's handler has ended, or answered: what is held back of its progress is told, and no more. */
  settled(message: Pick<Message, "id">): void;
  /** Nothing is told any more. */
  close(): void;
}

/** Creates the responder of an agent; it costs nothing until somebody reports. */
export function createResponder({ writer, clock }: { writer: Pen; clock: Clock }): Responder {
  const reporters = new Map<string, ProgressReporter>();

  function settled({ id }: Pick<Message, "id">): void {
    if (reporters.size === 0) return;
    reporters.get(id)?.close();
    reporters.delete(id);
  }

  function reporterOf(of: string): ProgressReporter {
    const present = reporters.get(of);
    if (present) return present;
    const made = createProgressReporter(clock, (report) => {
      const body: JsonObject = { of, ...report };
      writer.append({ kind: progressKind, parents: [of], body });
    });
    reporters.set(of, made);
    return made;
  }

  return {
    progress: ({ id }, report) => reporterOf(id).report(report),
    settled,
    close() {
      for (const reporter of reporters.values()) reporter.close();
      reporters.clear();
    },
  };
}
