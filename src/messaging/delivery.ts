import { createEmitter, FlockError, type Undo } from "../base/index.ts";
import type { Documents } from "../crdt/index.ts";
import { parseEntryId } from "../protocol/index.ts";
import { matchesRecord } from "./filter.ts";
import type { Message } from "./message.ts";
import { isDone } from "./position.ts";

/** Tells when addressees have passed messages, from the cursors in their registers. */
export interface DeliveryBoard {
  /** Whether a consumer whose filter takes the message has passed it. */
  isDelivered(message: Message): boolean;
  /** Resolves when it has; waits for ever under partition, and rejects with `crdt/closed` when the board closes. */
  delivered(message: Message): Promise<void>;
  /** Told when some cursor has moved. */
  onMoved(listener: () => void): Undo;
  close(): void;
}

/** Opens the board over a room's registers. */
export function openDeliveryBoard(documents: Documents): DeliveryBoard {
  const moved = createEmitter<void>();
  let closed = false;
  const stop = documents.registerChanged.on(() => moved.emit());

  function isDelivered(message: Message): boolean {
    const address = parseEntryId(message.id);
    if (!address) return false;
    const pages = documents.log.pages(message.writer);
    for (const [writer, { consumers }] of documents.registers()) {
      for (const { filter, lanes } of Object.values(consumers)) {
        const position = lanes[message.writer];
        if (!position || !matchesRecord(filter, message, writer)) continue;
        if (isDone(position, address.page, address.index, pages)) return true;
      }
    }
    return false;
  }

  return {
    isDelivered,
    delivered(message) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (isDelivered(message)) resolve();
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
