import { type Clock, createStore, type Store, type Undo } from "../base/index.ts";
import { type Documents, defineView, openView, type WriteStage } from "../crdt/index.ts";
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

/** Changes within this time are told together: the list costs its length each time it is told. */
const gatherMs = 16;

/** Opens the list. */
export function openMessageList(documents: Documents, board: DeliveryBoard, clock: Clock): MessageList {
  const view = openView(documents.log, everyMessage);
  const store = createStore<readonly ListedMessage[]>([]);
  const known = new Map<string, ListedMessage>();
  let cancel: Undo | undefined;

  function stageOf(message: Message): ListedMessage["stage"] {
    if (board.isDelivered(message)) return "delivered";
    return documents.stageOf(message.id);
  }

  function refresh(): void {
    cancel?.();
    cancel = undefined;
    const listed: ListedMessage[] = [];
    for (const entry of view.entries("messages")) {
      const before = known.get(entry.id);
      if (before?.stage === "delivered") {
        listed.push(before);
        continue;
      }
      const message = before ?? readMessage(entry);
      if (!message) continue;
      const stage = stageOf(message);
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
    cancel ??= clock.after(gatherMs, refresh);
  }

  const stops = [view.subscribe(schedule), board.onMoved(schedule), documents.status.subscribe(schedule)];
  refresh();

  return {
    get() {
      if (cancel) refresh();
      return store.get();
    },
    subscribe: store.subscribe,
    close() {
      cancel?.();
      for (const stop of stops) stop();
      view.close();
    },
  };
}
