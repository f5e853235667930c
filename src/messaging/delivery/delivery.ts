import { createEmitter, FlockError, type Undo } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { parseEntryId } from "../../protocol/index.ts";
import { isDone } from "../consumer/position.ts";
import { matchesRecord } from "../filter/filter.ts";
import type { Message } from "../message/message.ts";

/** What of a message says whom it is for. */
export type Addressed = Pick<Message, "id" | "writer" | "type" | "to" | "topic">;

/** Tells when addressees have passed messages, from the cursors in their registers. */
export interface DeliveryBoard {
  /** Whether a consumer whose filter takes the message has passed it; `of` bounds whose writers' consumers. */
  isDelivered(message: Addressed, options?: { of?: (writer: string) => boolean }): boolean;
  /**
   * Resolves when it has; waits for ever under partition. It rejects with `messaging/gap` once retention has taken the
   * message, as nobody can tell any more, and with `crdt/closed` when the board closes.
   */
  delivered(message: Addressed): Promise<void>;
  /** Told when some cursor has moved. */
  onMoved(listener: () => void): Undo;
  close(): void;
}

/** Opens the board over a room's registers. */
export function openDeliveryBoard(documents: Documents): DeliveryBoard {
  const moved = createEmitter<void>();
  let closed = false;
  const stop = documents.registerChanged.on(() => moved.emit());

  function isDelivered(
    message: Addressed,
    { of = () => true }: { of?: (writer: string) => boolean } = {},
  ): boolean {
    const address = parseEntryId(message.id);
    if (!address) return false;
    const pages = documents.log.pages(message.writer);
    for (const [writer, { consumers }] of documents.registers()) {
      if (!of(writer)) continue;
      for (const { filter, lanes } of Object.values(consumers)) {
        const position = lanes[message.writer];
        if (!position || !matchesRecord(filter, message, writer)) continue;
        if (isDone(position, address.page, address.index, pages)) return true;
      }
    }
    return false;
  }

  /** A consumer that jumps over what retention took is past it, and has not read it. */
  function isPastRetention({ id, writer }: Addressed): boolean {
    const address = parseEntryId(id);
    return address !== undefined && address.page.number < (documents.history.marks(writer)?.first ?? 0);
  }

  return {
    isDelivered,
    delivered(message) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (isPastRetention(message)) {
            const { id } = message;
            const why = `Retention took ${id} before it was known to be delivered.`;
            reject(new FlockError("messaging/gap", why, { details: { id } }));
          } else if (isDelivered(message)) resolve();
          else if (closed)
            reject(new FlockError("crdt/closed", `The room closed before ${message.id} was delivered.`));
          else return;
          undo();
        };
        const undo = moved.on(look);
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
