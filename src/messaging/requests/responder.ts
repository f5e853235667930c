import type { Clock } from "../../base/index.ts";
import type { Pen } from "../../crdt/index.ts";
import { type JsonObject, progressKind } from "../../protocol/index.ts";
import type { Message, ReceivedMessage } from "../message/message.ts";
import type { OutgoingResponse } from "../message/response.ts";
import type { SentMessage } from "../message/sent-message.ts";
import { createProgressReporter, type ProgressReport, type ProgressReporter } from "./progress.ts";

/** What handlers tell of the messages that they handle. */
export interface Responder {
  /** Tells what is held back of a message's progress, and then answers it. */
  respond(message: ReceivedMessage, response: OutgoingResponse): Promise<SentMessage>;
  /** @throws `messaging/invalid-message` */
  progress(message: Pick<Message, "id">, report: ProgressReport): void;
  /** A message's handler has ended: what is held back of its progress is told. */
  settled(message: Pick<Message, "id">): void;
  /** Nothing is told any more. */
  close(): void;
}

/** Creates the responder of an agent; it costs nothing until somebody reports. */
export function createResponder({
  writer,
  clock,
  send,
}: {
  writer: Pen;
  clock: Clock;
  send(message: ReceivedMessage, response: OutgoingResponse): Promise<SentMessage>;
}): Responder {
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
    respond(message, response) {
      settled(message);
      return send(message, response);
    },
    progress: ({ id }, report) => reporterOf(id).report(report),
    settled,
    close() {
      for (const reporter of reporters.values()) reporter.close();
      reporters.clear();
    },
  };
}
