import { createStore, type Store } from "../base/index.ts";
import { defineView, type Documents, openView, type WriteStage } from "../crdt/index.ts";
import { messageKind } from "../protocol/index.ts";
import type { DeliveryBoard } from "./delivery.ts";
import { type Message, readMessage } from "./message.ts";

/** A message and how far it is known to have come. */
export type ListedMessage = Message & { readonly stage: "pending" | WriteStage };

/** Every message known here, in the room's order. */
export interface MessageList extends Store<readonly ListedMessage[]> {
  close(): void;
}

/** One key holds all; its order is what the list is for. */
const everyMessage = defineView<number>({
  key: (entry) => (entry.kind === messageKind ? "messages" : undefined),
  init: () => 0,
  step: (count) => count + 1,
});

/** Opens the list; changes of one tick are told together. */
export function openMessageList(documents: Documents, board: DeliveryBoard): MessageList {
  const view = openView(documents.log, everyMessage);
  const store = createStore<readonly ListedMessage[]>([]);
  const known = new Map<string, ListedMessage>();
  let scheduled = false;

  function stageOf(message: Message): ListedMessage["stage"] {
    if (board.isDelivered(message)) return "delivered";
    return documents.stageOf(message.id);
  }

  function refresh(): void {
    scheduled = false;
    const listed: ListedMessage[] = [];
    for (const entry of view.entries("messages")) {
      const before = known.get(entry.id);
      const message = before ?? readMessage(entry);
      if (!message) continue;
      const stage = before?.stage === "delivered" ? before.stage : stageOf(message);
      const now = before?.stage === stage ? before : Object.freeze({ ...message, stage });
      known.set(entry.id, now);
      listed.push(now);
    }
    const present = store.get();
    if (listed.length !== present.length || listed.some((message, index) => message !== present[index])) {
      store.set(Object.freeze(listed));
    }
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(refresh);
  }

  const stops = [view.subscribe(schedule), board.onMoved(schedule), documents.status.subscribe(schedule)];
  refresh();

  return {
    get: store.get,
    subscribe: store.subscribe,
    close() {
      for (const stop of stops) stop();
      view.close();
    },
  };
}
