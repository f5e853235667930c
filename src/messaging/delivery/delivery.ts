import { createEmitter, FlockError, type Undo } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { everyone, type LanePosition, parseEntryId } from "../../protocol/index.ts";
import { isDone } from "../consumer/position.ts";
import { createCompiledFilters } from "../filter/compiled-filters.ts";
import type { CompiledFilter } from "../filter/filter.ts";
import { type Message, readMessage } from "../message/message.ts";

/** What of a message says whom it is for. */
export type Addressed = Partial<Message> & Pick<Message, "id" | "writer" | "type">;

/** Tells when addressees have passed messages, from the cursors in their registers. */
export interface DeliveryBoard {
  /**
   * Whether a consumer whose filter takes the message has passed it; `of` bounds whose writers' consumers. Without it what
   * was said to everyone is delivered to nobody in particular.
   */
  isDelivered(message: Addressed, options?: { of?: (writer: string) => boolean }): boolean;
  /**
   * Resolves when it has; waits for ever under partition. It rejects with `crdt/no-addressee` for what was said to
   * everyone, with `messaging/gap` once retention has taken the message, as nobody can tell any more, with
   * `crdt/closed` when the board closes, and with the signal's reason.
   */
  delivered(message: Addressed, signal?: AbortSignal): Promise<void>;
  /** Told when some cursor has moved. */
  onMoved(listener: () => void): Undo;
  close(): void;
}

/** Where a consumer is in the lane that is asked for. */
interface Reader {
  readonly writer: string;
  readonly filter: CompiledFilter;
  readonly position: LanePosition;
}

/** Opens the board over a room's registers. */
export function openDeliveryBoard(documents: Documents): DeliveryBoard {
  const moved = createEmitter<void>();
  /** By lane, as the registers are now: many messages are asked for between two changes. */
  const readers = new Map<string, Reader[]>();
  const filters = createCompiledFilters();
  let closed = false;
  const stop = documents.registerChanged.on(() => {
    readers.clear();
    moved.emit();
  });

  function readersOf(lane: string): Reader[] {
    const known = readers.get(lane);
    if (known) return known;
    const found: Reader[] = [];
    for (const [writer, { consumers }] of documents.registers()) {
      for (const consumer of Object.values(consumers)) {
        const position = consumer.lanes[lane];
        if (position) found.push({ writer, filter: filters.of(consumer, writer), position });
      }
    }
    readers.set(lane, found);
    return found;
  }

  function isDelivered(message: Addressed, { of }: { of?: (writer: string) => boolean } = {}): boolean {
    if (message.to === everyone && !of) return false;
    const address = parseEntryId(message.id);
    if (!address) return false;
    const pages = documents.log.pages(message.writer);
    return readersOf(message.writer).some(
      ({ writer, filter, position }) =>
        isDone(position, address.page, address.index, pages) &&
        (of === undefined || of(writer)) &&
        filter.takes(message),
    );
  }

  /** A consumer that jumps over what retention took is past it, and has not read it. */
  function isPastRetention({ id, writer }: Addressed): boolean {
    const address = parseEntryId(id);
    return address !== undefined && address.page.number < (documents.history.marks(writer)?.first ?? 0);
  }

  /** All that is known of a message: a filter may ask for any field. */
  function whole(message: Addressed): Addressed {
    const entry = documents.log.get(message.id);
    return (entry && readMessage(entry)) ?? message;
  }

  return {
    isDelivered,
    delivered(message, signal) {
      const { id, to } = message;
      if (to === everyone) {
        const why = `${id} was said to everyone: wait for local or relayed instead.`;
        return Promise.reject(new FlockError("crdt/no-addressee", why, { details: { id } }));
      }
      const wanted = whole(message);
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (isPastRetention(wanted)) {
            const why = `Retention took ${id} before it was known to be delivered.`;
            reject(new FlockError("messaging/gap", why, { details: { id } }));
          } else if (isDelivered(wanted)) resolve();
          else if (signal?.aborted) reject(signal.reason);
          else if (closed)
            reject(new FlockError("crdt/closed", `The room closed before ${id} was delivered.`));
          else return;
          undo();
          signal?.removeEventListener("abort", look);
        };
        const undo = moved.on(look);
        signal?.addEventListener("abort", look);
        look();
      });
    },
    onMoved: (listener) => moved.on(listener),
    close() {
      stop();
      closed = true;
      moved.emit();
    },
  };
}
