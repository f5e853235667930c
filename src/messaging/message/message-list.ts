import { type Clock, createStore, type Store, type Undo } from "../../base/index.ts";
import { type Documents, defineView, type Entry, type View, type WriteStage } from "../../crdt/index.ts";
import { messageKind } from "../../protocol/index.ts";
import type { DeliveryBoard } from "../delivery/delivery.ts";
import { type Message, readMessage } from "./message.ts";

/** A message and how far it is known to have come. */
export type ListedMessage = Message & { readonly stage: "pending" | WriteStage };

/** Every message that is live here, in the room's order. */
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

/** Opens the list; until somebody looks, not even its view is open. */
export function openMessageList(documents: Documents, board: DeliveryBoard, clock: Clock): MessageList {
  const store = createStore<readonly ListedMessage[]>([]);
  let known = new Map<string, ListedMessage>();
  let cancel: Undo | undefined;
  let view: View<number> | undefined;
  let stops: Undo[] = [];
  let isClosed = false;

  function stageOf(message: Message): ListedMessage["stage"] {
    if (board.isDelivered(message)) return "delivered";
    return documents.stageOf(message.id);
  }

  function listedOf(entry: Entry, before: ListedMessage | undefined): ListedMessage | undefined {
    if (before?.stage === "delivered") return before;
    const message = before ?? readMessage(entry);
    if (!message) return undefined;
    const stage = stageOf(message);
    return before?.stage === stage ? before : Object.freeze({ ...message, stage });
  }

  function refresh(): void {
    cancel?.();
    cancel = undefined;
    if (!view) return;
    const listed: ListedMessage[] = [];
    const before = known;
    known = new Map();
    for (const entry of view.entries("messages")) {
      const now = listedOf(entry, before.get(entry.id));
      if (!now) continue;
      known.set(entry.id, now);
      listed.push(now);
    }
    const present = store.get();
    if (listed.length !== present.length || listed.some((message, index) => message !== present[index])) {
      store.set(Object.freeze(listed));
    }
  }

  /** Whoever has looked once is told from then on. */
  function watch(): void {
    if (isClosed) return;
    if (view && !cancel) return;
    if (!view) open();
    refresh();
  }

  function open(): void {
    view = documents.views.open(everyMessage, { history: false });
    stops = [
      view.subscribe(schedule),
      documents.log.released.on(schedule),
      board.onMoved(schedule),
      documents.status.subscribe(schedule),
    ];
  }

  function schedule(): void {
    cancel ??= clock.after(gatherMs, refresh);
  }

  return {
    get() {
      watch();
      return store.get();
    },
    subscribe(listener) {
      watch();
      return store.subscribe(listener);
    },
    close() {
      isClosed = true;
      cancel?.();
      for (const stop of stops) stop();
      void view?.close();
    },
  };
}
