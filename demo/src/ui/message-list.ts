import type { Message } from "flockstate";
import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { keyedList } from "./keyed-list.ts";
import { createMessageRow, type MessageRow } from "./message-row.ts";
import { createPanel } from "./panel.ts";
import { watch } from "./watch.ts";

/** The list of messages, newest first. */
export interface MessageList {
  readonly element: HTMLElement;
  /** Opens a message and brings it into view. */
  reveal(id: string): void;
}

const pageSize = 200;

/** Creates the list; older messages are shown on request, so that a long-lived room stays quick. */
export function createMessageList(room: FlockRoom): MessageList {
  let limit = pageSize;
  const rows = new Map<string, MessageRow>();
  const list = h("ol", { class: "messages" });
  const empty = h("p", { class: "empty" }, "Nothing has been said in this room yet.");
  const older = h("button", { class: "quiet-button", type: "button", onclick: showOlder });
  const scroller = h(
    "div",
    { class: "scroller", tabindex: 0, role: "group", "aria-label": "All messages, newest first" },
    empty,
    list,
    older,
  );
  const panel = createPanel("Messages", "messages", scroller);
  const show = keyedList<Message, HTMLElement>(list, {
    key: ({ id }) => id,
    create(message) {
      const row = createMessageRow(message);
      rows.set(message.id, row);
      return row.element;
    },
    update: (_, message) => rows.get(message.id)?.update(message),
  });

  function showOlder() {
    limit += pageSize;
    render();
  }

  function render() {
    const all = room.messages.get();
    const newest = all.slice(-limit).reverse();
    for (const id of rows.keys()) {
      if (!newest.some((message) => message.id === id)) rows.delete(id);
    }
    show(newest);
    const rest = all.length - newest.length;
    setAttribute(empty, "hidden", all.length > 0);
    setAttribute(older, "hidden", rest === 0);
    setText(older, `Show older (${rest})`);
    panel.setNote(all.length === 0 ? "" : `${all.length}`);
  }

  watch([room.messages], render);
  return {
    element: panel.element,
    reveal(id) {
      if (!rows.has(id)) limit = Number.POSITIVE_INFINITY;
      render();
      rows.get(id)?.open();
    },
  };
}
