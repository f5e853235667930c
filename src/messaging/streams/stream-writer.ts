import {
  type Clock,
  type Closable,
  concatBytes,
  FlockError,
  toBase64Url,
  type Undo,
} from "../../base/index.ts";
import type { Appended, EntryLog, Pen } from "../../crdt/index.ts";
import {
  comparePages,
  type JsonObject,
  type PageName,
  parseEntryId,
  type Reference,
  streamEndKind,
  streamKind,
} from "../../protocol/index.ts";
import type { LayeredStore } from "../../refstore/index.ts";
import { wordsOf } from "../message/words.ts";
import { type BufferedPart, createPartBuffer, wellFormed } from "./part-buffer.ts";

/** A stream that is being written. */
export interface StreamWriter extends Closable {
  /** The id of the message that opened it: what `room.readStream` takes. */
  readonly id: string;
  /**
   * Writes on, in the order of the calls; readers have it within 50 ms and the way there. Resolves at once unless
   * `highWaterMarkBytes` or more are yet to be stored on this device: whoever waits for it never has more in memory.
   *
   * @throws `messaging/stream-closed`, `messaging/stream-too-large`, and `messaging/invalid-options` where text and bytes
   * are mixed: none of the part is then written, and the stream goes on.
   */
  write(part: string | Uint8Array): Promise<void>;
  /**
   * Ends it, and gives the whole as a reference, once readers here have the end; it is stored with the lane, shortly after.
   * A second call gives the same.
   *
   * @throws `messaging/stream-closed`, and what storing a reference throws: then the stream has failed.
   */
  end(): Promise<Reference>;
  /** Gives it up: readers get what was written, then the reason. After the end it does nothing. */
  fail(reason: string): Promise<void>;
  /** Gives it up, unless it has ended. */
  close(): Promise<void>;
}

export interface StreamWriterOptions {
  id: string;
  contentType: string;
  /** Default 64 KiB. */
  highWaterMarkBytes?: number | undefined;
  writer: Pick<Pen, "id" | "append">;
  log: Pick<EntryLog, "added">;
  refs: Pick<LayeredStore, "put">;
  clock: Clock;
  onClosed(): void;
}

/** Parts are gathered for so long. */
const flushEveryMs = 50;
const defaultHighWaterMarkBytes = 64 * 1024;
const maxReasonLength = 1000;

/** Creates the writer of a stream whose opening message is in its lane. */
export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const { id, contentType, writer, log, refs, clock, onClosed } = options;
  const { highWaterMarkBytes = defaultHighWaterMarkBytes } = options;
  const opening = parseEntryId(id) as { writer: string; page: PageName };
  const buffer = createPartBuffer();
  const whole: Uint8Array[] = [];
  let at = 0;
  let waitingBytes = 0;
  const waiting: (() => void)[] = [];
  /** The page of its newest entry. */
  let { page } = opening;
  let isFirst = true;
  let cancelTimer: Undo | undefined;
  let ending: Promise<Reference> | undefined;
  let isClosed = false;

  function append(kind: string, body: JsonObject, references: readonly string[] = []): Appended {
    const parents = isFirst ? [id] : [];
    isFirst = false;
    const appended = writer.append({ kind, parents, body: { of: id, at, ...body } }, { references });
    page = parseEntryId(appended.id)?.page ?? page;
    return appended;
  }

  function store(part: BufferedPart): void {
    const { length, encoded } = part;
    const appended = append(
      streamKind,
      "text" in part ? { text: part.text } : { bytes: toBase64Url(part.bytes) },
    );
    whole.push(encoded);
    at += length;
    // What the database refuses is kept in the lane, and no reason to wait for ever.
    void appended.settled("local").then(relieve, relieve);
    function relieve(): void {
      waitingBytes -= encoded.length;
      if (waitingBytes < highWaterMarkBytes) resumeWrites();
    }
  }

  function resumeWrites(): void {
    for (const resume of waiting.splice(0)) resume();
  }

  function flush(options?: { isFull: boolean }): void {
    for (let part = buffer.take(options); part; part = buffer.take(options)) store(part);
  }

  function tick(): void {
    cancelTimer = undefined;
    if (buffer.length === 0 || !isOwnLane()) return;
    flush();
    cancelTimer = clock.after(flushEveryMs, tick);
  }

  /** A lane that is written elsewhere too is written here no more: what would follow is nobody's to read. */
  function isOwnLane(): boolean {
    if (writer.id !== opening.writer && !isClosed)
      void giveUp("The lane of its writer is written elsewhere too.");
    return !isClosed;
  }

  function giveUp(reason: unknown): Promise<void> {
    leave();
    return append(streamEndKind, { failure: wellFormed(wordsOf(reason, maxReasonLength)) }).shown();
  }

  function leave(): void {
    isClosed = true;
    cancelTimer?.();
    stopWatching();
    whole.length = 0;
    resumeWrites();
    onClosed();
  }

  async function finish(): Promise<Reference> {
    waitingBytes += buffer.finish();
    flush();
    cancelTimer?.();
    try {
      const reference = await refs.put(concatBytes(whole), { contentType });
      if (!isOwnLane()) throw closedError();
      leave();
      const appended = append(streamEndKind, { reference, unit: buffer.unit ?? "text" }, [reference.id]);
      await appended.shown();
      return reference;
    } catch (failure) {
      if (!isClosed) await giveUp("The whole could not be stored.");
      throw failure;
    }
  }

  function closedError(): FlockError {
    return new FlockError("messaging/stream-closed", `The stream ${id} has ended: open another.`);
  }

  /** A stream that has nothing in a page says there that it is open: whoever opens the lane again finds it in what is live. */
  const stopWatching = log.added.on(([first]) => {
    if (first?.writer !== opening.writer || comparePages(first.page, page) <= 0) return;
    if (isOwnLane()) append(streamKind, buffer.unit === "bytes" ? { bytes: "" } : { text: "" });
  });

  async function stop(reason: unknown): Promise<void> {
    if (ending) {
      // Whoever ended it is told what became of that.
      await ending.catch(() => undefined);
      return;
    }
    if (isClosed || !isOwnLane()) return;
    waitingBytes += buffer.finish();
    flush();
    await giveUp(reason);
  }

  return {
    id,
    async write(part) {
      if (ending || !isOwnLane()) throw closedError();
      waitingBytes += buffer.push(part);
      flush({ isFull: true });
      if (!cancelTimer) tick();
      if (waitingBytes >= highWaterMarkBytes) await new Promise<void>((resume) => waiting.push(resume));
    },
    end() {
      if (ending) return ending;
      if (!isOwnLane()) return Promise.reject(closedError());
      ending = finish();
      return ending;
    },
    fail: stop,
    close: () => stop("Its writer was closed."),
  };
}
