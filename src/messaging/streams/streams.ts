import * as z from "zod/mini";
import { type Clock, type Closable, FlockError } from "../../base/index.ts";
import type { EntryLog, Pen } from "../../crdt/index.ts";
import { referenceSchema, streamEndKind } from "../../protocol/index.ts";
import type { LayeredStore } from "../../refstore/index.ts";
import type { Outbox } from "../message/outbox.ts";
import type { OutgoingMessage } from "../message/outgoing.ts";
import { openStreamsOf } from "./open-streams.ts";
import { createStreamWriter, type StreamWriter } from "./stream-writer.ts";

/** A stream to be opened: a message, and what will be streamed. */
export interface OutgoingStream extends Omit<OutgoingMessage, "content" | "idempotencyKey"> {
  /** Of what the stream becomes. Default `text/plain; charset=utf-8`. */
  contentType?: string;
  /** Content of the message that opens it. Default `{ contentType }`. */
  content?: OutgoingMessage["content"];
  /** What may wait to be stored before `write` does; default 64 KiB. */
  highWaterMarkBytes?: number;
}

/** The streams that an agent writes. */
export interface Streams extends Closable {
  /** @throws `messaging/invalid-options`, and as sending a message does */
  open(stream: OutgoingStream): Promise<StreamWriter>;
  /** Gives up those that have not ended. */
  close(): Promise<void>;
}

export interface StreamsOptions {
  writer: Pick<Pen, "id" | "append">;
  log: Pick<EntryLog, "added" | "pages">;
  refs: Pick<LayeredStore, "put">;
  outbox: Pick<Outbox, "send">;
  clock: Clock;
}

const contentTypeSchema = referenceSchema.shape.contentType;

/** Says of what a writer left open, in a page that is gone, that it has failed. */
export function failOpenStreams(writer: StreamsOptions["writer"], log: Pick<EntryLog, "pages">): void {
  for (const [of, at] of openStreamsOf(log.pages(writer.id))) {
    const body = { of, at, failure: "The writer went away before its end." };
    writer.append({ kind: streamEndKind, parents: [of], body });
  }
}

/** Creates them for an agent that was just opened: what its writer left open, in a page that is gone, has failed. */
export function createStreams(options: StreamsOptions): Streams {
  const { writer, log, outbox } = options;
  const open = new Set<StreamWriter>();
  let isClosed = false;

  failOpenStreams(writer, log);

  return {
    async open({ contentType = "text/plain; charset=utf-8", highWaterMarkBytes, ...message }) {
      if (!z.safeParse(contentTypeSchema, contentType).success || !((highWaterMarkBytes ?? 1) > 0)) {
        throw new FlockError(
          "messaging/invalid-options",
          "A stream has a contentType like text/plain, and a highWaterMarkBytes above 0.",
        );
      }
      const opening = { content: { contentType }, ...message, role: "stream" as const };
      const { id } = await outbox.send(opening);
      const stream = createStreamWriter({
        ...options,
        id,
        contentType,
        highWaterMarkBytes,
        onClosed: () => open.delete(stream),
      });
      open.add(stream);
      // The agent may have closed while the content of the message was stored.
      if (isClosed) await stream.close();
      return stream;
    },
    async close() {
      isClosed = true;
      await Promise.all([...open].map((stream) => stream.close()));
    },
  };
}
